"""Kernel distance: the squared maximum mean discrepancy between two sets of features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import UsageError
from captcha_lab.metrics.samples.measure import Measure
from captcha_lab.metrics.samples.subjects import FeatureSets


class KernelDistance(NamedTuple):
    """Mean over subsets and their sample standard deviation (0 for one subset); may be below 0 by chance."""

    value: float
    deviation: float


def normalise(
    first: NDArray[np.floating], second: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale both sets by the one number that makes the second's (the real one's) mean square 1.

    The cubic kernel was made for Inception's features, which lie near 1. Those of other extractors may be a
    hundred times larger, and then the outliers alone decide. One common factor keeps the geometry.
    """
    scale = float(np.sqrt(np.mean(np.square(second, dtype=np.float64))))
    scale = scale if scale > 0 else 1.0
    return np.asarray(first, np.float64) / scale, np.asarray(second, np.float64) / scale


def squared_mmd(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Unbiased squared MMD with the kernel (x·y/D + 1)³ between [N, D] and [N, D] of one size.

    Binkowski et al., "Demystifying MMD GANs", ICLR 2018, section 4 (kernel) and eq. 4 (estimator).

    Raises:
        UsageError: shapes differ or fewer than two samples.

    >>> squared_mmd(np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]]))
    297.5
    """
    if first.shape != second.shape or first.ndim != 2 or len(first) < 2:
        raise UsageError(
            f"The kernel distance needs two equal sets of two or more, not {first.shape}, {second.shape}."
        )
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    n, d = x.shape

    def kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((a @ b.T / d + 1.0) ** 3)  # [n, n]

    within = sum(k.sum() - np.trace(k) for k in (kernel(x, x), kernel(y, y)))
    return float(within / (n * (n - 1)) - 2 * kernel(x, y).mean())


def kernel_distance(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    *,
    seed: int,
    subsets: int = 20,
    subset_size: int = 500,
    normalised: bool = True,
) -> KernelDistance:
    """Mean squared MMD over random subsets of features [N, D] and [M, D], so that its size is bounded.

    Args:
        first: the samples' features.
        second: the real features, which set the scale.
        seed: of the subsets.
        subsets: how many; one is drawn where the subset is all there is.
        subset_size: at most this many vectors of each side.
        normalised: see `normalise`.
    """
    x, y = normalise(first, second) if normalised else (np.asarray(first), np.asarray(second))
    size = min(subset_size, len(x), len(y))
    if size == len(x) == len(y):
        return KernelDistance(squared_mmd(x, y), 0.0)
    rng = np.random.default_rng(seed)
    values = [
        squared_mmd(x[rng.choice(len(x), size, replace=False)], y[rng.choice(len(y), size, replace=False)])
        for _ in range(subsets)
    ]
    return KernelDistance(float(np.mean(values)), float(np.std(values, ddof=1)) if subsets > 1 else 0.0)


def _of(sets: FeatureSets) -> float:
    return kernel_distance(sets.samples, sets.real.reference, seed=sets.real.seed).value


MEASURES = (
    Measure(
        "kernel", "Kernel distance",
        "Squared maximum mean discrepancy of normalised features; about 0 for equal distributions.",
        FeatureSets, _of, "low", "number", "distance", low=-np.inf, every_reader=True,
    ),
)  # fmt: skip
