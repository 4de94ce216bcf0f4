"""Captchas: the catalog's pictures and texts, packed for training as glyphs and as whole pictures."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from captcha_lab.alphabet import Alphabet
from captcha_lab.datasets.base import PrepareOptions, PrepareReport, Progress, count_splits
from captcha_lab.datasets.cutting import captchas, read_glyphs, segmenter_of, silent
from captcha_lab.datasets.facts import alphabet_of
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog, Place
from captcha_lab.store.catalog.rows import ImageRow
from captcha_lab.store.packed.packed import (
    SPLITS,
    UNLABELLED,
    PackedSet,
    mark_duplicates,
    packed_info,
    write_packed,
)
from captcha_lab.store.packed.texts import TextSet, read_texts, texts_info, write_texts
from captcha_lab.store.workspace import DatasetFolder

VALIDATION_SHARE = TEST_SHARE = 0.1
VIEW = 2  # version of the packed views; files of another are packed again


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


def pack_glyphs(
    folder: DatasetFolder,
    configured_alphabet: str = "",
    seed: int = 0,
    progress: Progress = silent,
    problems: list[str] | None = None,
) -> PackedSet:
    """The glyph view: glyphs, labels and split in one set; written to its packed file unless that is up to date.

    Cells marked "not a glyph" are left out, and so are those of captchas that no person can read. Captchas whose
    picture is missing or damaged are left out and named in `problems`.

    Raises:
        CaptchaLabError: there is no dataset or nothing in it is cut; a label is outside the configured alphabet.
    """
    with Catalog(folder.catalog_path, create=False) as catalog:
        log = LabelLog(catalog)
        alphabet = alphabet_of(catalog, configured_alphabet)
        rows = {row.id: row for row in catalog.images()}
        info = _info(folder, log, seed, rows.values()) | {
            "alphabet": alphabet.characters,
            "segmenter": segmenter_of(catalog).to_dict(),
        }
        labels, texts = log.current(), log.text_labels()
    table = read_glyphs(folder, progress)
    if problems is not None:
        problems += table.problems
    if not table.places:
        raise CaptchaLabError(
            f"No picture of dataset {folder.name} can be read: {table.problems[0]}"
            if table.problems
            else f"No captcha of dataset {folder.name} is cut into glyphs yet: run `captcha-lab segment`."
        )
    unreadable = {image_id for image_id, label in texts.items() if not label.value}
    keep = [
        k
        for k, place in enumerate(table.places)
        if place[0] not in unreadable and (place not in labels or labels[place].value)
    ]
    places, images = [table.places[k] for k in keep], table.images[keep]
    split = np.array([split_of(rows[image_id], seed) for image_id, _ in places], np.uint8)
    data = PackedSet(
        images=images,
        split=split,
        labels=np.array(
            [_label(labels[p].value, alphabet, p) if p in labels else UNLABELLED for p in places], np.int16
        ),
        image=np.array([image_id for image_id, _ in places], np.int64),
        position=np.array([position for _, position in places], np.int64),
        # Ink differs in grey from captcha to captcha: what repeats is the shape.
        duplicate=mark_duplicates(images < 255, split),
        classes=tuple(alphabet),
        info=info,
    )
    if packed_info(folder.packed_path) != info:
        write_packed(folder.packed_path, data)
    return data


def load_texts(folder: DatasetFolder, seed: int = 0, problems: list[str] | None = None) -> TextSet:
    """The text view: whole pictures and their texts, with the same split as the glyph view; packed on first use.

    Pictures set aside or damaged, and captchas that no person can read, are left out; the damaged ones are named in
    `problems` when the view is packed.

    Raises:
        CaptchaLabError: there is no dataset, or the disk refuses.
    """
    with Catalog(folder.catalog_path, create=False) as catalog:
        log = LabelLog(catalog)
        labels = log.text_labels()
        rows = [row for row in catalog.images() if row.id not in labels or labels[row.id].value]
        info = _info(folder, log, seed, rows)
    if texts_info(folder.texts_path) == info:
        return read_texts(folder.texts_path)
    found: list[str] = []
    read = list(captchas(folder, rows, found))
    if rows and not read:
        raise CaptchaLabError(f"No picture of dataset {folder.name} can be read: {found[0]}")
    if problems is not None:
        problems += found
    split = np.array([split_of(row, seed) for row, _ in read], np.uint8)
    data = TextSet(
        images=[image for _, image in read],
        texts=tuple(labels[row.id].value if row.id in labels else "" for row, _ in read),
        split=split,
        image_ids=np.array([row.id for row, _ in read], np.int64),
        duplicate=mark_duplicates([image for _, image in read], split),
        info=info,
    )
    write_texts(folder.texts_path, data)
    return data


def _info(folder: DatasetFolder, log: LabelLog, seed: int, rows: Collection[ImageRow]) -> dict[str, Any]:
    """What a packed view depends on, beside what is its own."""
    return {
        "dataset": folder.name,
        "kind": "captcha",
        "label_revision": log.revision,
        "split_seed": seed,
        "captchas": len(rows),
        "pictures": zlib.crc32(" ".join(str(row.id) for row in rows).encode()),
        "view": VIEW,
    }


def _label(value: str, alphabet: Alphabet, place: Place) -> int:
    if value not in alphabet:
        raise CaptchaLabError(
            f"Captcha {place[0]} is labelled {value!r} at position {place[1] + 1}, which is not in the alphabet "
            f"{alphabet.characters}: name the whole alphabet in captcha-lab.toml or remove it there, or label it again."
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
        data = pack_glyphs(DatasetFolder(target.parent), seed=options.seed, progress=progress)
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
