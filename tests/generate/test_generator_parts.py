"""Schedules, remedies, alarms, pixels, batches, conditions: the small parts by themselves."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from generator_tools import data, shrunk

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.generate.alarms import Alarms
from captcha_lab.generate.batches import ArrayBatches, PackedBatches, Shuffler
from captcha_lab.generate.conditioning import as_condition, one_hot, uniform_classes, wrong_condition
from captcha_lab.generate.overview import overview
from captcha_lab.generate.parallel import Group
from captcha_lab.generate.pictures import grid, save_animation, save_curves, save_picture
from captcha_lab.generate.pixels import to_images, to_network
from captcha_lab.generate.quality import RecogniserQuality, harmonic_mean
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.remedies import Average, Replay, feature_matching
from captcha_lab.generate.schedule import StepRule, learning_rate_factor, penalty_factor
from captcha_lab.generate.trainer import Trainer
from captcha_lab.store.packed import PackedSet, write_packed


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Schedules


def test_fixed_ratio_with_an_opening() -> None:
    rule = StepRule(get_recipe("face-wdcgan"))
    assert [rule.steps(k) for k in (0, 24, 25, 100)] == [(5, 2), (5, 2), (2, 1), (2, 1)]
    assert not rule.watching


def test_switches_when_the_critics_loss_falls_steadily() -> None:
    recipe = get_recipe("wdcgan").changed(opening=(500, 5, 1), switch=True, critic_steps=1, generator_steps=5)
    rule = StepRule(recipe)
    for k in range(60):  # rising, and up and down: not yet
        assert rule.steps(k) == (5, 1)
        rule.observe(k, k + (-1) ** k)
    assert rule.watching
    for k in range(60, 90):
        if not rule.watching:
            break
        rule.observe(k, -0.1 * k)
    assert rule.steps(k) == (1, 5)
    assert k < 85
    resumed = StepRule(recipe)
    resumed.restore(rule.state())
    assert resumed.steps(k) == (1, 5)


def test_switches_at_the_latest_when_the_opening_ends() -> None:
    rule = StepRule(get_recipe("wdcgan").changed(opening=(10, 5, 1), switch=True))
    assert [rule.steps(9), rule.steps(10), rule.watching] == [(5, 1), (1, 5), False]


def test_learning_rate_and_penalty_fall_along_a_cosine() -> None:
    recipe = get_recipe("dcgan").changed(schedule="cosine", warmup=10, penalty_end=0.2)
    rates = [learning_rate_factor(recipe, k, 100) for k in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[50] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0, abs=1e-12)
    assert all(later <= earlier for earlier, later in pairwise(rates[10:]))
    assert [penalty_factor(recipe, k, 100) for k in (0, 50, 100)] == pytest.approx([1.0, 0.6, 0.2])
    assert learning_rate_factor(get_recipe("dcgan"), 70, 100) == 1.0
    kept = recipe.changed(rate_end=0.25)
    assert [learning_rate_factor(kept, k, 100) for k in (0, 50, 100)] == pytest.approx(
        [0.1, 0.625, 0.25], abs=1e-3
    )


# Remedies


def test_replay_keeps_the_size_and_mixes_old_samples_with_their_conditions() -> None:
    replay, draws = Replay(size=10, share=0.5), rng()
    for k in range(8):
        images = torch.full((4, 1, 2, 2), float(k))
        condition = torch.full((4, 3), float(k))
        mixed, told = replay.mix(images, condition, draws)
        assert mixed.shape == images.shape
        assert torch.equal(mixed[:, 0, 0, 0], told[:, 0])  # every image kept its own condition
        assert bool((mixed[:2] == k).all())
        if k:
            assert bool((mixed[2:] < k).all())
    assert len(replay.images) == 10
    assert torch.equal(replay.images[:, 0, 0, 0], replay.condition[:, 0])


def test_feature_matching_formula() -> None:
    real, fake = np.random.default_rng(0).random((5, 3)), np.random.default_rng(1).random((7, 3))
    expected = ((real.mean(0) - fake.mean(0)) ** 2).sum()
    assert float(feature_matching(torch.tensor(real), torch.tensor(fake))) == pytest.approx(expected)


def test_average_of_weights() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(0.0)
    average, expected = Average(network, decay=0.5), 0.0
    for k in range(1, 6):
        with torch.no_grad():
            network.weight.fill_(float(k))
        average.update(network)
        decay = min(0.5, (1 + k) / (10 + k))
        expected = decay * expected + (1 - decay) * k
    assert float(average.network.weight.detach()) == pytest.approx(expected)


def test_judging_together_equals_judging_one_by_one() -> None:
    """Critics that look at single images take all batches at once; the losses and penalties are the same."""
    recipe = shrunk(
        get_recipe("wgan-fc"), clip=0.0, loss="rpgan", r1=1.0, r2=0.5, optimiser="sgd"
    ).with_label()
    figures = []
    for couples in (False, True):
        trainer = Trainer(recipe, data(recipe), 3, seed=1)
        assert trainer.couples is False
        trainer.couples = couples
        figures.append([{k: float(v) for k, v in trainer.iterate().items()} for _ in range(3)][-1])
    assert figures[0] == pytest.approx(figures[1], rel=1e-4, abs=1e-5)


def test_reused_images_are_the_critics() -> None:
    recipe = shrunk(get_recipe("dcgan-label"), reuse_fake=True, generator_steps=2)
    trainer = Trainer(recipe, data(recipe), 2)
    drawn = []
    original = trainer._fakes
    trainer._fakes = lambda condition: drawn.append(1) or original(condition)
    trainer.iterate()
    assert len(drawn) == 2  # one for critic and first generator step, one for the second


# Alarms


def told(alarms: Alarms, figures: list[dict], look: bool = False) -> list[str]:
    ask = alarms.evaluation if look else alarms.training
    return [alarm.kind for k, line in enumerate(figures, 1) for alarm in ask(10 * k, line)]


def test_alarm_when_the_critic_is_always_right() -> None:
    figures = [{"critic_accuracy": 1.0}] * 4 + [{"critic_accuracy": 0.9}] + [{"critic_accuracy": 1.0}] * 6
    assert told(Alarms(1000, saturates=True), figures) == ["critic"]
    assert told(Alarms(1000, saturates=False), figures) == []


def test_alarm_when_the_gradient_vanishes() -> None:
    figures = [{"generator_gradient": 2.0}] * 3 + [{"generator_gradient": 1e-6}] * 9
    assert told(Alarms(1000, True), figures) == ["vanished"]
    assert told(Alarms(1000, True), [{"generator_gradient": 1e-6}] * 20) == []


def test_alarm_when_a_figure_is_not_a_number() -> None:
    alarms = Alarms(1000, True)
    (alarm,) = alarms.training(7, {"critic_loss": math.nan})
    assert (alarm.kind, alarm.iteration) == ("nan", 7)
    assert "critic_loss is not a number any more" in alarm.message


def test_alarm_when_variety_falls() -> None:
    good, bad = {"recall": 0.8, "variance_ratio": 0.9}, {"recall": 0.2, "variance_ratio": 0.8}
    assert told(Alarms(1000, True), [good, good, bad, good, bad, bad, bad], look=True) == ["collapse"]
    assert told(Alarms(1000, True), [good] * 5, look=True) == []
    same = {"recall": 0.8, "variance_ratio": 0.3}
    assert told(Alarms(1000, True), [good, same, same], look=True) == ["collapse"]


def test_alarm_when_there_never_was_variety() -> None:
    poor = {"recall": 0.01, "variance_ratio": 0.1}
    alarms = Alarms(100, True)
    assert told(alarms, [poor, poor], look=True) == []  # still early
    assert [a.kind for k in (3, 4, 5) for a in alarms.evaluation(10 * k, poor)] == ["collapse"]


def test_plausible_images_of_few_kinds_are_a_collapse_and_noise_is_none() -> None:
    few = {"recall": 0.01, "variance_ratio": 0.7, "precision": 0.6}
    noise = {"recall": 0.0, "variance_ratio": 0.9, "precision": 0.0}
    assert told(Alarms(40, True), [few] * 4, look=True) == ["collapse"]
    assert told(Alarms(40, True), [noise] * 4, look=True) == []


def test_a_fall_of_recall_alone_is_not_called_sameness() -> None:
    alarms = Alarms(1000, True)
    good, lost = {"recall": 0.5, "variance_ratio": 1.0}, {"recall": 0.1, "variance_ratio": 1.0}
    alike = {"recall": 0.1, "variance_ratio": 0.1}
    told(alarms, [good, lost, lost], look=True)
    assert "lost part of what is real (recall fell from 0.50 to 0.10)" in alarms.raised[0].message
    alarms = Alarms(1000, True)
    told(alarms, [good, alike, alike], look=True)
    assert "has collapsed (recall fell" in alarms.raised[0].message


def test_alarms_resume() -> None:
    figures = [{"critic_accuracy": 1.0}] * 3
    first = Alarms(1000, True)
    assert told(first, figures) == []
    second = Alarms(1000, True)
    second.restore(first.state())
    assert told(second, figures) == ["critic"]
    third = Alarms(1000, True)
    third.restore(second.state())
    assert third.raised == second.raised
    assert told(third, figures * 3) == []  # once is enough


# Pixels and pictures


@pytest.mark.parametrize("limits", [(0.0, 1.0), (-1.0, 1.0)])
@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 3)])
def test_pixels_survive_the_round_trip(limits: tuple, shape: tuple) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    values = to_network(images, limits)
    assert values.shape == (3, 1 if len(shape) == 3 else 3, 4, 5)
    assert float(values.min()) >= limits[0]
    assert float(values.max()) <= limits[1]
    assert np.array_equal(to_images(values, limits), images)


def test_resizing_keeps_the_range() -> None:
    images = np.zeros((1, 28, 28), np.uint8)
    images[0, 10:18] = 255
    values = to_network(images, (-1.0, 1.0), (32, 32))
    assert values.shape == (1, 1, 32, 32)
    assert (float(values.min()), float(values.max())) == (-1.0, 1.0)


def test_grid_layout() -> None:
    images = np.arange(5, dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(3, 2)
    sheet = grid(images, 2, gap=1)
    assert sheet.shape == (8, 7)
    assert sheet[0, 0] == 0
    assert sheet[0, 4] == 1
    assert sheet[3, 0] == 2
    assert sheet[2, 0] == 255  # the gap
    assert sheet[7, 6] == 255  # the cell left over
    with pytest.raises(UsageError, match="at least 1 column"):
        grid(images, 0)


def test_animation_and_curves(tmp_path) -> None:
    from PIL import Image

    frames = [tmp_path / f"{k}.png" for k in range(3)]
    for k, frame in enumerate(frames):
        save_picture(frame, np.full((4, 4), 80 * k, np.uint8), scale=2)
    save_animation(tmp_path / "progress.gif", frames)
    with Image.open(tmp_path / "progress.gif") as moving:
        assert (moving.n_frames, moving.size) == (3, (8, 8))
    history = [
        {"iteration": k, "critic_loss": 1 / k, "generator_loss": 2.0, "wasserstein": 1.0} for k in (1, 2)
    ]
    save_curves(tmp_path / "curves.png", history, "a run")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size[0] > 400
    save_curves(tmp_path / "none.png", [], "nothing")
    assert not (tmp_path / "none.png").exists()


# Batches and conditions


def test_shuffler_visits_everything_once_an_epoch_and_resumes() -> None:
    rows = Shuffler(7, seed=3)
    drawn = np.concatenate([rows.next(3) for _ in range(7)])
    for epoch in range(3):
        assert sorted(drawn[7 * epoch : 7 * epoch + 7]) == list(range(7))
    other = Shuffler(7, seed=3)
    for _ in range(4):
        other.next(3)
    resumed = Shuffler(7, seed=3)
    resumed.restore(other.state())
    assert np.array_equal(resumed.next(9), drawn[12:21])
    assert not np.array_equal(Shuffler(7, seed=4).next(7), drawn[:7])


def test_processes_share_a_batch() -> None:
    images = np.arange(12, dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(2, 2)
    whole = ArrayBatches(images, seed=1).next(6)[0]
    parts = [ArrayBatches(images, seed=1, group=Group(rank, 2)).next(3)[0] for rank in range(2)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_packed_batches_serve_classes_and_attributes(tmp_path) -> None:
    from captcha_lab.datasets.batches import BatchOptions

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    packed = PackedSet(
        images, np.array([0] * 7 + [1, 2], np.uint8), labels=np.arange(9, dtype=np.int16) % 3,
        attributes=rng.integers(0, 2, (9, 2)).astype(np.int8), classes=("a", "b", "c"), attribute_names=("hat", "hair"),
    )  # fmt: skip
    write_packed(tmp_path / "packed.h5", packed)
    with PackedBatches(tmp_path / "packed.h5", BatchOptions(condition="classes")) as batches:
        assert batches.exclusive
        got, condition = batches.next(4)
        assert condition.shape == (4, 3)
        reference, _ = batches.reference(5)
        assert np.array_equal(reference, batches.reference(5)[0])
        before = batches.state()
        assert np.array_equal(batches.next(2)[0], (batches.restore(before), batches.next(2))[1][0])
        assert got.shape == (4, 8, 8, 3)
    with PackedBatches(tmp_path / "packed.h5", BatchOptions(condition="attributes")) as batches:
        assert not batches.exclusive
        assert batches.names == ("hat", "hair")
        recipe = shrunk(get_recipe("wgan-fc")).with_label()
        trainer = Trainer(recipe, batches, 2)
        assert all(torch.isfinite(value) for value in trainer.iterate().values())


def test_no_images_are_refused() -> None:
    with pytest.raises(CaptchaLabError, match="There are no images to train on"):
        ArrayBatches(np.empty((0, 20, 20), np.uint8))


def test_wrong_conditions_are_wrong() -> None:
    condition = uniform_classes(500, 4, rng())
    wrong = wrong_condition(condition, True, torch.rand(500, generator=rng(1)))
    assert torch.equal(wrong.sum(1), torch.ones(500))
    assert not bool((wrong.argmax(1) == condition.argmax(1)).any())
    shift = (wrong.argmax(1) - condition.argmax(1)) % 4
    assert set(shift.tolist()) == {1, 2, 3}
    attributes = (torch.rand(200, 5, generator=rng(2)) > 0.5).float()
    flipped = wrong_condition(attributes, False, torch.rand(200, generator=rng(3)))
    assert torch.equal((flipped != attributes).sum(1), torch.ones(200, dtype=torch.int64))
    with pytest.raises(UsageError, match="at least two classes"):
        wrong_condition(torch.ones(2, 1), True, torch.rand(2))


def test_conditions_from_labels() -> None:
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(UsageError, match="Class 3 asked for, but there are 3"):
        one_hot(np.array([3]), 3)
    with pytest.raises(UsageError, match="trained without labels"):
        as_condition(np.array([0]), (), True)
    with pytest.raises(UsageError, match="say which classes"):
        as_condition(None, ("a",), True)
    with pytest.raises(UsageError, match=r"must be \[N, 2\], not \[3, 1\]"):
        as_condition(np.ones((3, 1)), ("a", "b"), False)


# The judge and the overview


class Eyes:
    """A recogniser of grey levels: the class is the level, the features are the pixels."""

    def features(self, glyphs: np.ndarray) -> np.ndarray:
        return glyphs.reshape(len(glyphs), -1).astype(np.float32)

    def classify(self, glyphs: np.ndarray) -> np.ndarray:
        return glyphs.reshape(len(glyphs), -1).mean(1).astype(int) // 100


def test_the_score_wants_right_and_varied_samples() -> None:
    draw = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)
    real = (100 * labels[:, None, None] + draw.integers(0, 60, (120, 4, 4))).astype(np.uint8)
    again = (100 * labels[:, None, None] + draw.integers(0, 60, (120, 4, 4))).astype(np.uint8)
    judge = RecogniserQuality(Eyes(), real)
    good, wrong = judge(again, labels), judge(again, 1 - labels)
    same = judge(real[[0, 119]].repeat(60, 0), labels)
    assert good["gan_test"] == 1.0
    assert good["score"] > 0.8
    assert wrong["score"] == 0.0
    assert same["gan_test"] == 1.0
    assert same["score"] < 0.2
    assert "gan_test" not in judge(again, None)
    assert harmonic_mean(1.0, 0.5) == pytest.approx(2 / 3)


def test_overview_counts_every_parameter() -> None:
    made = overview(shrunk(get_recipe("wdcgan-update-label")), seconds=0.0)
    for name in ("generator", "critic"):
        layers = getattr(made, name)
        assert sum(layer.parameters for layer in layers) == made.parameters[name] > 0
    assert made.generator[-1].shape == (1, 20, 20)
    assert made.seconds_per_iteration > 0
    spectral = shrunk(get_recipe("dcgan")).changed(options={"spectral": True, "hidden": 8})
    assert "ParametrizedLinear" in {layer.kind for layer in overview(spectral, seconds=0.0).critic}
