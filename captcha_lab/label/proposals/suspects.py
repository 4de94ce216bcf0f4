"""Labels that are probably wrong: confident learning on predictions that did not see the label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Suspects:
    """Labels in doubt, worst first.

    Attributes:
        rows: int64 [S], indices into the labels given.
        proposed: int64 [S], the class the model gives instead.
        tier: int64 [S], 1 where the model is as sure as it usually is of that class, else 2; 0 where it finds the
            label likeliest.
        score: float64 [S], probability of the given label (low is suspicious).
    """

    rows: NDArray[np.int64]
    proposed: NDArray[np.int64]
    tier: NDArray[np.int64]
    score: NDArray[np.float64]


def find_suspects(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> Suspects:
    """The labels that are disputed, in two tiers (see `rank_labels`)."""
    ranked = rank_labels(probabilities, labels)
    count = int((ranked.tier > 0).sum())
    return Suspects(ranked.rows[:count], ranked.proposed[:count], ranked.tier[:count], ranked.score[:count])


def rank_labels(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> Suspects:
    """Every label by how suspicious it is: tier 1, tier 2, then those nobody disputes, each the worst first.

    Tier 1 is confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70, section 3.1): class j's threshold
    is the mean probability of j among the glyphs labelled j; a glyph is counted for the likeliest class whose
    threshold it reaches, and disputed where that is not its label. Tier 2 are the further glyphs whose
    likeliest class is another. Within a tier the order is by the label's probability less the likeliest
    other class's.

    Args:
        probabilities: float [N, K], by a model that did not see the row's own label.
        labels: int64 [N], the given class of each row.
    """
    classes = probabilities.shape[1]
    rows = np.arange(len(labels))
    given = probabilities[rows, labels]
    threshold = np.full(classes, np.inf)
    for k in np.unique(labels):
        threshold[k] = given[labels == k].mean()
    reached = np.where(probabilities >= threshold - 1e-12, probabilities, -1.0)
    counted = reached.argmax(axis=1)
    others = probabilities.copy()
    others[rows, labels] = -1.0
    rival = others.argmax(axis=1)
    # A label the model finds at least as likely as any other is not disputed, whatever the thresholds.
    disputed = given < probabilities.max(axis=1)
    first = disputed & (reached.max(axis=1) >= 0) & (counted != labels)
    tier = np.where(first, 1, np.where(disputed, 2, 0))
    proposed = np.where(first, counted, rival)
    margin = given - probabilities[rows, proposed]
    order = np.lexsort((rows, margin, np.where(tier, tier, 3)))
    return Suspects(rows[order], proposed[order], tier[order], given[order])
