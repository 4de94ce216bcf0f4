"""The small panel: accuracy, learning curve, confusions and when to stop, from the state alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from captcha_lab.label.proposals import UNLABELLED, class_counts, propose, vote
from captcha_lab.label.state import State
from captcha_lab.label.types import Confusion, CurvePoint, Estimate, Queue

CURVE_AT = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
Z = 1.96  # standard normal quantile of a 95 % interval
SPARE_ERROR = 1e-4  # below this no curve can be told from none


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


def learning_curve(state: State, by_hand: Sequence[int]) -> tuple[CurvePoint, ...]:
    """Agreement with today's labels of what the first n labels given by hand would have proposed.

    Args:
        state: with labels and proposals of today, taken for the truth.
        by_hand: rows labelled by a person, oldest first.
    """
    today = state.best()
    sizes = sorted({n for n in CURVE_AT if n < len(by_hand)} | ({len(by_hand)} if by_hand else set()))
    points = []
    for n in sizes:
        labels = np.full(len(today), UNLABELLED, np.int64)
        rows = np.array(by_hand[:n])
        labels[rows] = state.labels[rows]
        guess = propose(state.look, class_counts(state.look, labels, len(state.alphabet))).argmax(axis=1)
        accuracy = float((guess[state.look.shape_of] == today).mean())
        points.append(CurvePoint(n, accuracy))
    return tuple(points)


def labels_to_go(curve: Sequence[CurvePoint], value: float, target: float) -> int | None:
    """About how many more labels by hand bring the estimate from `value` to `target`.

    The error of a classifier falls about as a power of the number of its examples; the power is fitted to the
    curve (the last point, which is today's truth itself, left out). None where the curve does not fall.
    """
    if value >= target:
        return 0
    points = [(p.labels, 1 - p.accuracy) for p in curve[:-1] if 1 - p.accuracy > SPARE_ERROR]
    if len(points) < 2:
        return None
    n, error = np.log(np.array(points)).T
    slope = float(np.polyfit(n, error, 1)[0])
    if slope > -0.05:
        return None
    factor = ((1 - target) / max(1 - value, SPARE_ERROR)) ** (1 / slope)
    more = curve[-1].labels * (factor - 1)
    return int(min(np.ceil(more), 10 * len(curve) * curve[-1].labels))


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
) -> tuple[str | None, bool, str]:
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
            "Stop here, or accept the proposals page by page: they are as good as you asked for.",
        )
    if best.worth < 1:
        return best.name, False, f"A key now mends less than one label; {best.title} mends most."
    return best.name, False, f"{best.title}: the next key puts about {best.worth:.0f} labels right."
