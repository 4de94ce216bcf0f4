"""The small panel: accuracy, learning curve, confusions and when to stop, from the state alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from captcha_lab.label.proposals.propose import UNLABELLED, class_counts, propose, vote
from captcha_lab.label.proposals.slips import basins
from captcha_lab.label.questions.audit import audit_estimate
from captcha_lab.label.questions.state import State
from captcha_lab.label.questions.types import Confusion, CurvePoint, Estimate, Panel, Place, Queue, QueueName

CURVE_AT = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
Z = 1.96  # standard normal quantile of a 95 % interval
RECENT = 3  # points of the curve that tell its present slope
TOO_FAR = 10.0  # times today's labels beyond which the curve is not drawn out
SPARE_ERROR = 1e-4  # below this no curve can be told from none


def panel_of(
    state: State,
    queues: Sequence[Queue],
    audits: Mapping[Place, bool],
    by_hand: Sequence[int],
    target: float,
    *,
    revision: int,
    keystrokes: int,
    stale: bool,
) -> Panel:
    """The panel of a state.

    Args:
        state: labels and proposals.
        queues: what waits.
        audits: audited places and whether their label was right.
        by_hand: rows labelled by a person, oldest first.
        target: share of right labels to be reached.
        revision, keystrokes, stale: as in `Panel`.
    """
    estimate = model_estimate(state)
    labelled, glyphs = int((state.labels != UNLABELLED).sum()), len(state.places)
    audit = audit_estimate(sum(not right for right in audits.values()), len(audits), labelled)
    curve = learning_curve(state, by_hand, estimate.value)
    waiting = state.waiting()
    best, stop, advice = advise(queues, estimate, audit, labelled, glyphs, target)
    return Panel(
        revision=revision,
        glyphs=glyphs,
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
        best_queue=best,
        stop=stop,
        advice=advice,
        ready=True,
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


def labels_to_go(curve: Sequence[CurvePoint], value: float, target: float) -> int | None:
    """About how many more labels by hand bring the estimate from `value` to `target`.

    The error of a classifier falls about as a power of the number of its examples; the power is fitted to the
    curve's last RECENT points, because finding every character and telling them apart go at different speeds. None
    where the curve does not fall, or so slowly that nothing can be said.
    """
    if value >= target:
        return 0
    points = [(p.labels, 1 - p.accuracy) for p in curve[-RECENT:] if 1 - p.accuracy > SPARE_ERROR]
    if len(points) < 2:
        return None
    n, error = np.log(np.array(points)).T
    slope = float(np.polyfit(n, error, 1)[0])
    if slope > -0.05:
        return None
    factor = ((1 - target) / max(1 - value, SPARE_ERROR)) ** (1 / slope)
    more = curve[-1].labels * (factor - 1)
    return int(np.ceil(more)) if factor <= TOO_FAR else None


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


def advise(
    queues: Sequence[Queue], estimate: Estimate, audit: Estimate, labelled: int, glyphs: int, stop_at: float
) -> tuple[QueueName | None, bool, str]:
    """(best queue or None, whether to stop, one sentence)."""
    by_name = {queue.name: queue for queue in queues}
    waiting = [
        queue for queue in queues if queue.count and queue.name not in ("audit", "suspects", "captcha")
    ]
    best = max(waiting, key=lambda queue: queue.worth, default=None)
    suspects = by_name["suspects"]
    if suspects.count and labelled == glyphs:
        return "suspects", False, f"All glyphs are labelled; look at the {suspects.count} suspects."
    if labelled == glyphs or best is None:
        if audit.source == "audit" and audit.low >= stop_at:
            return None, True, "Stop: the blind audit says the labels are as good as you asked for."
        return (
            "audit",
            labelled == glyphs,
            "All glyphs are labelled: stop, or measure their quality by the audit.",
        )
    if estimate.low >= stop_at:
        return (
            "grid",
            True,
            "Stop here: accept all remaining proposals; they are as good as you asked for.",
        )
    if best.worth < 1:
        return best.name, False, f"A key now mends less than one label; {best.title} mends most."
    return best.name, False, f"{best.title}: the next key puts about {best.worth:.0f} labels right."
