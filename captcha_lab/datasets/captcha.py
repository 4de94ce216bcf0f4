"""Captchas: the catalog's images, cut into glyphs, labelled, and packed for training."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from captcha_lab.alphabet import Alphabet
from captcha_lab.datasets.base import PrepareOptions, PrepareReport, Progress, count_splits
from captcha_lab.errors import CaptchaLabError
from captcha_lab.segment import Segmenter
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog, GlyphRow, ImageRow
from captcha_lab.store.catalog.labels import LabelLog, Place
from captcha_lab.store.images import decode
from captcha_lab.store.packed.packed import (
    SPLITS,
    UNLABELLED,
    PackedSet,
    mark_duplicates,
    packed_info,
    write_packed,
)
from captcha_lab.store.workspace import DatasetFolder

POSITIONS = 256  # a packed row's source is image id * POSITIONS + position
VALIDATION_SHARE = TEST_SHARE = 0.1
BATCH = 256  # captchas in memory at a time while segmenting


def silent(done: int, total: int) -> None:
    """A progress callback that shows nothing."""


@dataclass(frozen=True)
class SegmentReport:
    """What cutting found: captchas cut, cells, and the number of cells under each flag of `segment.inspect`."""

    captchas: int
    cells: int
    flagged: dict[str, int] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class GlyphTable:
    """All glyphs of a dataset in memory: places (image id, position) and uint8 pixels [M, size, size]."""

    places: tuple[Place, ...]
    images: np.ndarray
    flags: tuple[str, ...]


def segmenter_of(catalog: Catalog, default: Segmenter | None = None) -> Segmenter:
    """The segmenter the dataset was last cut with, else the default one."""
    stored = catalog.get_meta("segmenter")
    return Segmenter.from_dict(json.loads(stored)) if stored else default or Segmenter()


def alphabet_of(catalog: Catalog, configured: str = "") -> Alphabet:
    """The workspace's alphabet where configured, else the dataset's, else the thesis's."""
    return Alphabet(configured or catalog.get_meta("alphabet") or Alphabet().characters)


def captchas(
    folder: DatasetFolder, rows: list[ImageRow], problems: list[str] | None = None
) -> Iterator[tuple[ImageRow, np.ndarray]]:
    """The pixels of images, one by one: uint8 [H, W] or [H, W, 3].

    Raises:
        CaptchaLabError: a blob is missing or damaged, unless `problems` is given to collect the messages.
    """
    blobs = BlobStore(folder.blobs)
    for row in rows:
        try:
            yield row, decode(blobs.get(row.sha256, row.extension))
        except CaptchaLabError as error:
            if problems is None:
                raise
            problems.append(str(error))


def segment_dataset(
    folder: DatasetFolder, segmenter: Segmenter, progress: Progress = silent, *, only_new: bool = False
) -> SegmentReport:
    """Cut the dataset's captchas (all, or those not cut this way yet) and remember the cells.

    Raises:
        CaptchaLabError: there is no dataset.
        UsageError: a captcha is narrower than it has cells.
    """
    with Catalog(folder.catalog_path, create=False) as catalog:
        rows = catalog.unsegmented(segmenter.version) if only_new else catalog.images()
        problems: list[str] = []
        flagged: Counter[str] = Counter()
        done = cells = 0
        for start in range(0, len(rows), BATCH):
            glyphs: list[GlyphRow] = []
            for row, image in captchas(folder, rows[start : start + BATCH], problems):
                flags = segmenter.flags(image[None])[0]
                for position, (box, flag) in enumerate(
                    zip(segmenter.boxes(row.width, row.height), flags, strict=True)
                ):
                    glyphs.append(GlyphRow(row.id, position, segmenter.version, *box, flag))
                    flagged.update(flag.split())
                done += 1
            catalog.put_glyphs(glyphs)
            cells += len(glyphs)
            progress(min(start + BATCH, len(rows)), len(rows))
        catalog.set_meta("segmenter", json.dumps(segmenter.to_dict()))
        return SegmentReport(done, cells, dict(flagged), tuple(problems))


def read_glyphs(folder: DatasetFolder, progress: Progress = silent) -> GlyphTable:
    """Every glyph the catalog knows of, cut anew from the received bytes by the dataset's segmenter.

    Raises:
        CaptchaLabError: there is no dataset, or a blob is missing or damaged.
    """
    with Catalog(folder.catalog_path, create=False) as catalog:
        segmenter = segmenter_of(catalog)
        cells: dict[int, list[GlyphRow]] = {}
        for cell in catalog.glyphs():
            cells.setdefault(cell.image_id, []).append(cell)
        rows = [row for row in catalog.images() if row.id in cells]
        places: list[Place] = []
        flags: list[str] = []
        blocks: list[np.ndarray] = []
        for start in range(0, len(rows), BATCH):
            batch = list(captchas(folder, rows[start : start + BATCH]))
            blocks.append(segmenter.cut_all([image for _, image in batch]).reshape(-1, *[segmenter.size] * 2))
            for row, _ in batch:
                places += [(row.id, cell.position) for cell in cells[row.id]]
                flags += [cell.flags for cell in cells[row.id]]
            progress(min(start + BATCH, len(rows)), len(rows))
        images = np.concatenate(blocks) if blocks else np.empty((0, segmenter.size, segmenter.size), np.uint8)
        return GlyphTable(tuple(places), images, tuple(flags))


def split_of(image: ImageRow, seed: int) -> int:
    """Index into `SPLITS`, the same however many captchas join later.

    A split fixed by the source stays, but for validation captchas taken out of its training ones.
    """
    draw = int.from_bytes(hashlib.sha256(f"{seed} {image.sha256}".encode()).digest()[:8], "big") / 2**64
    if image.split in (None, "train"):
        if draw < VALIDATION_SHARE:
            return SPLITS.index("validation")
        if draw < VALIDATION_SHARE + TEST_SHARE and image.split is None:
            return SPLITS.index("test")
        return SPLITS.index("train")
    return SPLITS.index(image.split)


def pack(
    folder: DatasetFolder, configured_alphabet: str = "", seed: int = 0, progress: Progress = silent
) -> PackedSet:
    """Glyphs, labels and split of a dataset in one set; written to its packed file unless that is up to date.

    Cells marked "not a glyph" are left out.

    Raises:
        CaptchaLabError: there is no dataset or nothing in it is cut; a label is outside the alphabet.
    """
    with Catalog(folder.catalog_path, create=False) as catalog:
        log = LabelLog(catalog)
        alphabet = alphabet_of(catalog, configured_alphabet)
        rows = {row.id: row for row in catalog.images()}
        info = {
            "dataset": folder.name,
            "kind": "captcha",
            "alphabet": alphabet.characters,
            "label_revision": log.revision,
            "segmenter": segmenter_of(catalog).to_dict(),
            "split_seed": seed,
            "captchas": len(rows),
        }
        labels = log.current()
    table = read_glyphs(folder, progress)
    if not table.places:
        raise CaptchaLabError(
            f"No captcha of dataset {folder.name} is cut into glyphs yet: run `captcha-lab segment`."
        )
    keep = [k for k, place in enumerate(table.places) if place not in labels or labels[place].value != ""]
    places = [table.places[k] for k in keep]
    images = table.images[keep]
    split = np.array([split_of(rows[image_id], seed) for image_id, _ in places], np.uint8)
    data = PackedSet(
        images=images,
        split=split,
        labels=np.array(
            [_label(labels[p].value, alphabet, p) if p in labels else UNLABELLED for p in places], np.int16
        ),
        source=np.array([image_id * POSITIONS + position for image_id, position in places], np.int64),
        # Ink differs in grey from captcha to captcha: what repeats is the shape.
        duplicate=mark_duplicates(images < 255, split),
        classes=tuple(alphabet),
        info=info,
    )
    if packed_info(folder.packed_path) != info:
        write_packed(folder.packed_path, data)
    return data


def _label(value: str, alphabet: Alphabet, place: Place) -> int:
    if value not in alphabet:
        raise CaptchaLabError(
            f"Captcha {place[0]} is labelled {value!r} at position {place[1] + 1}, which is not in the alphabet "
            f"{alphabet.characters}: name the whole alphabet in captcha-lab.toml, or label it again."
        )
    return alphabet.index(value)


class Captcha:
    """The catalog beside the packed file; nothing but the catalog is a source."""

    name = "captcha"
    summary = "nothing: the dataset's own catalog is packed"
    embedded: str | None = "the captchas in the dataset's catalog"
    options: tuple[str, ...] = ()
    embedded_options: tuple[str, ...] = ()

    def prepare(
        self, source: Path | None, target: Path, options: PrepareOptions, progress: Progress
    ) -> PrepareReport:
        """See `DatasetModule.prepare`."""
        if source is not None:
            raise CaptchaLabError("Captchas come in by `captcha-lab scrape` or `captcha-lab import`.")
        started = time.perf_counter()
        data = pack(DatasetFolder(target.parent), seed=options.seed, progress=progress)
        return PrepareReport(
            target,
            self.name,
            len(data),
            data.images.shape[1:],
            count_splits(data.split),
            classes=len(data.classes),
            seconds=time.perf_counter() - started,
        )


DATASET = Captcha()
