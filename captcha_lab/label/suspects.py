"""Labels that are probably wrong: confident learning on predictions that did not see the label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Suspects:
    """Disputed labels, worst first.

    Attributes:
        rows: int64 [S], indices into the labels given.
        proposed: int64 [S], the class the model gives instead.
        tier: int64 [S], 1 where the model is as sure as it usually is of that class, else 2.
        score: float64 [S], probability of the given label (low is suspicious).
    """

    rows: NDArray[np.int64]
    proposed: NDArray[np.int64]
    tier: NDArray[np.int64]
    score: NDArray[np.float64]


def find_suspects(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> Suspects:
    """Dispute labels in two tiers.

    Tier 1 is confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70, section 3.1): class j's threshold
    is the mean probability of j among the glyphs labelled j; a glyph is counted for the likeliest class whose
    threshold it reaches, and disputed where that is not its label. Tier 2 are the further glyphs whose
    likeliest class is another.

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
    first = (reached.max(axis=1) >= 0) & (counted != labels)
    likeliest = probabilities.argmax(axis=1)
    # A label the model finds at least as likely as any other is not disputed, whatever the thresholds.
    first &= given < probabilities.max(axis=1)
    second = (likeliest != labels) & (given < probabilities.max(axis=1)) & ~first
    found = np.flatnonzero(first | second)
    tier = np.where(first[found], 1, 2)
    proposed = np.where(first[found], counted[found], likeliest[found])
    margin = given[found] - probabilities[found, proposed]
    order = np.lexsort((found, margin, tier))
    return Suspects(found[order], proposed[order], tier[order], given[found][order])
