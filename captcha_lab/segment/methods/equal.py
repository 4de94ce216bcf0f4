"""Equal cells: the thesis's quarters, for any number of them and any width."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from captcha_lab.segment.method import Box, Method


def boundaries(width: int, cells: int) -> list[int]:
    """The cells + 1 edges of equal cells in pixels, rounded half up where the width is not a multiple."""
    return [(2 * k * width + cells) // (2 * cells) for k in range(cells + 1)]


def boxes(ink: NDArray[np.bool_], count: int | None) -> list[Box]:
    """`count` equal cells of the picture's height; none where it has fewer pixels than cells."""
    height, width = ink.shape
    if count is None or not 0 < count <= width:
        return []
    return [(x0, 0, x1, height) for x0, x1 in itertools.pairwise(boundaries(width, count))]


METHOD = Method("equal", "quarter-1", "equal cells side by side", boxes, by_size=True)
