"""Confidence intervals: how far a measured share may be from the true one, and how far seeds spread."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from captcha_lab.errors import UsageError


class Share(NamedTuple):
    """A proportion with its confidence interval, all in [0, 1]; `nan` where nothing was tried."""

    value: float
    low: float
    high: float
    successes: int
    trials: int

    def __str__(self) -> str:
        """As people read it: `99.6 % (97.8 to 99.9, 250)`."""
        if not self.trials:
            return "not measured"
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f}, {self.trials})"


class Spread(NamedTuple):
    """Mean and sample standard deviation (0 for one value) of a figure over seeds."""

    mean: float
    deviation: float
    seeds: int


def wilson(successes: int, trials: int, confidence: float = 0.95) -> Share:
    """Wilson's score interval for a proportion (E. B. Wilson, 1927, JASA 22, eq. 5).

    Unlike the normal approximation it stays inside [0, 1] and is right near 0 and 1, where recognisers live.

    Raises:
        UsageError: fewer than 0 or more successes than trials, or a confidence outside (0, 1).

    >>> [round(x, 3) for x in wilson(9, 10)[:3]]
    [0.9, 0.596, 0.982]
    """
    if not 0 <= successes <= trials:
        raise UsageError(f"{successes} successes of {trials} trials is impossible.")
    if not 0 < confidence < 1:
        raise UsageError(f"The confidence must lie between 0 and 1, not {confidence}.")
    if trials == 0:
        return Share(float("nan"), 0.0, 1.0, 0, 0)
    z = float(ndtri(0.5 + confidence / 2))
    share = successes / trials
    denominator = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / denominator
    half = z / denominator * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # At 0 and 1 the bound equals the share itself; rounding must not put it on the wrong side.
    low, high = max(0.0, float(centre - half)), min(1.0, float(centre + half))
    return Share(share, min(low, share), max(high, share), int(successes), int(trials))


def share_of(hits: ArrayLike, confidence: float = 0.95) -> Share:
    """Wilson interval of the true entries of a boolean array of any shape."""
    flags = np.asarray(hits, dtype=bool)
    return wilson(int(flags.sum()), flags.size, confidence)


def spread(values: ArrayLike) -> Spread:
    """Mean and sample standard deviation of one figure measured once for each seed.

    >>> spread([1.0, 3.0])
    Spread(mean=2.0, deviation=1.4142135623730951, seeds=2)
    """
    numbers = np.asarray(values, dtype=np.float64)
    deviation = float(numbers.std(ddof=1)) if numbers.size > 1 else 0.0
    return Spread(float(numbers.mean()), deviation, int(numbers.size))
