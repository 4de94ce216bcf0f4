"""From the labels given so far to a proposal for every glyph, and which shape to ask next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from captcha_lab.label.proposals.lookalikes import LookAlikes

UNLABELLED = -1
SHARPNESS = 0.01  # likeness by which two classes must differ for odds of e to 1
NOVEL = 0.955  # likeness to all labelled shapes at which a class not seen yet is as likely
REACH = 0.1  # likeness lost at which a label's reach falls to 1/e
NEAR = 0.01  # the same when labels vote on one another: only near shapes have a say


def class_counts(
    look: LookAlikes, labels: NDArray[np.int64], classes: int, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Labels of each shape: float64 [A, K], the weight (1 by default) of its glyphs labelled with each class.

    Args:
        look: N glyphs in A shapes.
        labels: int64 [N], class 0 … K-1, negative where there is none.
        classes: K.
        weights: float64 [N], or None.
    """
    counts = np.zeros((len(look.size), classes))
    rows = np.flatnonzero((labels >= 0) & (labels < classes))
    np.add.at(counts, (look.shape_of[rows], labels[rows]), 1.0 if weights is None else weights[rows])
    return counts


def propose(
    look: LookAlikes, counts: NDArray[np.float64], without: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Probability of every class for every shape, from its likest labelled shape of each class.

    Args:
        look: N glyphs in A shapes.
        counts: float64 [A, K], see `class_counts`.
        without: int64 [R], only these shapes, each as if it had no label itself.

    Returns:
        float32 [A or R, K], rows summing to 1: softmax of the likeness over SHARPNESS; a labelled shape that is
        not all of one class counts for each class by its share. Classes without any label share the odds of a
        shape with likeness NOVEL. Uniform where nothing is labelled.
    """
    classes = counts.shape[1]
    totals = counts.sum(axis=1)
    labelled = np.flatnonzero(totals > 0)
    shares = counts[labelled] / totals[labelled, None]
    with np.errstate(divide="ignore"):
        penalty = SHARPNESS * np.log(shares)
    if without is None:
        near = look.likeness[:, labelled]
    else:
        near = look.likeness[np.ix_(without, labelled)]
        near[without[:, None] == labelled[None, :]] = -np.inf
    scores = np.full((len(near), classes), -np.inf)
    for k in np.flatnonzero(shares.sum(axis=0) > 0):
        has = np.flatnonzero(shares[:, k] > 0)
        scores[:, k] = (near[:, has] + penalty[has, k]).max(axis=1)
    unseen = np.isneginf(scores)
    share = NOVEL - SHARPNESS * np.log(np.maximum(unseen.sum(axis=1, keepdims=True), 1))
    scores = np.where(unseen, share, scores)
    odds = np.exp((scores - scores.max(axis=1, keepdims=True)) / SHARPNESS)
    return np.asarray((odds / odds.sum(axis=1, keepdims=True)).astype(np.float32))


def seed_order(
    look: LookAlikes,
    labelled: NDArray[np.bool_],
    count: int,
    doubt: NDArray[np.float64] | None = None,
    barred: NDArray[np.bool_] | None = None,
) -> list[tuple[int, float]]:
    """The next shapes to ask and the glyphs each is expected to put right: greedy facility location.

    A label reaches a shape with weight exp(-(1 - likeness) / REACH); asking the shape whose label adds most
    reach over all glyphs is the greedy maximiser of a submodular function, within 1 - 1/e of the best choice
    of so many shapes (Nemhauser, Wolsey and Fisher 1978).

    Args:
        look: N glyphs in A shapes.
        labelled: bool [A], shapes that have a label.
        count: how many to return at most.
        doubt: float64 [A] in [0, 1], chance that a glyph of each shape is wrong now; 1 by default.
        barred: bool [A], shapes not to ask.
    """
    reach = np.exp((look.likeness - 1) / REACH)
    covered = reach[:, labelled].max(axis=1) if labelled.any() else np.zeros(len(labelled), reach.dtype)
    worth = look.size * (1.0 if doubt is None else doubt)
    closed = labelled.copy() if barred is None else labelled | barred
    order: list[tuple[int, float]] = []
    while len(order) < count and not closed.all():
        news = np.maximum(reach - covered[None, :], 0)
        gains = news @ look.size
        gains[closed] = -1.0
        best = int(gains.argmax())
        # Doubtful shapes that resemble this one more than anything labelled will follow its label.
        follow = (news[best] > 0) & (look.likeness[best] >= NOVEL)
        order.append((best, float(worth[follow].sum())))
        closed[best] = True
        covered = np.maximum(covered, reach[best])
    return order


def vote(
    look: LookAlikes, labels: NDArray[np.int64], classes: int, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What all other labels say about each of `rows`: probabilities float64 [len(rows), K].

    Every labelled glyph but the row itself votes for its class with weight exp(-(1 - likeness) / NEAR), over the
    square root of the class's size so that frequent classes don't outvote their rarer doubles: a prediction as
    fair as out-of-fold ones, with as many folds as glyphs (leave one out).
    """
    counts = class_counts(look, labels, classes)
    weights = np.exp((look.likeness.astype(np.float64) - 1) / NEAR)
    votes = (weights @ counts)[look.shape_of[rows]]
    own = labels[rows]
    has = np.flatnonzero((own >= 0) & (own < classes))
    votes[has, own[has]] = np.maximum(votes[has, own[has]] - 1.0, 0.0)
    votes /= np.sqrt(np.maximum(counts.sum(axis=0), 1.0))
    total = votes.sum(axis=1, keepdims=True)
    return np.where(total > 1e-12, votes / np.maximum(total, 1e-12), 1 / classes)
