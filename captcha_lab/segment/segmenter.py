"""The segmenter: how captchas are whitened and cut into glyphs, as one value that models carry with them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from captcha_lab.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Segmenter:
    """Whiten at a threshold, cut into equal cells, fit each cell to the network's square.

    Raises:
        UsageError: a value is impossible.
    """

    glyphs: int = 4  # cells per captcha
    threshold: str | int = "otsu"  # "otsu", or the highest grey level 0 … 254 that still counts as ink
    binary: bool = False  # ink becomes 0 instead of keeping its grey
    size: int = 20  # side of a glyph in pixels
    fit: str = "pad"  # "pad" keeps the cell's proportions on a white square, "stretch" does not

    def __post_init__(self) -> None:
        if self.glyphs < 1:
            raise UsageError(f"--glyphs is {self.glyphs}, but a captcha has at least 1 glyph.")
        if self.threshold != "otsu" and not (isinstance(self.threshold, int) and 0 <= self.threshold <= 254):
            raise UsageError(f"--threshold is {self.threshold!r}: give 'otsu' or a grey level from 0 to 254.")
        if self.size < 8:
            raise UsageError(f"--size is {self.size}: glyphs smaller than 8 pixels can't be read.")
        if self.fit not in ("pad", "stretch"):
            raise UsageError(f"--fit is {self.fit!r}: choose 'pad' or 'stretch'.")

    @property
    def version(self) -> str:
        """What the catalog stores beside each cell; the leading name changes when the algorithm does."""
        return "quarter-1 " + " ".join(f"{key}={value}" for key, value in asdict(self).items())

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Segmenter:
        """The segmenter a model's metadata or a catalog names (see `to_dict`)."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def cut(self, images: np.ndarray) -> np.ndarray:
        """Glyphs of captchas of one size.

        Args:
            images: uint8 [N, H, W] grey or [N, H, W, 3] RGB, dark ink on light paper.

        Returns:
            uint8 [N, glyphs, size, size]; paper is 255.

        Raises:
            UsageError: the captchas are narrower than they have cells.
        """
        from captcha_lab.segment import quarter, threshold

        white = threshold.whiten(threshold.to_grey(images), self.threshold, binary=self.binary)
        return quarter.cells(white, self.glyphs, self.size, self.fit)

    def cut_all(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Glyphs of captchas of any sizes: a sequence of uint8 [H, W] or [H, W, 3] to [N, glyphs, size, size]."""
        import numpy as np

        glyphs = np.empty((len(images), self.glyphs, self.size, self.size), np.uint8)
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for row, image in enumerate(images):
            by_shape.setdefault(image.shape, []).append(row)
        for rows in by_shape.values():
            glyphs[rows] = self.cut(np.stack([images[row] for row in rows]))
        return glyphs

    def boxes(self, width: int, height: int) -> list[tuple[int, int, int, int]]:
        """The cells of a captcha of that size as (x0, y0, x1, y1), x1 and y1 exclusive, in pixels.

        Raises:
            UsageError: the captcha is narrower than it has cells.
        """
        from captcha_lab.segment.quarter import boundaries

        edges = boundaries(width, self.glyphs)
        return [(x0, 0, x1, height) for x0, x1 in itertools.pairwise(edges)]

    def flags(self, images: np.ndarray) -> list[list[str]]:
        """What went wrong in each cell, [N][glyphs]: see `inspect.flags`. Arguments as in `cut`."""
        from captcha_lab.segment import inspect, threshold

        white = threshold.whiten(threshold.to_grey(images), self.threshold)
        return [inspect.flags(image < 255, self.glyphs) for image in white]
