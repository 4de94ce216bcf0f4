"""Figures of one seed, and several seeds' taken together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from captcha_lab.metrics.intervals import Share, spread, wilson

# Of one seed, by key: a share, a panel's shares, or a number. Shares are pooled over seeds, numbers averaged.
Tally = dict[str, "float | Share | tuple[Share, ...]"]


@dataclass(frozen=True)
class Value:
    """A figure with what it may be off by.

    Attributes:
        value: the figure (mean over seeds); `nan` where it can't be had.
        low: lower end: Wilson's for shares of samples, a panel's lowest reader, the mean less one standard deviation
            for other figures measured with several seeds; None for one seed.
        high: upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None


def pool(tallies: Sequence[Tally]) -> dict[str, Value]:
    """Figures of several seeds as one: counts added up, others averaged with their standard deviation."""
    return {key: _pooled([tally[key] for tally in tallies if key in tally]) for key in tallies[0]}


def _pooled(values: Sequence[float | Share | tuple[Share, ...]]) -> Value:
    numbers = [value for value in values if not isinstance(value, tuple)]  # a share is a tuple, too
    if numbers:
        over = spread(numbers)
        several = over.seeds > 1
        return Value(
            over.mean,
            over.mean - over.deviation if several else None,
            over.mean + over.deviation if several else None,
        )
    panels = [(value,) if isinstance(value, Share) else value for value in values if isinstance(value, tuple)]
    members = [pool_shares(shares) for shares in zip(*panels, strict=True)]
    if len(members) == 1:
        return Value(members[0].value, members[0].low, members[0].high)
    each = [member.value for member in members]
    return Value(float(np.mean(each)), min(each), max(each))


def pool_shares(shares: Iterable[Share]) -> Share:
    """Shares of several trials as one of them all."""
    known = list(shares)
    return wilson(sum(share.successes for share in known), sum(share.trials for share in known))
