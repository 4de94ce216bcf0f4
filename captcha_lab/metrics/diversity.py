"""Diversity: how different the samples of a class are, and how many classes and modes are reached."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from captcha_lab.errors import UsageError
from captcha_lab.metrics.neighbours import flatten, nearest


def class_variance(
    values: NDArray[np.generic], labels: NDArray[np.integer], classes: int
) -> NDArray[np.float64]:
    """Variance within each class, averaged over pixels (uint8 taken as [0, 1]) or features: float64 [K].

    `nan` for a class with fewer than two members.
    """
    result = np.full(classes, np.nan)
    for k in range(classes):
        members = values[np.asarray(labels) == k]
        if len(members) > 1:
            result[k] = flatten(members).var(axis=0, ddof=1).mean()
    return result


def variance_ratio(
    samples: NDArray[np.float64], real: NDArray[np.float64], weights: NDArray[np.floating] | None = None
) -> float:
    """Mean within-class variance of the samples over that of the real, over the classes known on both sides.

    A class the generator never made has no variance to speak of and counts as 0. `weights` [K] default to
    equal ones. `nan` where no real class has two members.
    """
    known = np.isfinite(real) & (real > 0)
    if not known.any():
        return float("nan")
    w = np.ones(len(real)) if weights is None else np.asarray(weights, np.float64)
    return float(np.average(np.nan_to_num(samples[known]) / real[known], weights=w[known]))


def classes_reached(
    readings: NDArray[np.integer],
    wanted: NDArray[np.floating],
    share: float = 0.1,
    least: float = 8.0,
) -> float:
    """Share of classes made at least `share` times as often as wanted, in [0, 1].

    Only classes wanted at least `least` times among so many samples count: a rarer one may be absent by chance
    (8 wanted: once in 3,000). `nan` where no class is.

    Args:
        readings: int [N], class of each sample.
        wanted: float [K], the frequency each class should have; sums to 1.
        share: of the wanted frequency that counts as reached.
        least: wanted number of samples from which a class counts.
    """
    made = np.bincount(readings, minlength=len(wanted))
    expected = np.asarray(wanted) * len(readings)
    counted = expected >= least
    if not counted.any():
        return float("nan")
    return float((made[counted] >= np.maximum(share * expected[counted], 1)).mean())


class Modes(NamedTuple):
    """Modes reached of `total`, and total variation in [0, 1] between the two histograms over modes."""

    reached: int
    total: int
    variation: float


def find_modes(real: NDArray[np.floating], count: int, *, seed: int) -> NDArray[np.float64]:
    """Cluster centres float64 [≤count, D] of real features [N, D] by k-means from k-means++ starts.

    Raises:
        UsageError: fewer vectors than modes.
    """
    if len(real) < count:
        raise UsageError(f"{len(real)} real samples cannot have {count} modes.")
    rng = np.random.default_rng(seed)
    data = np.asarray(real, np.float64)
    centres, assigned = kmeans2(data, count, iter=20, minit="++", missing="warn", rng=rng)
    return centres[np.unique(assigned)]


def modes(samples: NDArray[np.floating], real: NDArray[np.floating], centres: NDArray[np.float64]) -> Modes:
    """Histogram both sets over their nearest centre and compare (after Richardson and Weiss 2018, section 2).

    A mode counts as reached where it holds at least a tenth of the real set's share, and one sample.
    """
    made = np.bincount(nearest(samples, centres).which, minlength=len(centres)) / max(len(samples), 1)
    wanted = np.bincount(nearest(real, centres).which, minlength=len(centres)) / max(len(real), 1)
    reached = int(((made > 0) & (made >= 0.1 * wanted)).sum())
    return Modes(reached, len(centres), float(0.5 * np.abs(made - wanted).sum()))
