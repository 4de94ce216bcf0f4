"""When training is called collapsed, stuck or broken."""

from __future__ import annotations

import math
from typing import Any

from captcha_lab.generate.watching.alarms import Alarms


def raised(
    alarms: Alarms, figures: list[dict[str, Any]], evaluated: bool = False, start: int = 0
) -> list[str]:
    """Kinds of alarms raised by log entries every 10 iterations, or by evaluations every 100."""
    ask, every = (alarms.evaluation, 100) if evaluated else (alarms.training, 10)
    return [alarm.kind for k, line in enumerate(figures, 1) for alarm in ask(start + every * k, line)]


def test_alarm_when_the_critic_is_always_right() -> None:
    figures = [{"critic_accuracy": 1.0}] * 4 + [{"critic_accuracy": 0.9}] + [{"critic_accuracy": 1.0}] * 6
    assert raised(Alarms(1000, saturates=True), figures) == ["critic"]
    assert raised(Alarms(1000, saturates=False), figures) == []


def test_alarm_when_the_gradient_vanishes() -> None:
    figures = [{"generator_gradient": 2.0}] * 3 + [{"generator_gradient": 1e-6}] * 9
    assert raised(Alarms(1000, True), figures) == ["vanished"]
    assert raised(Alarms(1000, True), [{"generator_gradient": 1e-6}] * 20) == []


def test_alarm_when_a_figure_is_not_a_number() -> None:
    alarms = Alarms(1000, True)
    (alarm,) = alarms.training(7, {"critic_loss": math.nan})
    assert (alarm.kind, alarm.iteration) == ("nan", 7)
    assert "critic_loss is not a number any more" in alarm.message


def test_alarm_when_variety_falls() -> None:
    good, bad = {"recall": 0.8, "variance_ratio": 0.9}, {"recall": 0.2, "variance_ratio": 0.8}
    assert raised(Alarms(1000, True), [good, good, bad, good, bad, bad, bad], evaluated=True) == ["collapse"]
    assert raised(Alarms(1000, True), [good] * 5, evaluated=True) == []
    same = {"recall": 0.8, "variance_ratio": 0.3}
    assert raised(Alarms(1000, True), [good, same, same], evaluated=True) == ["collapse"]


def test_alarm_when_there_never_was_variety() -> None:
    poor = {"recall": 0.01, "variance_ratio": 0.1}
    alarms = Alarms(1000, True)
    assert raised(alarms, [poor, poor], evaluated=True) == []  # still early
    assert raised(alarms, [poor] * 3, evaluated=True, start=400) == ["collapse"]


def test_a_run_of_a_few_iterations_has_hardly_begun() -> None:
    alarms = Alarms(11, True)
    assert all(not alarms.evaluation(k, {"recall": 0.0, "variance_ratio": 0.1}) for k in range(1, 12))


def test_a_generator_that_still_gains_variety_has_not_collapsed() -> None:
    """Convolutional generators start all alike: a DCGAN's first evaluations in a minute, variance .02 to .9."""
    gains = [0.02, 0.03, 0.04, 0.06, 0.09, 0.16, 0.29, 0.45, 0.58, 0.68, 0.77, 0.83]
    evaluations = [{"recall": 0.0, "variance_ratio": v, "precision": 0.4} for v in gains]
    alarms = Alarms(2000, True)
    assert raised(alarms, evaluations, evaluated=True) == []
    again = Alarms(2000, True)
    again.restore(alarms.state())
    stuck = [{"recall": 0.0, "variance_ratio": 0.85, "precision": 0.4}] * 7
    for follows in (alarms, again):
        assert raised(follows, stuck, evaluated=True, start=1200) == ["collapse"]
        # Evaluations 15 to 17 are no better than those four before them.
        assert follows.raised[0].iteration == 1700


def test_plausible_images_of_few_kinds_are_a_collapse_and_noise_is_none() -> None:
    few = {"recall": 0.01, "variance_ratio": 0.7, "precision": 0.6}
    noise = {"recall": 0.0, "variance_ratio": 0.9, "precision": 0.0}
    assert raised(Alarms(400, True), [few] * 4, evaluated=True) == ["collapse"]
    assert raised(Alarms(400, True), [noise] * 4, evaluated=True) == []


def test_a_fall_of_recall_alone_is_not_called_sameness() -> None:
    alarms = Alarms(1000, True)
    good, lost = {"recall": 0.5, "variance_ratio": 1.0}, {"recall": 0.1, "variance_ratio": 1.0}
    alike = {"recall": 0.1, "variance_ratio": 0.1}
    raised(alarms, [good, lost, lost], evaluated=True)
    assert "lost part of what is real (recall fell from 0.50 to 0.10)" in alarms.raised[0].message
    alarms = Alarms(1000, True)
    raised(alarms, [good, alike, alike], evaluated=True)
    assert "has collapsed (recall fell" in alarms.raised[0].message


def test_a_slow_decline_is_told_and_a_single_bad_evaluation_is_none() -> None:
    """The recall of an unlabelled DCGAN trained six times as long as the thesis did, every fourth evaluation."""
    recalls = [0.46, 0.58, 0.62, 0.68, 0.68, 0.65, 0.54, 0.70, 0.68, 0.66, 0.73, 0.68, 0.66, 0.58]
    evaluations = [{"recall": r, "variance_ratio": 0.9, "precision": 0.9} for r in recalls]
    alarms = Alarms(3000, True)
    assert raised(alarms, evaluations, evaluated=True) == []
    again = Alarms(3000, True)
    again.restore(alarms.state())
    past = [{"recall": r, "variance_ratio": 0.9, "precision": 0.9} for r in (0.59, 0.57, 0.55, 0.56, 0.54)]
    for follows in (alarms, again):
        assert raised(follows, past, evaluated=True, start=1400) == ["decline"]
        assert "past its best (recall of the last 5 evaluations 0.5" in follows.raised[0].message


def test_alarms_resume() -> None:
    figures = [{"critic_accuracy": 1.0}] * 3
    first = Alarms(1000, True)
    assert raised(first, figures) == []
    second = Alarms(1000, True)
    second.restore(first.state())
    assert raised(second, figures, start=30) == ["critic"]
    third = Alarms(1000, True)
    third.restore(second.state())
    assert third.raised == second.raised
    assert raised(third, figures * 3, start=60) == []  # once is enough


def test_a_few_perfect_iterations_are_no_alarm() -> None:
    """Short runs log every iteration: five perfect batches in a row happen while all is well."""
    alarms = Alarms(60, True)
    found = [alarms.training(k, {"critic_accuracy": 1.0}) for k in range(1, 60)]
    assert [bool(a) for a in found].index(True) + 1 == 51
