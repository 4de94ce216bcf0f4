"""A dataset for programs: numpy sees its arrays, torch's `DataLoader` its pairs, a notebook its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import UsageError
from captcha_lab.plot import Plot, picture_html, pictures_plot
from captcha_lab.store.packed.packed import SPLITS, PackedSet
from captcha_lab.store.packed.texts import TextSet

SHOWN = 32  # pictures in a notebook
LARGE = 48  # pixels of height below which they are shown twice as large
PAPER = 255


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet:
    """Pictures with their labels; `dataset[k]` is a picture and its label, as torch's `DataLoader` wants it.

    Attributes:
        name: of the dataset.
        images: uint8 [N, H, W] or RGB [N, H, W, 3]; captchas of several sizes are padded with white.
        labels: the N texts of captchas, else class numbers int64 [N], -1 where there is no label.
        classes: names of the classes, or the characters of the texts.
        split: uint8 [N]: 0 train, 1 validation, 2 test.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | tuple[str, ...]
    classes: tuple[str, ...]
    split: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[NDArray[np.uint8], str | int]:
        label = self.labels[row]
        return self.images[row], label if isinstance(label, str) else int(label)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.images, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.images.shape[1:]))
        counts = f"{len(self)} pictures of {shape}, {int(self.labelled.sum())} labelled, {len(self.classes)} classes"
        return f"ImageSet({self.name}: {counts})"

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which rows have a label: bool [N]."""
        if isinstance(self.labels, tuple):
            return np.array([bool(text) for text in self.labels], bool)
        return self.labels >= 0

    def part(self, split: str, *, labelled: bool = False) -> ImageSet:
        """One split (train, validation or test); of it only what is labelled, where asked.

        Raises:
            UsageError: there is no such split.
        """
        if split not in SPLITS:
            raise UsageError(f"There is no split {split!r}: choose one of {', '.join(SPLITS)}.")
        rows = self.split == SPLITS.index(split)
        if labelled:
            rows &= self.labelled
        return self._take(np.flatnonzero(rows))

    def _take(self, rows: NDArray[np.integer]) -> ImageSet:
        whole = isinstance(self.labels, tuple)
        labels: Any = tuple(self.labels[k] for k in rows) if whole else np.asarray(self.labels)[rows]
        return ImageSet(self.name, self.images[rows], labels, self.classes, self.split[rows])

    def _label(self, row: int) -> str:
        label = self.labels[row]
        if isinstance(label, str):
            return label
        return self.classes[label] if 0 <= label < len(self.classes) else ""

    def plot(self, count: int = 16, columns: int = 8) -> Plot:
        """The first pictures with their labels, `columns` in a row.

        Raises:
            CaptchaLabError: matplotlib is not installed.
            UsageError: fewer than one picture or column.
        """
        if count < 1:
            raise UsageError("Give at least 1 picture and 1 column.")
        count = min(count, len(self))
        return pictures_plot(
            [self.images[k] for k in range(count)], [self._label(k) for k in range(count)], columns
        )

    def _repr_html_(self) -> str:
        """The first pictures with their labels, for notebooks."""
        from html import escape

        from captcha_lab.store.images import encode

        scale = 2 if self.images.shape[1:2] < (LARGE,) else 1
        shown = range(min(len(self), SHOWN))
        cells = [picture_html(encode(self.images[k]), self._label(k), scale=scale) for k in shown]
        return f"<p>{escape(repr(self))}</p>{''.join(cells)}"


def of_packed(name: str, data: PackedSet) -> ImageSet:
    """Glyphs, digits or faces as a set."""
    labels = np.full(len(data), -1, np.int64) if data.labels is None else np.asarray(data.labels, np.int64)
    return ImageSet(name, np.asarray(data.images), labels, data.classes, np.asarray(data.split))


def of_texts(name: str, data: TextSet) -> ImageSet:
    """Whole captchas as a set; of several sizes, each stands at the upper left of the largest."""
    return ImageSet(name, _padded(data.images), data.texts, data.alphabet, data.split)


def _padded(images: Sequence[np.ndarray]) -> NDArray[np.uint8]:
    if not images:
        return np.empty((0, 0, 0), np.uint8)
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    colour = any(image.ndim == 3 for image in images)
    padded = np.full((len(images), height, width, *([3] if colour else [])), PAPER, np.uint8)
    for target, image in zip(padded, images, strict=True):
        drawn = image[..., None] if colour and image.ndim == 2 else image
        target[: image.shape[0], : image.shape[1]] = drawn
    return padded
