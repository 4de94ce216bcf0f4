"""What to do next, how much is left, and when to stop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from captcha_lab.label.questions.types import CurvePoint, Estimate, Queue, QueueName

Z = 1.96  # standard normal quantile of a 95 % interval
RECENT = 3  # points of the curve that tell its present slope
TOO_FAR = 10.0  # times today's labels beyond which the curve is not drawn out
SPARE_ERROR = 1e-4  # below this no curve can be told from none
ASKING: tuple[QueueName, ...] = ("seed", "uncertain", "grid", "captcha")  # queues that give new labels


def labels_to_go(curve: Sequence[CurvePoint], value: float, target: float) -> int | None:
    """About how many more labels by hand bring the estimate from `value` to `target`.

    The error of a classifier falls about as a power of the number of its examples; the power is fitted to the
    curve's last RECENT points, because finding every character and telling them apart go at different speeds. None
    where the curve does not fall, or so slowly that nothing can be said.
    """
    if value >= target:
        return 0
    known = [p for p in curve[-RECENT:] if p.labels and 1 - p.accuracy > SPARE_ERROR]
    points = [(p.labels, 1 - p.accuracy) for p in known]
    if len(points) < 2:
        return None
    n, error = np.log(np.array(points)).T
    slope = float(np.polyfit(n, error, 1)[0])
    if slope > -0.05:
        return None
    factor = ((1 - target) / max(1 - value, SPARE_ERROR)) ** (1 / slope)
    more = curve[-1].labels * (factor - 1)
    return int(np.ceil(more)) if factor <= TOO_FAR else None


def advise(
    queues: Sequence[Queue],
    estimate: Estimate,
    audit: Estimate,
    labelled: int,
    total: int,
    stop_at: float,
    things: str,
) -> tuple[QueueName | None, bool, str]:
    """(best queue or None, whether to stop, one sentence).

    Args:
        queues: what waits.
        estimate: of all labels and proposals.
        audit: of the labels alone.
        labelled, total: how many have a label, and how many there are.
        stop_at: share of right labels to be reached.
        things: what is labelled, in the plural.
    """
    waiting = [queue for queue in queues if queue.count and queue.name in ASKING]
    best = max(waiting, key=lambda queue: queue.worth, default=None)
    suspects = next((queue.count for queue in queues if queue.name == "suspects"), 0)
    if labelled == total or best is None:
        if suspects:
            return "suspects", False, f"All {things} are labelled: check the {suspects} doubtful labels."
        if audit.source == "audit" and audit.low >= stop_at:
            return None, True, "You can stop: the audit shows that the labels are as good as you asked for."
        return (
            "audit",
            labelled == total,
            f"All {things} are labelled: stop here, or measure the labels by the audit.",
        )
    if estimate.source != "none" and estimate.low >= stop_at:
        return (
            best.name,
            True,
            "You can stop: accept all remaining proposals (Ctrl+Enter); they are as good as you asked for.",
        )
    return best.name, False, ""
