"""Grey levels: colour to grey, and paper to white."""

from __future__ import annotations

import cv2
import numpy as np
from skimage.filters import threshold_otsu

_LEVELS = np.arange(256)


def to_grey(images: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W] from grey [N, H, W] (returned as it is) or RGB [N, H, W, 3], by ITU-R BT.601 luma."""
    if images.ndim == 3:
        return images
    count, height, width, _ = images.shape
    # One tall picture is one call instead of N.
    tall = cv2.cvtColor(np.ascontiguousarray(images).reshape(count * height, width, 3), cv2.COLOR_RGB2GRAY)
    return tall.reshape(count, height, width)


def ink_levels(grey: np.ndarray, threshold: str | int) -> np.ndarray:
    """The highest grey level that counts as ink, int [N], for uint8 [N, H, W].

    "otsu" maximises the variance between ink and paper, per image (Otsu 1979); an image of one single
    level has no ink, and gets -1.
    """
    if threshold != "otsu":
        return np.full(len(grey), int(threshold))
    levels = np.empty(len(grey), int)
    for row, image in enumerate(grey):
        counts = np.bincount(image.ravel(), minlength=256)
        used = np.flatnonzero(counts)
        if len(used) < 2:
            levels[row] = -1
            continue
        first, last = used[0], used[-1] + 1
        levels[row] = threshold_otsu(hist=(counts[first:last], _LEVELS[first:last]))
    return levels


def whiten(grey: np.ndarray, threshold: str | int = "otsu", *, binary: bool = False) -> np.ndarray:
    """Paper (above the threshold) becomes 255; ink keeps its grey, as the thesis did, or becomes 0.

    Args:
        grey: uint8 [N, H, W].
        threshold: see `ink_levels`.
        binary: make the result two-valued.

    Returns:
        uint8 [N, H, W], a new array.
    """
    paper = grey > ink_levels(grey, threshold)[:, None, None]
    return np.where(paper, np.uint8(255), np.uint8(0) if binary else grey)


def is_ink(white: np.ndarray) -> np.ndarray:
    """Where whitened captchas have ink: uint8 [..., H, W] to bool of the same shape."""
    return white < 255
