"""Precision, recall, density and coverage: is a sample plausible, and is every real kind produced?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from captcha_lab.metrics.neighbours import distance_blocks, kth_radius
from captcha_lab.metrics.samples.measure import Measure
from captcha_lab.metrics.samples.subjects import FeatureSets


class Manifold(NamedTuple):
    """Precision, recall and coverage in [0, 1]; density at least 0, near 1 for real against real."""

    precision: float
    recall: float
    density: float
    coverage: float


def manifold(samples: NDArray[np.floating], real: NDArray[np.floating], k: int = 5) -> Manifold:
    """All four from one pass over the distances of features [N, D] and [M, D], in bounded memory.

    Every point carries a ball that reaches its k-th nearest neighbour in its own set.
    Precision: samples inside some real ball. Recall: real points inside some sample's ball (Kynkäänniemi et
    al. 2019, eqs. 1-3). Density: mean number of real balls around a sample, over k. Coverage: real points
    whose ball holds a sample (Naeem et al. 2020, eqs. 6-8).

    Raises:
        UsageError: one side has no more than k points.

    >>> points = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> manifold(points[:2], points, k=1)  # half of the real points are reached
    Manifold(precision=1.0, recall=0.75, density=2.5, coverage=0.75)
    """
    real_radius, sample_radius = kth_radius(real, k), kth_radius(samples, k)
    inside = np.zeros(len(samples), dtype=np.int64)
    recalled, covered = np.zeros(len(real), dtype=bool), np.zeros(len(real), dtype=bool)
    for rows, distance in distance_blocks(samples, real):
        in_real_ball = distance <= real_radius[None]
        inside[rows] = in_real_ball.sum(axis=1)
        covered |= in_real_ball.any(axis=0)
        recalled |= (distance <= sample_radius[rows, None]).any(axis=0)
    return Manifold(
        precision=float((inside > 0).mean()),
        recall=float(recalled.mean()),
        density=float(inside.mean() / k),
        coverage=float(covered.mean()),
    )


def _of(sets: FeatureSets) -> Manifold:
    return manifold(sets.samples, sets.real.reference, sets.real.neighbours)


MEASURES = (
    Measure(
        "precision", "Precision", "Samples that lie among real images (%).",
        FeatureSets, lambda sets: sets.once(_of).precision, "high", "share", "diversity",
        high=1.0, every_reader=True,
    ),
    Measure(
        "recall", "Recall", "Real images that lie among the samples (%): how much of their variety is reached.",
        FeatureSets, lambda sets: sets.once(_of).recall, "high", "share", "diversity",
        high=1.0, brief="recall", heading="variety reached", every_reader=True,
    ),
    Measure(
        "density", "Density", "How deep samples lie among real images; near 1 for real ones.",
        FeatureSets, lambda sets: sets.once(_of).density, "high", "ratio", "diversity", every_reader=True,
    ),
    Measure(
        "coverage", "Coverage", "Real images that have a sample nearby (%).",
        FeatureSets, lambda sets: sets.once(_of).coverage, "high", "share", "diversity",
        high=1.0, brief="cover", heading="real kinds covered", every_reader=True,
    ),
)  # fmt: skip
