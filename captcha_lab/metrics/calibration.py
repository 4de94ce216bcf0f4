"""Calibration: does a recogniser that says 90 % come out right nine times in ten?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import UsageError


class Reliability(NamedTuple):
    """The bins of a reliability diagram (all float64 [bins] but `count` int64), empty bins `nan`."""

    edges: NDArray[np.float64]  # [bins + 1], from 0 to 1
    confidence: NDArray[np.float64]  # mean confidence in the bin
    accuracy: NDArray[np.float64]  # share right in the bin
    counts: NDArray[np.int64]

    @property
    def expected_error(self) -> float:
        """Expected calibration error: |accuracy - confidence| weighted by the share of each bin."""
        filled = self.counts > 0
        if not filled.any():
            return float("nan")
        gap = np.abs(self.accuracy[filled] - self.confidence[filled])
        return float(np.average(gap, weights=self.counts[filled]))


def reliability(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], bins: int = 15
) -> Reliability:
    """Bins of equal width over the confidence of the top class.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 2, eqs. 2-3.

    Args:
        probabilities: float [N, K], rows sum to 1.
        labels: int [N].
        bins: how many; a confidence on an edge belongs to the lower bin, as in the paper.

    Raises:
        UsageError: the lengths differ.
    """
    if len(probabilities) != len(labels):
        raise UsageError(f"{len(probabilities)} rows of probabilities do not match {len(labels)} labels.")
    edges = np.linspace(0.0, 1.0, bins + 1)
    confidence = np.asarray(probabilities).max(axis=1).astype(np.float64)
    right = np.asarray(probabilities).argmax(axis=1) == np.asarray(labels)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, weights=confidence, minlength=bins) / count
        accuracy = np.bincount(place, weights=right, minlength=bins) / count
    return Reliability(edges, mean, accuracy, count)


def expected_calibration_error(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], bins: int = 15
) -> float:
    """Expected calibration error in [0, 1] (see `reliability`).

    >>> sure = np.array([[0.75, 0.25]] * 4)
    >>> expected_calibration_error(sure, np.array([0, 0, 0, 1]))  # right three times of four
    0.0
    """
    return reliability(probabilities, labels, bins).expected_error
