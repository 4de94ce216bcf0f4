"""Equal cells: the thesis's quarters, for any number of them and any width."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from captcha_lab.errors import UsageError


def boundaries(width: int, cells: int) -> list[int]:
    """The cells + 1 edges of equal cells in pixels, rounded half up where the width is not a multiple.

    Raises:
        UsageError: there are more cells than pixels.
    """
    if cells > width:
        raise UsageError(f"A captcha {width} pixels wide can't be cut into {cells} cells: lower --glyphs.")
    return [(2 * k * width + cells) // (2 * cells) for k in range(cells + 1)]


def cells(white: np.ndarray, count: int, size: int, fit: str = "pad") -> np.ndarray:
    """Cut whitened captchas into `count` cells and fit each to a square.

    Args:
        white: uint8 [N, H, W], paper 255.
        count: cells per captcha.
        size: side of the square in pixels.
        fit: "pad" centres the cell on a white square first, "stretch" changes its proportions.

    Returns:
        uint8 [N, count, size, size].

    Raises:
        UsageError: there are more cells than pixels.
    """
    number, height, width = white.shape
    edges = boundaries(width, count)
    if width == count * size and height == size:  # already the network's size: a view, no copying of pixels
        return white.reshape(number, size, count, size).swapaxes(1, 2)
    out = np.empty((number, count, size, size), np.uint8)
    for k, (x0, x1) in enumerate(itertools.pairwise(edges)):
        for row in range(number):
            out[row, k] = fit_square(white[row, :, x0:x1], size, fit)
    return out


def fit_square(cell: np.ndarray, size: int, fit: str = "pad") -> np.ndarray:
    """One cell, uint8 [h, w], on a square [size, size] (see `cells`); shrinks by area, grows by cubic."""
    height, width = cell.shape
    if fit == "pad" and height != width:
        side = max(height, width)
        top, left = (side - height) // 2, (side - width) // 2
        cell = cv2.copyMakeBorder(
            cell, top, side - height - top, left, side - width - left, cv2.BORDER_CONSTANT, value=255
        )
    if cell.shape == (size, size):
        return cell
    shrinks = max(cell.shape) > size
    return cv2.resize(cell, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
