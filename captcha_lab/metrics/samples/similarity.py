"""Multi-scale structural similarity: for faces, how alike two random samples look."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from captcha_lab.errors import UsageError
from captcha_lab.metrics.samples.measure import Measure
from captcha_lab.metrics.samples.subjects import PixelSets

# Weights of the five scales, finest first (Wang, Simoncelli and Bovik 2003, section 3.2).
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2  # for pixels in [0, 1]


def scales_for(height: int, width: int) -> int:
    """How many of the five scales fit: the window must fit the image at the coarsest one (0: not even one).

    >>> scales_for(20, 20), scales_for(128, 128)
    (1, 4)
    """
    return sum(min(height, width) // 2**s >= _WINDOW for s in range(len(SCALE_WEIGHTS)))


def ms_ssim(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Multi-scale structural similarity of each pair of [N, H, W] or [N, H, W, C]: float64 [N], 1 is equal.

    Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality assessment", 2003, eq. 7;
    Gaussian window 11, sigma 1.5. On images too small for five scales the weights of those that fit are
    scaled to sum to 1 (128 pixels: four scales). A negative scale counts as 0.

    Raises:
        UsageError: shapes differ, or the images are smaller than the window.

    >>> picture = np.random.default_rng(0).integers(0, 256, (1, 32, 32), dtype=np.uint8)
    >>> ms_ssim(picture, picture)
    array([1.])
    """
    if first.shape != second.shape:
        raise UsageError(f"Images of shapes {first.shape} and {second.shape} cannot be compared.")
    count = scales_for(*first.shape[1:3])
    if count == 0:
        raise UsageError(f"Structural similarity needs images of at least {_WINDOW} pixels a side.")
    weights = np.array(SCALE_WEIGHTS[:count]) / sum(SCALE_WEIGHTS[:count])
    x, y = (_channels(images) for images in (first, second))
    result = np.ones(len(x))
    for scale, weight in enumerate(weights):
        similarity, contrast = _ssim(x, y)
        result *= np.clip(similarity if scale == count - 1 else contrast, 0.0, None) ** weight
        x, y = _halve(x), _halve(y)
    return result


def pair_similarity(images: NDArray[np.uint8], *, seed: int, pairs: int = 200) -> float:
    """Mean similarity of random pairs of different samples (Odena et al. 2017, section 4.2); lower: more diverse.

    Raises:
        UsageError: fewer than two images.
    """
    if len(images) < 2:
        raise UsageError("Similarity between samples needs at least two.")
    rng = np.random.default_rng(seed)
    first = rng.integers(0, len(images), pairs)
    second = (first + rng.integers(1, len(images), pairs)) % len(images)
    blocks = [ms_ssim(images[first[i : i + 16]], images[second[i : i + 16]]) for i in range(0, pairs, 16)]
    return float(np.concatenate(blocks).mean())


def _channels(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """float64 [N, H, W, C] in [0, 1]."""
    values = np.asarray(images, np.float64) / 255.0
    return values[..., None] if values.ndim == 3 else values


def _blur(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian window over whole neighbourhoods only: [N, H-10, W-10, C]."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    window = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    window /= window.sum()
    edge = _WINDOW // 2
    rows = correlate1d(images, window, axis=1)[:, edge:-edge]
    return np.asarray(correlate1d(rows, window, axis=2)[:, :, edge:-edge])


def _ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Full similarity and its contrast-structure part, averaged over an image: float64 [N] each."""
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    contrast = (2 * covariance + _C2) / (var_x + var_y + _C2)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return (luminance * contrast).mean(axis=(1, 2, 3)), contrast.mean(axis=(1, 2, 3))


def _halve(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over 2x2 pixels; an odd last row or column is dropped."""
    n, h, w, c = images.shape
    whole = images[:, : h // 2 * 2, : w // 2 * 2]
    return np.asarray(whole.reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4)))


def _of(sets: PixelSets) -> float | None:
    # Of large pictures only: on glyphs it says nothing.
    return (
        pair_similarity(sets.samples, seed=sets.real.seed)
        if scales_for(*sets.samples.shape[1:3]) >= 3
        else None
    )


MEASURES = (
    Measure(
        "similarity", "Similarity of pairs (MS-SSIM)",
        "Structural similarity of random pairs of samples: above that of real images, samples look alike.",
        PixelSets, _of, "baseline", "ratio", "diversity", high=1.0,
    ),
)  # fmt: skip
