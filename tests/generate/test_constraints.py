"""Penalties beside finite differences, clipping by scope."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from captcha_lab.errors import UsageError
from captcha_lab.generate.losses.base import Adversarial
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.players.draws import Pair
from captcha_lab.generate.players.penalties import (
    clip,
    clipped_parameters,
    gradient_penalty,
    squared_gradients,
)
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.trainer import Trainer
from tests.generate.generator_tools import data, shrunk


class Curved(nn.Module):
    """A small smooth critic in float64 whose gradient differs from pixel to pixel and sample to sample."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(12, generator=rng, dtype=torch.float64))

    def forward(self, images: torch.Tensor, condition: torch.Tensor | None = None) -> Criticism:
        flat = images.flatten(1)
        score = torch.sin(flat @ self.weight) + (flat**2 @ self.weight) * 0.3
        if condition is not None:
            score = score * (1 + condition.sum(1))
        return Criticism(score, flat)


def numeric_gradients(critic: nn.Module, images: np.ndarray) -> np.ndarray:
    """[N, D] by central differences, one number at a time."""
    flat = images.reshape(len(images), -1)
    result = np.zeros_like(flat)
    for n in range(flat.shape[0]):
        for d in range(flat.shape[1]):
            values = []
            for sign in (1, -1):
                moved = flat[n].copy()
                moved[d] += sign * 1e-5
                one = torch.tensor(moved.reshape(1, *images.shape[1:]))
                values.append(float(critic(one).score.detach()[0]))
            result[n, d] = (values[0] - values[1]) / 2e-5
    return result


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    return rng.random((3, 1, 3, 4)), rng.random((3, 1, 3, 4))


def test_gradient_penalty_takes_the_norm_over_all_pixels_of_each_sample(
    images: tuple[np.ndarray, np.ndarray],
) -> None:
    critic, (real, fake) = Curved(), images
    alpha = np.array([0.2, 0.9, 0.5])
    between = alpha[:, None, None, None] * real + (1 - alpha[:, None, None, None]) * fake
    norms = np.sqrt((numeric_gradients(critic, between) ** 2).sum(1))
    got = gradient_penalty(critic, torch.tensor(real), torch.tensor(fake), None, torch.tensor(alpha))
    assert got.item() == pytest.approx(np.mean((norms - 1) ** 2), rel=1e-6)


def test_gradient_penalty_uses_the_condition(images: tuple[np.ndarray, np.ndarray]) -> None:
    critic, (real, fake) = Curved(), map(torch.tensor, images)
    alpha, condition = torch.full((3,), 0.5, dtype=torch.float64), torch.ones(3, 2, dtype=torch.float64)
    plain = gradient_penalty(critic, real, fake, None, alpha)
    assert gradient_penalty(critic, real, fake, condition, alpha).item() != pytest.approx(plain.item())


def test_gradient_penalty_can_itself_be_differentiated(images: tuple[np.ndarray, np.ndarray]) -> None:
    critic, (real, fake) = Curved(), map(torch.tensor, images)
    alpha = torch.full((3,), 0.3, dtype=torch.float64)

    def penalty(weight: torch.Tensor) -> tuple[torch.Tensor, ...]:
        critic.weight = nn.Parameter(weight.detach())
        total = gradient_penalty(critic, real, fake, None, alpha)
        return total, *torch.autograd.grad(total, critic.weight)

    start = critic.weight.detach().clone()
    _, gradient = penalty(start)
    for k in (0, 7):
        step = torch.zeros_like(start)
        step[k] = 1e-6
        slope = (penalty(start + step)[0] - penalty(start - step)[0]) / 2e-6
        assert slope.item() == pytest.approx(gradient[k].item(), rel=1e-4)


def test_r1_and_r2_are_mean_squared_gradients(images: tuple[np.ndarray, np.ndarray]) -> None:
    critic = Curved()
    real, fake = (torch.tensor(x, requires_grad=True) for x in images)
    scores = critic(real).score.sum() + critic(fake).score.sum()
    r1, r2 = (part.mean() for part in squared_gradients(scores, [real, fake]).split([3, 3]))
    for got, pixels in zip((r1, r2), images, strict=True):
        assert got.item() == pytest.approx((numeric_gradients(critic, pixels) ** 2).sum(1).mean(), rel=1e-6)


def test_a_dead_critic_has_a_finite_penalty() -> None:
    critic = Curved()
    with torch.no_grad():
        critic.weight.zero_()
    x = torch.rand(2, 1, 3, 4, dtype=torch.float64)
    penalty = gradient_penalty(critic, x, x, None, torch.full((2,), 0.5, dtype=torch.float64))
    assert penalty.item() == pytest.approx(1.0, abs=1e-5)
    (gradient,) = torch.autograd.grad(penalty, critic.weight)
    assert torch.isfinite(gradient).all()


def test_clip_scopes() -> None:
    recipe = shrunk(get_recipe("wdcgan-update"))
    trainer = Trainer(recipe, data(recipe), 1)
    critic, generator = trainer.players.critic, trainer.players.generator
    assert critic is not None
    everything = clipped_parameters(critic, generator, "all")
    assert {id(p) for p in everything} == {id(p) for p in critic.parameters()}
    held = {id(p) for p in clipped_parameters(critic, generator, "update")}
    networks: list[tuple[nn.Module, tuple[type, ...]]] = [
        (critic, (nn.Linear,)),
        (generator, (nn.Linear, nn.ConvTranspose2d)),
    ]
    for network, kinds in networks:
        for module in network.modules():
            for name, parameter in module.named_parameters(recurse=False):
                assert (id(parameter) in held) == (isinstance(module, kinds) and name == "weight")
    with pytest.raises(UsageError, match="No clip scope 'some'"):
        clipped_parameters(critic, generator, "some")


def test_clip_leaves_small_numbers_alone() -> None:
    parameter = nn.Parameter(torch.tensor([-1.0, -0.01, 0.0, 0.02, 3.0]))
    clip([parameter], 0.05)
    assert parameter.tolist() == pytest.approx([-0.05, -0.01, 0.0, 0.02, 0.05])


def test_lazy_penalty_is_as_strong_as_it_is_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the critic minimises beyond the loss itself: a penalty of 3 on every step, or 6 on every other."""
    beyond: dict[int, list[float]] = {}
    for every in (1, 2):
        recipe = shrunk(get_recipe("wdcgan-gp"), penalty_every=every)
        trainer = Trainer(recipe, data(recipe), 4)
        monkeypatch.setattr(trainer.game, "_penalty", lambda *parts: 3.0)
        beyond[every] = []
        for _ in range(4):
            images = torch.rand(2, 4, 1, 20, 20)
            judged = [trainer.players.criticise(part) for part in images]
            pairs: list[Pair] = [(part, None) for part in images]
            loss = cast(Adversarial, trainer.loss)
            total, figures = loss.criticised(trainer.game, pairs, judged, [])
            beyond[every].append(float(total.detach() - figures["critic_loss"]))
    assert beyond[1] == pytest.approx([3, 3, 3, 3], abs=1e-4)
    assert beyond[2] == pytest.approx([6, 0, 6, 0], abs=1e-4)
