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


def reliability(confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = 15) -> Reliability:
    """Bins of equal width over the confidence of a reading.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 2, eqs. 2-3.

    Args:
        confidence: float [N], probability given to each reading.
        right: bool [N], whether it was right.
        bins: how many; a confidence on an edge belongs to the lower bin, as in the paper.

    Raises:
        UsageError: the lengths differ.

    >>> reliability(np.array([0.9, 0.9, 0.9, 0.9]), np.array([True, True, False, False])).expected_error
    0.4
    """
    if len(confidence) != len(right):
        raise UsageError(f"{len(confidence)} confidences do not match {len(right)} readings.")
    edges = np.linspace(0.0, 1.0, bins + 1)
    sure = np.asarray(confidence, np.float64)
    place = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, weights=sure, minlength=bins) / count
        accuracy = np.bincount(place, weights=np.asarray(right), minlength=bins) / count
    return Reliability(edges, mean, accuracy, count)


def class_reliability(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], bins: int = 15
) -> Reliability:
    """The same from class probabilities float [N, K] and true classes int [N]: the reading is the top class."""
    if len(probabilities) != len(labels):
        raise UsageError(f"{len(probabilities)} rows of probabilities do not match {len(labels)} labels.")
    top = np.asarray(probabilities)
    return reliability(top.max(axis=1), top.argmax(axis=1) == np.asarray(labels), bins)
