import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captcha_lab.errors import UsageError
from captcha_lab.evaluate.audit.advice import _remedy
from captcha_lab.evaluate.audit.audit import (
    audit,
    character_uniformity,
    cut_facts,
    endpoint_facts,
    shape_facts,
)
from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.evaluate.audit.effort import (
    EffortPoint,
    Milestone,
    Remedy,
    guided_curve,
    milestones,
    spread_text,
    time_text,
)
from captcha_lab.evaluate.audit.html import write_audit
from captcha_lab.evaluate.reading.glyphs import measure_glyphs
from captcha_lab.metrics.intervals import wilson
from captcha_lab.recognise.classifier import Classifier
from captcha_lab.store.packed.packed import PackedSet
from tests.helpers import present

FLAGS = {k: ["", "", "seam", "fragment"] if k % 2 else [""] * 4 for k in range(375)}


@pytest.fixture(scope="module")
def found(world: PackedSet, recogniser: Classifier) -> Any:
    config = AuditConfig(first=60, epochs=3, remedy_epochs=2)
    reading = measure_glyphs(recogniser, world)
    return audit(world, FLAGS, {"received": 400}, 25, 4, recogniser, reading, config)


def test_endpoint_by_the_birthday_estimate() -> None:
    assert endpoint_facts({}, 0) is None
    assert present(endpoint_facts({"received": 100}, 0)).population is None
    assert present(endpoint_facts({"received": 100}, 10)).population == pytest.approx(495)


def test_shapes_ignore_the_inks_grey() -> None:
    glyphs = np.full((4, 5, 5), 255, np.uint8)
    glyphs[0, 1, 1], glyphs[1, 1, 1], glyphs[2, 2, 2] = 10, 90, 10
    shapes = shape_facts(glyphs)
    assert (shapes.distinct, shapes.unseen_chance) == (3, 0.5)


def test_cuts_and_characters() -> None:
    clean, tally = cut_facts({1: ["", ""], 2: ["seam", "fragment seam"]})
    assert clean.value == 0.5
    assert tally == {"seam": 2, "fragment": 1}
    assert character_uniformity(np.arange(100) % 4, 4) == pytest.approx(1)
    assert character_uniformity(np.zeros(100, int), 4) < 1e-6


def test_milestones_count_keystrokes() -> None:
    points = [EffortPoint(n, 5 * n, wilson(right, 100)) for n, right in ((10, 30), (20, 60), (40, 92))]
    reached = milestones(points, AuditConfig(seconds_per_keystroke=0.6))
    assert [(m.keystrokes, m.minutes) for m in reached] == [(100, 1.0), (200, 2.0), (None, None)]
    assert reached[1].told == "200 keystrokes, 2 minutes of typing"
    assert reached[2].told == "not reached"
    assert spread_text(reached[1]) == ""
    assert spread_text(Milestone(0.5, 20, 0.2, 20, 20)) == "the same for every labeller"
    assert spread_text(Milestone(0.5, 20, 0.2, 16, None)) == "16 to more than was tried, by labeller"


def test_times_as_people_say_them() -> None:
    assert [time_text(m) for m in (0.0, 0.37, 0.99, 1.0, 1.4, 1.6, 4.2)] == [
        "under a minute", "under a minute", "under a minute", "a minute", "a minute", "2 minutes", "4 minutes"
    ]  # fmt: skip


def test_the_guided_curve_is_a_mean_of_labellers_with_its_spread(world: PackedSet) -> None:
    train = world.part("train")
    rng = np.random.default_rng(0)
    guess = rng.permutation(present(train.labels))
    right = present(train.labels).astype(np.int64)
    # Two labellers give the right classes from 20 keys on, the third one only with its 41st.
    labellers = [[(10, guess), (20 + k, right), (40 + k, right)] for k in range(2)]
    labellers += [[(10, guess), (20, guess), (41, right)]]
    config = AuditConfig(epochs=12, seconds_per_keystroke=1.2)
    points, reached = guided_curve(world, labellers, config)
    assert [p.captchas for p in points] == [210] * 3
    assert points[0].keystrokes == 10
    for point in points:
        assert present(point.low) <= point.accuracy.value <= present(point.high)
        assert point.accuracy.trials == 120
    assert present(points[1].high) - present(points[1].low) > 0.3
    half = reached[0]
    assert (half.keystrokes, half.low, half.high) == (20, 20, 41)
    assert half.told == "20 keystrokes, under a minute of typing"
    alone, _ = guided_curve(world, labellers[:1], config)
    assert alone[0].low is None
    assert guided_curve(world, [], config) == ([], milestones([], config))


def test_more_labels_read_more(found: Any) -> None:
    accuracies = [point.accuracy.value for point in found.points]
    assert [point.captchas for point in found.points] == [60, 120, 210]
    assert accuracies[-1] > accuracies[0]
    assert found.points[0].keystrokes == 300


def test_a_full_audit_says_what_helps(found: Any, tmp_path: Path) -> None:
    assert found.clean.value == pytest.approx(188 / 375)
    assert len(found.remedies) == 4
    assert all(share.value < 1 for _, share in found.resisting)
    assert "25 of 400 captchas came a second time" in found.advice[0]
    for remedy in found.remedies:
        line = next(line for line in found.advice if line.lower().startswith(remedy.name))
        assert ("would help:" in line) == (remedy.prepared.value < 0.5)
    json_path, html_path = write_audit(found, tmp_path)
    assert json.loads(json_path.read_text())["verdict"] == found.verdict
    page = html_path.read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert found.advice[0] in page


class Blind:
    """Reads the first class everywhere."""

    size = 20

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes

    def features(self, glyphs: Any) -> Any:
        raise AssertionError("nobody asks for them")

    examine = features

    def probabilities(self, glyphs: Any) -> Any:
        return np.eye(len(self.classes), dtype=np.float32)[np.zeros(len(glyphs), int)]


def test_where_nothing_is_read_no_remedy_is_praised(world: PackedSet) -> None:
    blind = Blind(world.classes)
    config = AuditConfig(first=210, epochs=1)
    found = audit(world, FLAGS, {}, 0, 4, blind, measure_glyphs(blind, world), config)
    assert found.remedies == []
    assert "hardly reads" in found.notes[0]
    assert "learned from 210 captchas" in found.verdict
    assert "resists this attack" in found.verdict


def test_a_change_that_does_nothing_is_said_as_such() -> None:
    still = Remedy("blur", 1.0, "pixels", wilson(97, 100), wilson(95, 100))
    assert (
        _remedy(still) == "Blur of 1 (pixels) would not help: today's reader still reads 97 % of the glyphs."
    )


def test_without_labels_it_says_what_it_can(world: PackedSet) -> None:
    found = audit(world.take(np.arange(40)), FLAGS, {}, 0, 4, None, None, AuditConfig())
    assert found.reading is None
    assert "none is labelled" in found.verdict
    assert "captcha-lab label" in found.notes[0]


@pytest.mark.parametrize("field", ["first", "epochs", "remedy_epochs", "labellers", "seconds_per_keystroke"])
def test_impossible_settings_are_refused(field: str) -> None:
    with pytest.raises(UsageError):
        AuditConfig(**{field: 0})  # type: ignore[arg-type]
