"""Diversity: how different the samples of a class are, and how many classes and modes are reached."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from captcha_lab.errors import UsageError
from captcha_lab.metrics.neighbours import flatten, nearest
from captcha_lab.metrics.samples.measure import Measure
from captcha_lab.metrics.samples.subjects import (
    FeatureSets,
    PixelSets,
    ReadSamples,
    RealFeatures,
    RealPixels,
    shrunk_samples,
)


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

    >>> classes_reached(np.array([0] * 30 + [1] * 10), np.array([0.5, 0.25, 0.25]))  # class 2 is never made
    0.6666666666666666
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
    return np.asarray(centres[np.unique(assigned)])


def modes(samples: NDArray[np.floating], real: NDArray[np.floating], centres: NDArray[np.float64]) -> Modes:
    """Histogram both sets over their nearest centre and compare (after Richardson and Weiss 2018, section 2).

    A mode counts as reached where it holds at least a tenth of the real set's share, and one sample.
    """
    made = np.bincount(nearest(samples, centres).which, minlength=len(centres)) / max(len(samples), 1)
    wanted = np.bincount(nearest(real, centres).which, minlength=len(centres)) / max(len(real), 1)
    reached = int(((made > 0) & (made >= 0.1 * wanted)).sum())
    return Modes(reached, len(centres), float(0.5 * np.abs(made - wanted).sum()))


def _modes(sets: FeatureSets) -> Modes:
    return modes(sets.samples, sets.real.reference, sets.real.once(_centres))


def _centres(real: RealFeatures) -> NDArray[np.float64]:
    return find_modes(real.reference, real.modes, seed=real.seed)


def _real_variance(real: RealFeatures) -> NDArray[np.float64]:
    return class_variance(real.reference, real.labels, real.classes)


def _variance(sets: FeatureSets) -> float:
    made = class_variance(sets.samples, sets.labels, sets.real.classes)
    return variance_ratio(made, sets.real.once(_real_variance))


def _real_pixel_variance(real: RealPixels) -> NDArray[np.float64]:
    return class_variance(real.shrink(real.reference), real.labels, real.classes)


def _pixel_variance(sets: PixelSets) -> float:
    made = class_variance(sets.once(shrunk_samples), sets.labels, sets.real.classes)
    return variance_ratio(made, sets.real.once(_real_pixel_variance))


MEASURES = (
    Measure(
        "classes_reached", "Classes reached", "Classes made at least a tenth as often as wanted (%).",
        ReadSamples, lambda view: classes_reached(view.read[0], view.wanted), "high", "share", "reading",
        high=1.0,
    ),
    Measure(
        "modes_reached", "Modes reached",
        "Clusters of the real features that hold at least a tenth of the samples they should (%).",
        FeatureSets, lambda sets: sets.once(_modes).reached / sets.once(_modes).total,
        "high", "share", "diversity", high=1.0,
    ),
    Measure(
        "mode_variation", "Difference of mode frequencies",
        "Total variation between samples and real images over those clusters (%): 0 the same, 100 disjoint.",
        FeatureSets, lambda sets: sets.once(_modes).variation, "low", "share", "diversity", high=1.0,
    ),
    Measure(
        "variance", "Variance within classes",
        "Variance of features within a class, over that of real training images: 0 is one image per class.",
        FeatureSets, _variance, "baseline", "ratio", "diversity",
        brief="vary", heading="variety within a class",
    ),
    Measure(
        "variance_pixels", "Variance within classes (pixels)", "The same of pixels.",
        PixelSets, _pixel_variance, "baseline", "ratio", "diversity",
    ),
)  # fmt: skip
