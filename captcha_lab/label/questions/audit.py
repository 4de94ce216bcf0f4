"""The blind audit: how many accepted labels are wrong, from a random sample labelled again unseen."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from captcha_lab.label.questions.types import NOTHING_KNOWN, Estimate, Target
from captcha_lab.store.catalog.labels import LabelEvent

CONFIDENCE = 0.95


def audit_order(count: int, seed: int) -> NDArray[np.int64]:
    """The order in which places are audited: a random permutation that is the same after a restart."""
    return np.random.default_rng([seed, 0xA0D17]).permutation(count)


def audit_estimate(wrong: int, sample: int, population: int) -> Estimate:
    """Share of right labels among `population` accepted ones, from a random sample without replacement.

    The interval is the exact one for a finite population: the numbers of wrong labels that neither one-sided
    hypergeometric test at 2.5 % refutes (Buonaccorsi 1987, The American Statistician 41). It covers the
    truth in at least 95 % of samples, and closes as the sample becomes the population.

    Args:
        wrong: sampled labels that were wrong.
        sample: labels looked at.
        population: accepted labels in all.
    """
    if sample == 0 or population == 0:
        return NOTHING_KNOWN
    from scipy.stats import hypergeom  # slow to import, and the page must be there at once

    population = max(population, sample)
    tail = (1 - CONFIDENCE) / 2
    possible = range(wrong, population - (sample - wrong) + 1)
    # The more wrong labels there are, the rarer so few in the sample and the commoner so many: both ends by bisection.
    most = bisect_left(
        possible, True, key=lambda bad: bool(hypergeom.cdf(wrong, population, bad, sample) <= tail)
    )
    fewest = bisect_left(
        possible, True, key=lambda bad: bool(hypergeom.sf(wrong - 1, population, bad, sample) > tail)
    )
    share = 1 - wrong / sample
    at_worst, at_best = possible[most - 1], possible[fewest]
    return Estimate(share, 1 - at_worst / population, 1 - at_best / population, "audit", sample)


def audits_in(events: Iterable[tuple[int, LabelEvent]]) -> dict[Target, bool]:
    """Audited glyphs and texts, and whether the label tested was right; from the audit's events, oldest first."""
    tested: dict[tuple[int, Target], str] = {}
    result: dict[Target, bool] = {}
    for act, event in events:
        target = (event.image_id, event.position)
        if (act, target) in tested:
            result[target] = tested[act, target] == event.value
        else:
            tested[act, target] = event.value
    return result
