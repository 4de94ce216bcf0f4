"""The text view of a captcha set: whole pictures with their texts, in one HDF5 file; never the only copy."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.files import atomic_path
from captcha_lab.store.packed.packed import SPLITS, new_hdf5
from captcha_lab.store.packed.safe import open_hdf5

SCHEMA_VERSION = 2
PADDED = 1  # the version of before, which is still read
PADDING = -1  # in `/text` after the last character


@dataclass(frozen=True)
class TextSet:
    """Captchas with their texts.

    Attributes:
        images: uint8 [H, W] or RGB [H, W, 3] each, of any sizes, as received.
        texts: of each captcha; empty where it has no label.
        split: uint8 [N], index into `SPLITS`; the same as in the glyph view.
        image_ids: int64 [N], numbers in the catalog.
        duplicate: uint8 [N], 1 where the same picture stands in an earlier split or earlier row of the same one.
        info: facts kept with the file (dataset, label revision, split seed, …).
    """

    images: Sequence[np.ndarray]
    texts: tuple[str, ...]
    split: NDArray[np.uint8]
    image_ids: NDArray[np.int64]
    duplicate: NDArray[np.uint8]
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def alphabet(self) -> tuple[str, ...]:
        """The characters of all texts, in code-point order."""
        return tuple(sorted(set("".join(self.texts))))

    def take(self, rows: Sequence[int] | NDArray[Any]) -> TextSet:
        """The given rows (numbers or a bool mask [N]), everything else as it is."""
        chosen = np.arange(len(self))[np.asarray(rows, None if len(rows) else np.int64)]
        return TextSet(
            [self.images[k] for k in chosen],
            tuple(self.texts[k] for k in chosen),
            self.split[chosen],
            self.image_ids[chosen],
            self.duplicate[chosen],
            self.info,
        )

    def part(self, split: str, *, labelled: bool = True, distinct: bool = False) -> TextSet:
        """One split: its labelled captchas or all of them; only pictures that occur nowhere earlier, where asked."""
        rows = self.split == SPLITS.index(split)
        if labelled:
            rows &= np.array([bool(text) for text in self.texts], bool)
        if distinct:
            rows &= self.duplicate == 0
        return self.take(rows)

    def labelled(self) -> TextSet:
        """The captchas that have a text."""
        return self.take(np.array([bool(text) for text in self.texts], bool))


def write_texts(path: Path, data: TextSet) -> None:
    """Write a text view: to a temporary file, reopened, verified, renamed.

    `/pixels` uint8 holds all pictures one after another, whose sizes `/height`, `/width` and `/colour` give: padded to
    the largest, a single picture of 60,000 x 10 pixels among ordinary ones took gigabytes. `/text` int32 [N, L] holds
    code points, padded with -1.

    Raises:
        CaptchaLabError: the disk refuses, or what was read back differs.
    """
    flat = [np.ascontiguousarray(image).reshape(-1) for image in data.images]
    codes = np.full((len(data), max(map(len, data.texts), default=0)), PADDING, np.int32)
    for row, text in enumerate(data.texts):
        codes[row, : len(text)] = [ord(character) for character in text]
    with atomic_path(path) as temporary:
        with new_hdf5(temporary) as file:
            columns = {
                "pixels": np.concatenate([np.empty(0, np.uint8), *flat]),
                "height": np.array([image.shape[0] for image in data.images], np.int32),
                "width": np.array([image.shape[1] for image in data.images], np.int32),
                "colour": np.array([image.ndim == 3 for image in data.images], np.uint8),
                "text": codes,
                "length": np.array([len(text) for text in data.texts], np.int32),
                "split": data.split,
                "image": data.image_ids,
                "duplicate": data.duplicate,
            }
            for name, column in columns.items():
                file.create_dataset(name, data=column)
            file.attrs["schema_version"] = SCHEMA_VERSION
            file.attrs["info"] = json.dumps(data.info, sort_keys=True)
        again = read_texts(temporary)
        same = again.texts == data.texts and all(
            np.array_equal(a, b) for a, b in zip(again.images, data.images, strict=True)
        )
        if not same:
            raise CaptchaLabError(f"{path} read back differently from what was written; try again.")


def read_texts(path: Path) -> TextSet:
    """The whole text view in memory.

    Raises:
        CaptchaLabError: the file is absent or damaged; it is rebuildable.
    """
    try:
        with open_hdf5(path) as file:
            if file.attrs.get("schema_version") not in (PADDED, SCHEMA_VERSION):
                raise ValueError(f"schema version {file.attrs.get('schema_version')!r}")
            read = {name: file[name][()] for name in file}
            info = json.loads(file.attrs["info"])
        sizes = list(zip(*(read[name].tolist() for name in ("height", "width", "colour")), strict=True))
        images = _of_padded(read["images"], sizes) if "images" in read else _of_flat(read["pixels"], sizes)
        texts = tuple(
            "".join(map(chr, codes[:length]))
            for codes, length in zip(read["text"].tolist(), read["length"].tolist(), strict=True)
        )
        return TextSet(images, texts, read["split"], read["image"], read["duplicate"], info)
    except (CaptchaLabError, OSError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise CaptchaLabError(
            f"The packed texts {path} can't be read ({error}). They are rebuildable: delete the file and run the "
            "command again."
        ) from error


def _of_flat(pixels: np.ndarray, sizes: Sequence[tuple[int, int, int]]) -> list[np.ndarray]:
    shapes = [(height, width, 3) if colour else (height, width) for height, width, colour in sizes]
    ends = np.cumsum([0, *map(math.prod, shapes)])
    if pixels.ndim != 1 or ends[-1] != len(pixels) or any(min(shape) < 0 for shape in shapes):
        raise ValueError("its pictures are not of the sizes it says")
    return [
        pixels[start:end].reshape(shape).copy()
        for start, end, shape in zip(ends, ends[1:], shapes, strict=False)
    ]


def _of_padded(pixels: np.ndarray, sizes: Sequence[tuple[int, int, int]]) -> list[np.ndarray]:
    """As files made before hold them."""
    return [
        (padded[:height, :width] if colour or padded.ndim == 2 else padded[:height, :width, 0]).copy()
        for padded, (height, width, colour) in zip(pixels, sizes, strict=True)
    ]


def texts_info(path: Path) -> dict[str, Any] | None:
    """The facts of a text view, or None where there is none that can be read (it is rebuildable)."""
    try:
        with open_hdf5(path) as file:
            value = json.loads(file.attrs["info"])
            return value if isinstance(value, dict) else None
    except CaptchaLabError:
        return None
