import numpy as np
import pytest
from drawn_world import CLASSES

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate import reading
from captcha_lab.evaluate.judge import judge_half, load_judge, train_judge
from captcha_lab.evaluate.reading import measure_reading


@pytest.fixture(scope="module")
def result(recogniser, world):
    return measure_reading(recogniser, world)


def test_accuracy_and_calibration_of_a_trained_recogniser(result):
    assert result.glyphs.value > 0.9
    assert result.captchas.trials == 120
    assert result.captchas.value <= result.glyphs.value
    assert result.confusion.sum() == result.glyphs_distinct.trials
    assert [share.trials for share in result.per_class] == result.confusion.sum(axis=1).tolist()
    assert 0 <= result.calibration.expected_error < 0.1
    assert result.speed > 0


def test_duplicates_are_taken_out(recogniser, world):
    doubled = world.take(np.concatenate([np.arange(len(world)), np.flatnonzero(world.split == 2)[:40]]))
    duplicate = np.concatenate([np.zeros(len(world), np.uint8), np.ones(40, np.uint8)])
    doubled = type(doubled)(**{**vars(doubled), "duplicate": duplicate})
    result = measure_reading(recogniser, doubled)
    assert result.duplicates == 40
    assert result.glyphs.trials - result.glyphs_distinct.trials == 40


def test_damage_starts_at_the_clean_accuracy_and_ends_lower(result):
    assert {curve.name for curve in result.damages} == {"blur", "noise", "rotation", "shift"}
    for curve in result.damages:
        assert curve.levels[0] == 0
        assert curve.shares[0].value == pytest.approx(result.glyphs_distinct.value)
        assert curve.shares[-1].value < curve.shares[0].value - 0.1, curve.name


def test_damages_do_what_their_names_say():
    rng = np.random.default_rng(0)
    image = np.full((1, 20, 20), 255, np.uint8)
    image[0, 10, 10] = 0
    moved = reading.shift(image, 3, rng)
    row, column = np.argwhere(moved[0] == 0)[0]
    assert max(abs(row - 10), abs(column - 10)) == 3
    assert reading.blur(image, 1.0, rng)[0, 10, 10] > 150
    assert np.std(reading.noise(np.full((1, 50, 50), 128, np.uint8), 16, rng)) == pytest.approx(16, rel=0.1)
    bar = np.full((1, 21, 21), 255, np.uint8)
    bar[0, 10] = 0
    assert reading.rotate(bar, 45, rng)[0, 10, 0] > 200
    np.testing.assert_array_equal(reading.rotate(bar, 0, rng), bar)


def test_without_labelled_test_glyphs_there_is_a_clear_line(recogniser, world):
    with pytest.raises(CaptchaLabError, match="captcha-lab label"):
        measure_reading(recogniser, world.take(world.split == 0))


def test_the_judge_learns_from_half_the_captchas_and_never_from_held_out_ones(world):
    half = judge_half(world)
    assert not half[world.split != 0].any()
    captchas = world.source // 256
    mine, train = set(captchas[half]), set(captchas[world.split == 0])
    assert len(mine) == len(train) // 2
    assert not mine & set(captchas[(world.split == 0) & ~half])  # whole captchas: the halves are disjoint


def test_the_judge_is_another_architecture_and_reads(judge, recogniser, real):
    assert type(judge.network) is not type(recogniser.network)
    assert judge.accuracy.value > 0.85
    assert judge.classes == CLASSES
    np.testing.assert_allclose(judge.probabilities(real.held).sum(axis=1), 1, rtol=1e-5)
    assert judge.features(real.held[:3]).shape == (3, 128)


def test_the_judge_is_the_same_for_the_same_data_and_is_stored_once(world, tmp_path):
    from captcha_lab.evaluate import judge as module

    first, second = (train_judge(world, epochs=1) for _ in range(2))
    np.testing.assert_array_equal(
        first.probabilities(world.images[:5]), second.probabilities(world.images[:5])
    )
    trained, run = module.ensure_judge(world, tmp_path, epochs=1)
    again, same = module.ensure_judge(world, tmp_path)
    assert same.root == run.root
    np.testing.assert_array_equal(
        trained.probabilities(world.images[:5]), again.probabilities(world.images[:5])
    )
    assert load_judge(run.root).accuracy == trained.accuracy
    changed = type(world)(**{**vars(world), "info": {**world.info, "label_revision": 2}})
    assert module.stored_judge(changed, tmp_path) is None
