"""Where the work on whole captchas stands, and when to stop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from captcha_lab.label.questions.advice import advise, labels_to_go
from captcha_lab.label.questions.audit import audit_estimate
from captcha_lab.label.questions.texts.figures import character_counts, text_confusions, text_estimate
from captcha_lab.label.questions.texts.state import TextState
from captcha_lab.label.questions.types import CurvePoint, LabelPanel, Queue


def text_panel(state: TextState, queues: Sequence[Queue], alphabet: Iterable[str]) -> LabelPanel:
    """The panel of a state whose choice is up to date, with its queues; `alphabet` is counted even where unused."""
    images, labels, target = state.images, state.labels, state.config.stop_at
    estimate = text_estimate(images, labels, state.readings)
    audits = list(state.audits.values())
    audit = audit_estimate(audits.count(False), len(audits), len(labels))
    by_hand, waiting = state.by_hand(), state.waiting()
    curve = tuple(p for p in state.history if p.labels < by_hand)
    if estimate.trials:
        curve += (CurvePoint(by_hand, estimate.value),)
    best, stop, advice = advise(queues, estimate, audit, len(labels), len(images), target, "captchas")
    return LabelPanel(
        revision=state.revision,
        unit="captcha",
        total=len(images),
        labelled=len(labels),
        by_hand=by_hand,
        keystrokes=state.log.keystrokes(),
        estimate=estimate,
        audit=audit,
        curve=curve,
        target=target,
        labels_to_go=labels_to_go(curve, estimate.value, target) if estimate.trials else None,
        waiting=len(waiting),
        waiting_right=sum(waiting.values()) / len(waiting) if waiting else 1.0,
        confusions=text_confusions(
            (labels[k].value, r.text) for k, r in state.crossed.items() if k in labels
        ),
        characters=character_counts(alphabet, labels),
        best_queue=best,
        stop=stop,
        advice=advice,
        stale=state.stale(),
    )
