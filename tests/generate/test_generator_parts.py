"""Schedules, remedies, alarms, pixels, batches, conditions: the small parts by themselves."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from captcha_lab.errors import UsageError
from captcha_lab.generate.pixels import to_images, to_network
from captcha_lab.generate.players.game import penalty_factor
from captcha_lab.generate.players.remedies import Average, Replay, feature_matching
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.overview import overview
from captcha_lab.generate.training.schedule import StepRule, falling, learning_rate_factor
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.generate.watching.pictures import (
    curves_figure,
    grid,
    save_animation,
    save_curves,
    save_picture,
    save_strip,
)
from captcha_lab.generate.watching.quality import RecogniserQuality, harmonic_mean
from tests.generate.generator_tools import data, shrunk


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Schedules


def test_fixed_ratio_with_an_opening() -> None:
    rule = StepRule(get_recipe("face-wdcgan"))
    assert [rule.steps(k) for k in (0, 24, 25, 100)] == [(5, 2), (5, 2), (2, 1), (2, 1)]
    assert not rule.watching


RESTATED = replace(get_recipe("wdcgan-update-restated"), opening=(50, 5, 1))


def switched_at(losses: list[float]) -> int:
    """The iteration at which the opening ends; -1 while it lasts."""
    rule = StepRule(RESTATED)
    for k, loss in enumerate(losses):
        rule.steps(k)
        if rule.watching:
            rule.observe(k, loss)
    return rule.switched_at


def test_noise_does_not_end_the_opening() -> None:
    draw = np.random.default_rng(0)
    ends = [switched_at(draw.normal(size=50).tolist()) for _ in range(300)]
    assert np.mean(np.array(ends) >= 0) < 0.05


def test_a_critics_loss_that_falls_steadily_ends_the_opening() -> None:
    draw = np.random.default_rng(0)
    falls = -0.1 * np.arange(50)
    ends = [switched_at((falls + draw.normal(0, 0.5, 50)).tolist()) for _ in range(100)]
    assert np.mean(np.array(ends) >= 0) > 0.95
    assert switched_at((-falls).tolist()) == -1
    rule = StepRule(RESTATED)
    for k in range(40):
        rule.observe(k, -0.1 * k)
    assert rule.steps(40) == (1, 5)
    resumed = StepRule(RESTATED)
    resumed.restore(rule.state())
    assert resumed.steps(40) == (1, 5)


def test_the_trend_test_against_the_formula() -> None:
    assert falling([4.0, 3.0, 2.0, 1.0]) == pytest.approx(6 / np.sqrt(4 * 3 * 13 / 18))
    assert falling([1.0, 2.0, 2.0]) == pytest.approx(-2 / np.sqrt(3 * 2 * 11 / 18))


def test_switches_at_the_latest_when_the_opening_ends() -> None:
    rule = StepRule(replace(get_recipe("wdcgan"), opening=(10, 5, 1), switch=True))
    assert [rule.steps(9), rule.steps(10), rule.watching] == [(5, 1), (1, 5), False]


def test_learning_rate_and_penalty_fall_along_a_cosine() -> None:
    recipe = replace(get_recipe("dcgan"), schedule="cosine", warmup=10, penalty_end=0.2)
    rates = [learning_rate_factor(recipe, k, 100) for k in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[50] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0, abs=1e-12)
    assert all(later <= earlier for earlier, later in pairwise(rates[10:]))
    assert [penalty_factor(recipe, k, 100) for k in (0, 50, 100)] == pytest.approx([1.0, 0.6, 0.2])
    assert learning_rate_factor(get_recipe("dcgan"), 70, 100) == 1.0
    kept = replace(recipe, rate_end=0.25)
    assert [learning_rate_factor(kept, k, 100) for k in (0, 50, 100)] == pytest.approx(
        [0.1, 0.625, 0.25], abs=1e-3
    )


def test_the_generator_has_a_rate_of_its_own() -> None:
    # The first step of Adam is as long as the rate, whatever the gradient.
    recipe = replace(shrunk(get_recipe("dcgan")), critic_steps=1, generator_steps=1)
    steps = {}
    for rate in (1.0, 3.0):
        trainer = Trainer(replace(recipe, generator_rate=rate), data(recipe), 10, seed=1)
        assert trainer.players.critic is not None
        networks = (trainer.players.critic, trainer.players.generator)
        before = [next(network.parameters()).detach().clone() for network in networks]
        trainer.iterate()
        steps[rate] = [
            float((next(network.parameters()).detach() - old).abs().max())
            for network, old in zip(networks, before, strict=True)
        ]
    critic, generator = (steps[3.0][k] / steps[1.0][k] for k in (0, 1))
    assert (critic, generator) == pytest.approx((1.0, 3.0), rel=1e-3)


# Remedies


def test_replay_keeps_the_size_and_mixes_old_samples_with_their_conditions() -> None:
    replay, draws = Replay(0.5, size=10), rng()
    for k in range(8):
        images = torch.full((4, 1, 2, 2), float(k))
        condition = torch.full((4, 3), float(k))
        mixed, told = replay.mix(images, condition, draws)
        assert told is not None
        assert mixed.shape == images.shape
        assert torch.equal(mixed[:, 0, 0, 0], told[:, 0])  # every image kept its own condition
        assert bool((mixed[:2] == k).all())
        if k:
            assert bool((mixed[2:] < k).all())
    assert replay.images is not None
    assert replay.condition is not None
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
    assert float(average.network.get_parameter("weight").detach()) == pytest.approx(expected)


# Pixels and pictures


@pytest.mark.parametrize("limits", [(0.0, 1.0), (-1.0, 1.0)])
@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 3)])
def test_pixels_survive_the_round_trip(limits: tuple[Any, ...], shape: tuple[Any, ...]) -> None:
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


def test_animation_and_curves(tmp_path: Path) -> None:
    from PIL import Image

    frames = [tmp_path / f"{k}.png" for k in range(3)]
    for k, frame in enumerate(frames):
        save_picture(frame, np.full((4, 4), 80 * k, np.uint8), scale=2)
    save_animation(tmp_path / "progress.gif", frames)
    with Image.open(tmp_path / "progress.gif") as moving:
        assert (getattr(moving, "n_frames", 0), moving.size) == (3, (8, 8))
    history = [
        {"iteration": k, "critic_loss": 1 / k, "generator_loss": 2.0, "wasserstein": 1.0} for k in (1, 2)
    ]
    save_curves(tmp_path / "curves.png", history, "a run")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size[0] > 400
    with Image.open(tmp_path / "curves.png") as picture:
        without = picture.size
    switch = {"kind": "switch", "iteration": 2}
    more = [{**line, "critic_loss": -1.0, "real_probability": 0.5} for line in history]
    save_curves(tmp_path / "more.png", [*more, switch], "a run", 0.1)
    with Image.open(tmp_path / "more.png") as picture:
        assert picture.size[1] > without[1]  # the probabilities have a panel of their own
    save_strip(tmp_path / "strip.png", [k for k in frames for _ in range(5)], most=2)
    with Image.open(tmp_path / "strip.png") as still:
        assert still.size == (2 * 8 + 4, 8)
    save_curves(tmp_path / "none.png", [], "nothing")
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize(("critic", "scale"), [([4.0, 0.5], "log"), ([-4.0, 0.5], "symlog")])
def test_each_quantity_has_its_own_axis_and_losses_a_logarithmic_one(critic: list[float], scale: str) -> None:
    """Figure 4-8, whose Wasserstein losses are negative as well."""
    estimates, real, fake = [0.1, 3.0], [0.9, 0.6], [0.1, 0.4]
    history: list[dict[str, Any]] = [
        {
            "iteration": k + 1, "critic_loss": critic[k], "generator_loss": 2.0, "wasserstein": estimates[k],
            "real_probability": real[k], "fake_probability": fake[k],
        }
        for k in range(2)
    ]  # fmt: skip
    figure = curves_figure([*history, {"kind": "switch", "iteration": 2}])
    assert figure is not None
    drawn = {
        axes.get_ylabel(): {line.get_label(): np.asarray(line.get_ydata()).tolist() for line in axes.lines}
        for axes in figure.axes
    }
    assert drawn["loss"]["critic"] == critic
    assert [axes.get_yscale() for axes in figure.axes] == [scale, "linear", "linear"]
    assert estimates in drawn["estimate"].values()
    assert drawn["probability"]["D(x)"] == real
    assert drawn["probability"]["D(G(z))"] == fake
    assert all(
        [2, 2] in [np.asarray(line.get_xdata()).tolist() for line in axes.lines] for axes in figure.axes
    )  # the switch


# The judge and the overview


class Eyes:
    """A recogniser of grey levels: the class is the level, the features are the pixels."""

    classes: tuple[str, ...] = ("0", "1", "2")
    size = 4

    def probabilities(self, glyphs: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def features(self, glyphs: np.ndarray) -> np.ndarray:
        return glyphs.reshape(len(glyphs), -1).astype(np.float32)

    def examine(self, glyphs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features = self.features(glyphs)
        return features, features.mean(1).astype(int) // 100


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
    twice = again.repeat(2, 1).repeat(2, 2)  # a recipe that works at a size of its own
    assert judge(twice, labels)["gan_test"] == 1.0
    assert harmonic_mean(1.0, 0.5) == pytest.approx(2 / 3)


def test_overview_counts_every_parameter() -> None:
    made = overview(shrunk(get_recipe("wdcgan-update-label")), seconds=0.0)
    for name in ("generator", "critic"):
        layers = getattr(made, name)
        assert sum(layer.parameters for layer in layers) == made.parameters[name] > 0
    keras = overview(get_recipe("cs231n-wgan-gp"), seconds=0.0)
    assert (keras.totals["critic"], keras.parameters["critic"]) == (3_411_649, 3_411_393)
    assert made.generator[-1].shape == (1, 20, 20)
    assert made.seconds_per_iteration > 0
    spectral = replace(shrunk(get_recipe("dcgan")), options={"spectral": True, "hidden": 8})
    assert "ParametrizedLinear" in {layer.kind for layer in overview(spectral, seconds=0.0).critic}
