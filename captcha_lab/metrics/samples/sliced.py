"""Sliced Wasserstein distance on pixels: needs no model, sees blur, noise and missing kinds alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import UsageError
from captcha_lab.metrics.neighbours import flatten
from captcha_lab.metrics.samples.measure import Measure
from captcha_lab.metrics.samples.subjects import PixelSets


def sliced_wasserstein(
    first: NDArray[np.generic], second: NDArray[np.generic], *, seed: int, projections: int = 256
) -> float:
    """Mean Wasserstein-1 distance over random one-dimensional projections of [N, …] and [M, …].

    Rabin et al. 2011, "Wasserstein barycenter and its application to texture mixing", eq. 8 (there squared).
    uint8 images are taken as [0, 1]; directions are uniform on the unit sphere.

    Raises:
        UsageError: an empty side, or images of different sizes.
    """
    if not len(first) or not len(second) or first.shape[1:] != second.shape[1:]:
        raise UsageError(f"Images of shapes {first.shape} and {second.shape} cannot be compared.")
    rng = np.random.default_rng(seed)
    size = int(np.prod(first.shape[1:]))
    total = 0.0
    for start in range(0, projections, 32):  # 32 directions at a time bound the memory
        count = min(32, projections - start)
        directions = rng.standard_normal((size, count))
        directions /= np.linalg.norm(directions, axis=0)
        total += wasserstein_columns(_project(first, directions), _project(second, directions)).sum()
    return float(total / projections)


def _project(images: NDArray[np.generic], directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates [N, directions], converted a thousand images at a time."""
    blocks = [flatten(images[i : i + 1000]) @ directions for i in range(0, len(images), 1000)]
    return np.concatenate(blocks)


def wasserstein_columns(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exact Wasserstein-1 distance of each column of [N, P] and [M, P], whatever N and M: float64 [P].

    Both quantile functions are steps; they are compared on the common refinement of the two grids, counted
    in whole units of 1/(N M) so that no level is split by rounding.

    >>> wasserstein_columns(np.array([[0.0], [1.0]]), np.array([[5.0], [4.0], [4.0], [5.0]]))
    array([4.])
    """
    a, b = np.sort(first, axis=0), np.sort(second, axis=0)
    n, m = len(a), len(b)
    levels = np.union1d(np.arange(1, n + 1, dtype=np.int64) * m, np.arange(1, m + 1, dtype=np.int64) * n)
    width = np.diff(levels, prepend=0) / (n * m)
    gap = np.abs(a[(levels - 1) // m] - b[(levels - 1) // n])  # [levels, P]
    return np.asarray(width @ gap, dtype=np.float64)


def _of(sets: PixelSets) -> float:
    return sliced_wasserstein(sets.samples, sets.real.reference, seed=sets.real.seed)


MEASURES = (
    Measure(
        "sliced", "Sliced Wasserstein distance", "Distance between the pixels of both sets; needs no model.",
        PixelSets, _of, "low", "number", "distance",
    ),
)  # fmt: skip
