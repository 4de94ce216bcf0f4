from typing import Any

import numpy as np
import pytest

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.reading import damage
from captcha_lab.evaluate.reading.glyphs import measure_glyphs
from captcha_lab.recognise.classifier import Classifier
from captcha_lab.store.packed.packed import PackedSet


@pytest.fixture(scope="module")
def result(recogniser: Classifier, world: PackedSet) -> Any:
    return measure_glyphs(recogniser, world)


def test_accuracy_and_calibration_of_a_trained_recogniser(result: Any) -> None:
    assert result.glyphs.value > 0.9
    assert result.captchas.trials == 120
    assert result.captchas.value <= result.glyphs.value
    assert result.confusion.sum() == result.glyphs_distinct.trials
    assert [share.trials for share in result.per_class] == result.confusion.sum(axis=1).tolist()
    assert 0 <= result.calibration.expected_error < 0.1
    assert result.speed > 0


def test_duplicates_are_taken_out(recogniser: Classifier, world: PackedSet) -> None:
    doubled = world.take(np.concatenate([np.arange(len(world)), np.flatnonzero(world.split == 2)[:40]]))
    duplicate = np.concatenate([np.zeros(len(world), np.uint8), np.ones(40, np.uint8)])
    doubled = type(doubled)(**{**vars(doubled), "duplicate": duplicate})
    result = measure_glyphs(recogniser, doubled)
    assert result.duplicates == 40
    assert result.glyphs.trials - result.glyphs_distinct.trials == 40


def test_damage_starts_at_the_clean_accuracy_and_ends_lower(result: Any) -> None:
    assert {curve.name for curve in result.damages} == {"blur", "noise", "rotation", "shift"}
    for curve in result.damages:
        assert curve.levels[0] == 0
        assert curve.shares[0].value == pytest.approx(result.glyphs_distinct.value)
        assert curve.shares[-1].value < curve.shares[0].value - 0.1, curve.name


def test_damages_do_what_their_names_say() -> None:
    rng = np.random.default_rng(0)
    image = np.full((20, 20), 255, np.uint8)
    image[10, 10] = 0
    row, column = np.argwhere(damage.shift(image, 3, rng) == 0)[0]
    assert max(abs(row - 10), abs(column - 10)) == 3
    assert damage.blur(image, 1.0, rng)[10, 10] > 150
    assert np.std(damage.noise(np.full((50, 50), 128, np.uint8), 16, rng)) == pytest.approx(16, rel=0.1)
    bar = np.full((21, 21), 255, np.uint8)
    bar[10] = 0
    assert damage.rotate(bar, 45, rng)[10, 0] > 200
    np.testing.assert_array_equal(damage.rotate(bar, 0, rng), bar)


def test_paper_comes_in_in_its_own_colour() -> None:
    rng = np.random.default_rng(0)
    dark = np.full((20, 30, 3), (10, 40, 90), np.uint8)
    for change, level in ((damage.shift, 4), (damage.rotate, 30)):
        np.testing.assert_array_equal(change(dark, level, rng), dark)


def test_without_labelled_test_glyphs_there_is_a_clear_line(recogniser: Classifier, world: PackedSet) -> None:
    with pytest.raises(CaptchaLabError, match="captcha-lab label"):
        measure_glyphs(recogniser, world.take(world.split == 0))
