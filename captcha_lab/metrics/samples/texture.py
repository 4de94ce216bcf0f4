"""Texture: are samples as sharp as real images, blurred, or speckled?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import UsageError
from captcha_lab.metrics.samples.measure import Measure
from captcha_lab.metrics.samples.subjects import PixelSets, RealPixels


def roughness(images: NDArray[np.uint8]) -> float:
    """Mean absolute difference of inner pixels from the mean of their four neighbours, in [0, 1].

    This is a quarter of the discrete Laplacian: blur lowers it, speckle raises it. Images uint8 [N, H, W] or
    [N, H, W, C] of at least 3x3 pixels; a thousand are converted at a time.

    Raises:
        UsageError: no images, or smaller ones.

    >>> speckle = np.full((1, 3, 3), 255, np.uint8)
    >>> speckle[0, 1, 1] = 0
    >>> roughness(speckle)
    1.0
    """
    if not len(images) or min(images.shape[1:3]) < 3:
        raise UsageError(f"Roughness needs images of at least 3x3 pixels, not {images.shape}.")
    total, count = 0.0, 0
    for start in range(0, len(images), 1000):
        x = images[start : start + 1000].astype(np.float32) / 255
        around = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
        detail = np.abs(x[:, 1:-1, 1:-1] - around / 4)
        total += float(detail.sum(dtype=np.float64))
        count += detail.size
    return total / count


def _real(real: RealPixels) -> float:
    return roughness(real.reference)


def _of(sets: PixelSets) -> float:
    usual = sets.real.once(_real)
    return roughness(sets.samples) / usual if usual > 0 else float("nan")


MEASURES = (
    Measure(
        "roughness", "Roughness", "Fine detail over that of real images: below 1 blurred, above 1 speckled.",
        PixelSets, _of, "baseline", "ratio", "detail",
    ),
)  # fmt: skip
