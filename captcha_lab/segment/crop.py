"""From cells to glyphs: the one function that crops, whatever found the cells."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_lab.segment.method import Box

MOST_SIDE = 2000  # pixels of a square that a cell is laid on


def by_shape(images: Sequence[np.ndarray]) -> list[list[int]]:
    """Numbers of the images, those of one shape together, so that they can be worked on as one array."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, image in enumerate(images):
        groups.setdefault(image.shape, []).append(row)
    return list(groups.values())


def crop(white: NDArray[np.uint8], cells: Sequence[Sequence[Box]], size: int, fit: str) -> NDArray[np.uint8]:
    """The cells of whitened captchas of one size, each fitted to a square.

    Args:
        white: uint8 [N, H, W], paper 255.
        cells: the boxes of each captcha; a box is cut off where it leaves the picture.
        size: side of the square in pixels.
        fit: "pad" centres the cell on a white square first, "stretch" changes its proportions.

    Returns:
        uint8 [M, size, size], the cells of all captchas in order.
    """
    height, width = white.shape[1:]
    first = cells[0] if cells else ()
    plain = all(
        x1 - x0 == y1 - y0 == size and min(x0, y0) >= 0 and x1 <= width and y1 <= height
        for x0, y0, x1, y1 in first
    )
    if plain and all(own == first for own in cells):
        # Cells of the network's own size at the same place in all captchas need no scaling: slices of the array.
        out = np.empty((len(white), len(first), size, size), np.uint8)
        for k, (x0, y0, x1, y1) in enumerate(first):
            out[:, k] = white[:, y0:y1, x0:x1]
        return out.reshape(-1, size, size)
    glyphs = [
        fit_square(image[max(y0, 0) : y1, max(x0, 0) : x1], size, fit)
        for image, own in zip(white, cells, strict=True)
        for x0, y0, x1, y1 in own
    ]
    return np.stack(glyphs) if glyphs else np.empty((0, size, size), np.uint8)


def fit_square(cell: NDArray[np.uint8], size: int, fit: str = "pad") -> NDArray[np.uint8]:
    """One cell, uint8 [h, w], on a square [size, size] (see `crop`); shrinks by area, grows by cubic.

    A cell without pixels is paper.
    """
    height, width = cell.shape
    if not height or not width:
        return np.full((size, size), 255, np.uint8)
    if fit == "pad" and height != width:
        side = max(height, width)
        if side > MOST_SIDE:  # a line of 60,000 pixels would lie on a square of gigabytes
            width, height = (max(1, n * MOST_SIDE // side) for n in (width, height))
            cell = cv2.resize(cell, (width, height), interpolation=cv2.INTER_AREA).astype(
                np.uint8, copy=False
            )
            side = MOST_SIDE
        top, left = (side - height) // 2, (side - width) // 2
        cell = cv2.copyMakeBorder(
            cell, top, side - height - top, left, side - width - left, cv2.BORDER_CONSTANT, value=255
        ).astype(np.uint8, copy=False)
    if cell.shape == (size, size):
        return cell
    shrinks = max(cell.shape) > size
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(cell, (size, size), interpolation=interpolation).astype(np.uint8, copy=False)
