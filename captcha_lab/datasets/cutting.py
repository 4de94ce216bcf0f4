"""Captchas of a dataset cut into glyphs: which way of cutting fits, the cuts in the catalog, glyphs read by them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from captcha_lab.datasets.base import Progress
from captcha_lab.datasets.facts import describe
from captcha_lab.errors import CaptchaLabError
from captcha_lab.segment import Segmenter
from captcha_lab.segment.method import Box, method_names
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog, Place
from captcha_lab.store.catalog.rows import GlyphRow, ImageRow
from captcha_lab.store.images import decode
from captcha_lab.store.workspace import DEFAULT_LENGTH, DatasetFolder

BATCH = 256  # captchas in memory at a time
PREVIEWED = 24  # captchas drawn for a preview
SAMPLE = 200  # captchas on which ways of cutting are compared
SMALLEST = 8  # pixels; a picture that is narrower or lower shows nothing that can be read
GOOD = (
    0.5  # share of clean cells from which equal cells are kept, because all glyphs then stand alike in them
)
BY_HAND = "segmenter_by_hand"  # in the catalog's settings: the segmenter was chosen by a person and stays


# Captchas and the numbers of their characters, where known, to their cells.
Finder = Callable[[Sequence[np.ndarray], Sequence[int | None]], list[list[Box]]]


class ReadCells(Protocol):
    """What is needed of a reading: where its characters stand."""

    @property
    def boxes(self) -> tuple[Box, ...] | None: ...  # noqa: D102


def silent(done: int, total: int) -> None:
    """A progress callback that shows nothing."""


@dataclass(frozen=True)
class SegmentReport:
    """What cutting found.

    Attributes:
        segmenter: how it was cut.
        captchas: captchas cut.
        cells: cells in all.
        flagged: number of cells under each flag of `segment.inspect`.
        aside: pictures that were set aside and why.
        unlike: labelled captchas whose cut has another number of cells than their text has characters.
        unreadable: what could not be decoded, and why.
    """

    segmenter: Segmenter
    captchas: int
    cells: int
    flagged: dict[str, int] = field(default_factory=dict)
    aside: dict[int, str] = field(default_factory=dict)
    unlike: int = 0
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class GlyphTable:
    """All glyphs of a dataset in memory: places (image id, position) and uint8 pixels [M, size, size].

    `problems` names the captchas that are left out because their picture is missing or damaged.
    """

    places: tuple[Place, ...]
    images: NDArray[np.uint8]
    flags: tuple[str, ...]
    problems: tuple[str, ...] = ()


def segmenter_of(catalog: Catalog, default: Segmenter | None = None) -> Segmenter:
    """The segmenter the dataset was last cut with, else the default one."""
    stored = catalog.get_meta("segmenter")
    return Segmenter.from_dict(json.loads(stored)) if stored else default or Segmenter()


def captchas(
    folder: DatasetFolder, rows: Sequence[ImageRow], problems: list[str] | None = None
) -> Iterator[tuple[ImageRow, np.ndarray]]:
    """The pixels of images, one by one: uint8 [H, W] or [H, W, 3].

    A blob that is missing or damaged is left out, and named in `problems`.
    """
    blobs = BlobStore(folder.blobs)
    for row in rows:
        try:
            yield row, decode(blobs.get(row.sha256, row.extension))
        except CaptchaLabError as error:
            if problems is not None:
                problems.append(f"captcha {row.id} ({row.sha256[:12]}.{row.extension}): {error}")


def choose_segmenter(folder: DatasetFolder, catalog: Catalog, configured_length: int = 0) -> Segmenter:
    """The way of cutting that fits the dataset's labels best.

    Where all texts have one length, that many cells; each method cuts a sample of labelled captchas, and equal cells
    are taken where they cut well, else the method with the largest share of clean cells (see `clean_share`). Without
    labels the configured length, or the thesis's four.
    """
    facts = describe(catalog)
    length = configured_length or facts.length
    if not facts.labelled:
        return Segmenter(glyphs=length or DEFAULT_LENGTH)
    texts = LabelLog(catalog).texts()
    read = _sample(folder, [row for row in catalog.images() if row.id in texts], SAMPLE)
    images = [image for _, image in read]
    counts = [len(texts[row.id]) for row, _ in read]
    candidates = [
        Segmenter(glyphs=length or 0, method=name)
        for name in sorted(method_names(), key=lambda name: name != "equal")
        if length or name != "equal"
    ]
    scores = [clean_share(candidate, images, counts) for candidate in candidates]
    equal = candidates[0].method == "equal" and scores[0] >= GOOD
    return candidates[0 if equal else int(np.argmax(scores))]


def check_segmenter(folder: DatasetFolder, catalog: Catalog, segmenter: Segmenter) -> None:
    """Raises CaptchaLabError where a segmenter finds no cell in any captcha of a sample."""
    images = [image for _, image in _sample(folder, catalog.images(), PREVIEWED)]
    if images and not any(segmenter.boxes(images)):
        raise CaptchaLabError(
            f"No captcha can be cut into {segmenter.glyphs or 'any number of'} cells by the method "
            f"{segmenter.method}: choose another --method or fewer --glyphs; nothing was changed. A reader of whole "
            "captchas needs no cut."
        )


def _sample(folder: DatasetFolder, rows: Sequence[ImageRow], count: int) -> list[tuple[ImageRow, np.ndarray]]:
    """At most so many captchas, spread over the rows."""
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)).tolist()
    return list(captchas(folder, [rows[k] for k in chosen]))


def clean_share(segmenter: Segmenter, images: Sequence[np.ndarray], counts: Sequence[int]) -> float:
    """Share of characters that have a cell of their own without any flag, 0 … 1.

    Args:
        segmenter: how to cut; it is not told the number of characters, for a reader is not either.
        images: captchas, as in `Segmenter.boxes`.
        counts: the number of characters of each.
    """
    boxes = segmenter.boxes(images)
    flags = segmenter.flags(images, boxes)
    clean = sum(own.count("") for own, count in zip(flags, counts, strict=True) if len(own) == count)
    return clean / max(1, sum(counts))


def segment_dataset(
    folder: DatasetFolder,
    segmenter: Segmenter,
    progress: Progress = silent,
    *,
    only_new: bool = False,
    by_hand: bool = False,
    find: Finder | None = None,
) -> SegmentReport:
    """Cut the dataset's captchas and remember the cells; a labelled captcha into as many as its text has characters.

    A cut that differs from the present one stays unseen until all captchas are cut, and then takes its place at once:
    interrupted, it goes on where it was. Pictures without ink or too small to be read are set aside, where nobody
    labelled them.

    Args:
        folder: of the dataset.
        segmenter: how to cut; with a number of cells of its own where the method is `equal`.
        progress: told (done, total) captchas.
        only_new: cut only captchas that have no such cut yet, and those whose label asks for another number of cells.
        by_hand: a person chose this segmenter: labels that come later do not change it.
        find: finds the cells where the segmenter cannot (see `reader_cells`).

    Raises:
        CaptchaLabError: there is no dataset.
    """
    with Catalog(folder.catalog_path, create=False) as catalog:
        same = catalog.get_meta("segmenter") == json.dumps(segmenter.to_dict())
        rows = catalog.images() if same and not only_new else catalog.unsegmented(segmenter.version)
        texts = LabelLog(catalog).texts()
        if same and only_new:
            rows = sorted({*rows, *_miscut(catalog, segmenter, texts)}, key=lambda row: row.id)
        problems: list[str] = []
        flagged: Counter[str] = Counter()
        aside: dict[int, str] = {}
        done = cells = 0
        for start in range(0, len(rows), BATCH):
            batch = list(captchas(folder, rows[start : start + BATCH], problems))
            useless = {
                row.id: why for row, image in batch if (why := useless_because(image)) and row.id not in texts
            }
            batch = [(row, image) for row, image in batch if row.id not in useless]
            found = _cut(segmenter, batch, texts, find)
            with catalog.transaction():
                for image_id, why in useless.items():
                    catalog.set_aside([image_id], why)
                catalog.put_cuts(segmenter.version, found, complete=same)
            aside |= useless
            for own in found.values():
                cells += len(own)
                flagged.update(flag for glyph in own for flag in glyph.flags.split())
            done += len(found)
            progress(min(start + BATCH, len(rows)), len(rows))
        with catalog.transaction():
            catalog.complete_cuts(segmenter.version)
            catalog.set_meta("segmenter", json.dumps(segmenter.to_dict()))
            catalog.set_meta(BY_HAND, "1" if by_hand or (same and catalog.get_meta(BY_HAND) == "1") else "")
        unlike = len(unlike_their_text(catalog, texts))
    return SegmentReport(segmenter, done, cells, dict(flagged), aside, unlike, tuple(problems))


def unlike_their_text(catalog: Catalog, texts: dict[int, str]) -> list[int]:
    """Labelled captchas whose cut has another number of cells than their text has characters."""
    return [k for k, cells in catalog.cuts().items() if k in texts and len(cells) != len(texts[k])]


def _miscut(catalog: Catalog, segmenter: Segmenter, texts: dict[int, str]) -> list[ImageRow]:
    wrong = set(miscut(catalog, segmenter, texts))
    return [row for row in catalog.images() if row.id in wrong]


def miscut(catalog: Catalog, segmenter: Segmenter, texts: dict[int, str]) -> list[int]:
    """Captchas to be cut again because their label came later, and the method can do with it what the label says.

    Equal cells and those that a reader sees are as many as they are; what could not be cut before cannot be now.
    """
    if segmenter.method in ("equal", "reader"):
        return []
    cuts = catalog.cuts()
    return [k for k in unlike_their_text(catalog, texts) if cuts[k]]


def useless_because(image: np.ndarray) -> str:
    """Why nobody could read a picture, uint8 [H, W] or [H, W, 3]; empty where there is something to be seen."""
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST:
        return f"too small: {width}x{height} pixels"
    return "blank: all pixels are alike" if (image == image[:1, :1]).all() else ""


def reader_cells(read: Callable[[Sequence[np.ndarray]], Sequence[ReadCells]]) -> Finder:
    """Cells as a reader of whole captchas sees the characters stand.

    A captcha has none where the reader sees another number of characters than its label has.
    """

    def find(images: Sequence[np.ndarray], counts: Sequence[int | None]) -> list[list[Box]]:
        seen = [list(reading.boxes or ()) for reading in read(images)]
        return [own if count in (None, len(own)) else [] for own, count in zip(seen, counts, strict=True)]

    return find


def _cut(
    segmenter: Segmenter,
    batch: Sequence[tuple[ImageRow, np.ndarray]],
    texts: dict[int, str],
    find: Finder | None,
) -> dict[int, list[GlyphRow]]:
    images = [image for _, image in batch]
    wanted = [len(texts[row.id]) if row.id in texts else None for row, _ in batch]
    if find is not None:
        boxes = find(images, wanted)
    else:
        boxes = segmenter.boxes(images, None if segmenter.method == "equal" else wanted)
    flags = segmenter.flags(images, boxes)
    return {
        row.id: [
            GlyphRow(row.id, position, segmenter.version, *box, flag)
            for position, (box, flag) in enumerate(zip(own, marks, strict=True))
        ]
        for (row, _), own, marks in zip(batch, boxes, flags, strict=True)
    }


def sample_cuts(folder: DatasetFolder) -> tuple[list[np.ndarray], list[list[Box]], Segmenter]:
    """Captchas spread over the dataset with their stored boxes, and the segmenter; for a preview.

    Raises:
        CaptchaLabError: there is no dataset.
    """
    with Catalog(folder.catalog_path, create=False) as catalog:
        cuts, segmenter = catalog.cuts(), segmenter_of(catalog)
        rows = [row for row in catalog.images() if row.id in cuts]
    read = _sample(folder, rows, PREVIEWED)
    boxes = [[(g.x0, g.y0, g.x1, g.y1) for g in cuts[row.id]] for row, _ in read]
    return [image for _, image in read], boxes, segmenter


def read_glyphs(folder: DatasetFolder, progress: Progress = silent) -> GlyphTable:
    """Every glyph of the dataset's complete cuts, cropped by the stored boxes.

    A captcha whose picture is missing or damaged is left out, and named in the table.

    Raises:
        CaptchaLabError: there is no dataset.
    """
    with Catalog(folder.catalog_path, create=False) as catalog:
        segmenter, cuts = segmenter_of(catalog), catalog.cuts()
        rows = [row for row in catalog.images() if cuts.get(row.id)]
    places: list[Place] = []
    flags: list[str] = []
    problems: list[str] = []
    blocks = [np.empty((0, segmenter.size, segmenter.size), np.uint8)]
    for start in range(0, len(rows), BATCH):
        batch = list(captchas(folder, rows[start : start + BATCH], problems))
        boxes = [[(g.x0, g.y0, g.x1, g.y1) for g in cuts[row.id]] for row, _ in batch]
        if batch:
            blocks.append(segmenter.crop([image for _, image in batch], boxes))
        for row, _ in batch:
            places += [(row.id, glyph.position) for glyph in cuts[row.id]]
            flags += [glyph.flags for glyph in cuts[row.id]]
        progress(min(start + BATCH, len(rows)), len(rows))
    return GlyphTable(tuple(places), np.concatenate(blocks), tuple(flags), tuple(problems))
