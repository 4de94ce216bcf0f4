"""Slips of the finger: which keys are probably wrong, judged by what all other keys say; no key is asked twice for
nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_lab.label.proposals.lookalikes import LookAlikes
from captcha_lab.label.proposals.propose import propose

MISLED = 0.05  # share of shapes whose likest labelled shapes say nothing about them


@dataclass(frozen=True)
class Keys:
    """Shapes labelled by hand.

    Attributes:
        shapes: int64 [R], which.
        believed: int64 [R], the class their labels give them now.
        prior: float64 [R, K], what they are by the labels of all other shapes.
        votes: float64 [R, K], their own keys.
        wrong: float64 [R], chance that the class believed is wrong.
        rests: float64 [R], glyphs not labelled by hand whose label or proposal rests on each.
    """

    shapes: NDArray[np.int64]
    believed: NDArray[np.int64]
    prior: NDArray[np.float64]
    votes: NDArray[np.float64]
    wrong: NDArray[np.float64]
    rests: NDArray[np.float64]


def weigh_keys(
    look: LookAlikes, counts: NDArray[np.float64], votes: NDArray[np.float64], slip: float
) -> Keys:
    """Judge every shape that has a label by hand.

    Bayes' rule with the proposals that the other shapes' labels make (the shape's own left out) for the prior
    and a key that hits each wrong character with chance slip / (K - 1) for the likelihood. So a key is doubted
    where the likest other shapes bear another label, and where its character came up for an unlike shape too
    while other characters have not come up at all.

    Args:
        look: N glyphs in A shapes.
        counts: float64 [A, K], see `class_counts`.
        votes: float64 [A, K], glyphs of each shape that a person gave each class.
        slip: share of keys a person mistypes.
    """
    classes = counts.shape[1]
    shapes = np.flatnonzero(votes.sum(axis=1) > 0)
    prior = (1 - MISLED) * propose(look, counts, shapes).astype(np.float64) + MISLED / classes
    own = votes[shapes]
    believed = counts[shapes].argmax(axis=1)
    wrong = 1 - posterior(prior, own, slip)[np.arange(len(shapes)), believed]
    free = (look.size - votes.sum(axis=1)).astype(np.float64)
    rests = np.bincount(basins(look, counts), free, len(look.size)).astype(np.float64)[shapes]
    return Keys(shapes, believed, prior, own, wrong, rests)


def posterior(prior: NDArray[np.float64], votes: NDArray[np.float64], slip: float) -> NDArray[np.float64]:
    """Chance of each class after the keys pressed: float64 [R, K], rows summing to 1.

    Args:
        prior: float64 [R, K], before them.
        votes: float64 [R, K], keys for each class.
        slip: share of keys a person mistypes.
    """
    missed = np.log(slip / max(prior.shape[1] - 1, 1))
    against = votes.sum(axis=1, keepdims=True) - votes
    log_odds = np.log(prior) + votes * np.log(1 - slip) + against * missed
    odds = np.exp(log_odds - log_odds.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def basins(look: LookAlikes, counts: NDArray[np.float64]) -> NDArray[np.int64]:
    """The labelled shape that decides each shape: itself where it is labelled, else the likest; int64 [A].

    Nothing labelled gives each shape itself.
    """
    labelled = np.flatnonzero(counts.sum(axis=1) > 0)
    nearest = np.arange(len(look.size))
    if len(labelled) == 0:
        return nearest
    open_shapes = np.setdiff1d(nearest, labelled)
    nearest[open_shapes] = labelled[look.likeness[np.ix_(open_shapes, labelled)].argmax(axis=1)]
    return nearest


def basin_of(look: LookAlikes, labelled: NDArray[np.bool_], shape: int) -> list[int]:
    """The shapes without a label that a labelled one decides, likest first."""
    nearest = basins(look, labelled[:, None].astype(np.float64))
    others = np.flatnonzero((nearest == shape) & ~labelled)
    return [int(other) for other in others[np.argsort(-look.likeness[shape, others], kind="stable")]]
