"""Fréchet distance between two sets of features, each taken for a Gaussian."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import UsageError
from captcha_lab.metrics.samples.measure import Measure
from captcha_lab.metrics.samples.subjects import FeatureSets


class Moments(NamedTuple):
    """Mean float64 [D] and unbiased covariance float64 [D, D] of `size` feature vectors."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    size: int


def moments(batches: Iterable[NDArray[np.floating]]) -> Moments:
    """Mean and covariance of features that arrive in batches [n, D]; memory is that of one batch and D².

    Batches are merged by the pairwise update of Chan, Golub and LeVeque (1979), which does not cancel as
    the sum of squares does.

    Raises:
        UsageError: fewer than two vectors.
    """
    count, mean, scatter = 0, np.zeros(0), np.zeros((0, 0))
    for batch in batches:
        block = np.asarray(batch, dtype=np.float64)
        if not len(block):
            continue
        centre = block.mean(axis=0)
        centred = block - centre
        block_scatter = centred.T @ centred  # [D, D]
        if count == 0:
            count, mean, scatter = len(block), centre, block_scatter
            continue
        total = count + len(block)
        step = centre - mean
        scatter += block_scatter + np.outer(step, step) * (count * len(block) / total)
        mean = mean + step * (len(block) / total)
        count = total
    if count < 2:
        raise UsageError("A Fréchet distance needs at least two samples on each side.")
    return Moments(mean, scatter / (count - 1), count)


def frechet_from_moments(first: Moments, second: Moments) -> float:
    """|m1-m2|² + tr(C1 + C2 - 2 (C1 C2)^½) (Dowson and Landau 1982; Heusel et al. 2017, eq. 6).

    tr((C1 C2)^½) is computed as the nuclear norm of F1ᵀF2 with C = F Fᵀ, so that singular covariances
    (fewer samples than features, dead units) lose no digits and no matrix square root can turn complex.
    """
    step = first.mean - second.mean
    root = np.linalg.svd(_factor(first.covariance).T @ _factor(second.covariance), compute_uv=False).sum()
    distance = step @ step + np.trace(first.covariance) + np.trace(second.covariance) - 2 * root
    return float(max(distance, 0.0))


def _factor(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """F [D, D] with F Fᵀ = covariance; tiny negative eigenvalues from rounding count as zero."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None)))


def frechet_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Fréchet distance between features [N, D] and [M, D], computed in float64; 0 is equal, no upper bound.

    It is biased upwards at small sample sizes: compare only figures of one sample size, beside the baseline.

    Raises:
        UsageError: different numbers of features, or fewer than two samples on a side.

    >>> frechet_distance(np.array([[0.0], [2.0]]), np.array([[3.0], [5.0]]))  # the same spread, means 3 apart
    9.0
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise UsageError(f"Features of shapes {first.shape} and {second.shape} cannot be compared.")
    return frechet_from_moments(moments([first]), moments([second]))


def _of(sets: FeatureSets) -> float:
    return frechet_distance(sets.samples, sets.real.reference)


MEASURES = (
    Measure(
        "attribute_frechet", "Attribute-Fréchet distance",
        "Fréchet distance in the features of a network trained to read attributes off this data; not FID.",
        FeatureSets, _of, "low", "number", "distance",
        brief="attr.-Fréchet", heading="distance from real", features=("attributes",),
    ),
    Measure(
        "frechet", "Fréchet distance",
        "Distance between Gaussians fitted to the features of samples and to those of real images.",
        FeatureSets, _of, "low", "number", "distance",
        brief="Fréchet", heading="distance from real", every_reader=True,
        features=("reader", "pixels"),
    ),
    Measure(
        "fid", "FID (Inception)",
        "Fréchet distance in the Inception features of the given weights, as in the literature.",
        FeatureSets, _of, "low", "number", "distance", every_reader=True, features=("inception",),
    ),
)  # fmt: skip
