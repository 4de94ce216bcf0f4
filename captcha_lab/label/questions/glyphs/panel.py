"""The small panel: accuracy, learning curve, confusions and when to stop, from the state alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from captcha_lab.label.proposals.propose import UNLABELLED, class_counts, propose, vote
from captcha_lab.label.proposals.slips import basins
from captcha_lab.label.questions.advice import Z, advise, labels_to_go
from captcha_lab.label.questions.audit import audit_estimate
from captcha_lab.label.questions.glyphs.state import State
from captcha_lab.label.questions.types import (
    CharacterCount,
    Confusion,
    CurvePoint,
    Estimate,
    LabelPanel,
    Queue,
    Target,
)

CURVE_AT = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)


def panel_of(
    state: State,
    queues: Sequence[Queue],
    audits: Mapping[Target, bool],
    by_hand: Sequence[int],
    target: float,
    *,
    revision: int,
    keystrokes: int,
    stale: bool,
) -> LabelPanel:
    """The panel of a state.

    Args:
        state: labels and proposals.
        queues: what waits.
        audits: audited places and whether their label was right.
        by_hand: rows labelled by a person, oldest first.
        target: share of right labels to be reached.
        revision, keystrokes, stale: as in `LabelPanel`.
    """
    estimate = model_estimate(state)
    labelled = int(((state.labels != UNLABELLED) & ~state.aside).sum())
    glyphs = int((~state.aside).sum())
    audit = audit_estimate(sum(not right for right in audits.values()), len(audits), labelled)
    curve = learning_curve(state, by_hand, estimate.value)
    waiting = state.waiting()
    best, stop, advice = advise(queues, estimate, audit, labelled, glyphs, target, "glyphs")
    return LabelPanel(
        revision=revision,
        unit="glyph",
        total=glyphs,
        labelled=labelled,
        by_hand=int((state.sources == "human").sum()),
        keystrokes=keystrokes,
        estimate=estimate,
        audit=audit,
        curve=curve,
        target=target,
        labels_to_go=labels_to_go(curve, estimate.value, target),
        waiting=len(waiting),
        waiting_right=rest_right(state, waiting),
        confusions=confusions(state),
        characters=characters(state),
        best_queue=best,
        stop=stop,
        advice=advice,
        stale=stale,
    )


def rest_right(state: State, waiting: NDArray[np.int64]) -> float:
    """Share of the waiting proposals expected to be right, by their confidence and that of the keys they rest on."""
    if len(waiting) == 0:
        return 1.0
    nearest = basins(state.look, state.counts())
    believed = np.ones(len(state.look.size))
    believed[state.keys.shapes] = 1 - state.keys.wrong
    sure = state.probabilities[waiting].max(axis=1) * believed[nearest[state.look.shape_of[waiting]]]
    return float(sure.mean())


def model_estimate(state: State) -> Estimate:
    """Share of right labels as the proposals' own confidences have it.

    Glyphs of a shape are right or wrong together, so the variance is that of independent shapes, each
    weighted by its glyphs. Labels count as right but for what rests on keys that the others contradict: only the
    blind audit can tell more.
    """
    count = len(state.places)
    if not state.fitted:
        return Estimate(float(1 / len(state.alphabet)), 0.0, 1.0, "none", 0)
    right = np.where(state.labels == UNLABELLED, state.probabilities.max(axis=1), 1.0).astype(np.float64)
    size = state.look.size.astype(np.float64)
    mean = np.bincount(state.look.shape_of, right, len(size)) / size
    half = Z * float(np.sqrt(np.sum((size / count) ** 2 * mean * (1 - mean))))
    slipped = state.keys.wrong * (state.keys.rests / count)
    half = float(
        np.hypot(half, Z * np.sqrt(np.sum(slipped * (1 - state.keys.wrong) * state.keys.rests / count)))
    )
    value = float(right.mean() - slipped.sum())
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), "model", count)


def learning_curve(state: State, by_hand: Sequence[int], today_right: float) -> tuple[CurvePoint, ...]:
    """Share of right labels that the first n labels given by hand would have proposed; the last point is today.

    Args:
        state: with labels and proposals of today, of which the earlier ones' share of agreement is taken.
        by_hand: rows labelled by a person, oldest first.
        today_right: share of today's labels and proposals expected to be right.
    """
    today = state.best()
    points = []
    for n in (n for n in CURVE_AT if n < len(by_hand)):
        labels = np.full(len(today), UNLABELLED, np.int64)
        rows = np.array(by_hand[:n])
        labels[rows] = state.labels[rows]
        guess = propose(state.look, class_counts(state.look, labels, len(state.alphabet))).argmax(axis=1)
        agreement = float((guess[state.look.shape_of] == today).mean())
        points.append(CurvePoint(n, agreement * today_right))
    if by_hand:
        points.append(CurvePoint(len(by_hand), today_right))
    return tuple(points)


def characters(state: State) -> tuple[CharacterCount, ...]:
    """How many labels bear each character, and the glyph that shows it best: closest to its shape, by hand if any."""
    counts = np.bincount(state.labels[state.labels >= 0], minlength=state.bad + 1)
    found = []
    for k, character in enumerate(state.alphabet):
        rows = np.flatnonzero(state.labels == k)
        best = rows[np.lexsort((-state.look.closeness[rows], state.sources[rows] != "human"))[:1]]
        example = state.places[int(best[0])] if len(best) else None
        found.append(CharacterCount(character, int(counts[k]), example))
    return tuple(found)


def confusions(state: State, most: int = 8) -> tuple[Confusion, ...]:
    """Pairs (label, what all other labels say) that differ, most frequent first."""
    rows: NDArray[np.int64] = np.flatnonzero((state.labels >= 0) & (state.labels < state.bad))
    if len(np.unique(state.labels[rows])) < 2:
        return ()
    said = vote(state.look, state.labels, len(state.alphabet), rows).argmax(axis=1)
    wrong = said != state.labels[rows]
    # A class that only this glyph speaks for can't be voted for: no confusion, just no evidence.
    alone = np.bincount(state.labels[rows], minlength=state.bad)[state.labels[rows]] < 2
    pairs = Counter(
        zip(state.labels[rows][wrong & ~alone].tolist(), said[wrong & ~alone].tolist(), strict=True)
    )
    return tuple(
        Confusion(state.character(given), state.character(predicted), count)
        for (given, predicted), count in pairs.most_common(most)
    )
