"""Losses beside their formulas written out in numpy."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch

from captcha_lab.errors import UsageError
from captcha_lab.generate.losses import losses, make_loss
from captcha_lab.generate.losses.base import Adversarial
from captcha_lab.generate.losses.encoders import EvidenceBound, ModeRegularised
from captcha_lab.generate.losses.energy import AdaptiveMargin, Equilibrium
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.players.game import classification

R = np.array([0.3, -1.2, 2.5, 0.0])
F = np.array([-0.7, 1.9, -3.0, 0.4])


def judged(scores: np.ndarray) -> Criticism:
    tensor = torch.tensor(scores, dtype=torch.float64)
    return Criticism(tensor, tensor[:, None])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def formulas(name: str, **options: Any) -> Adversarial:
    """A loss that is given by two formulas."""
    return cast(Adversarial, make_loss(name, options))


pr, pf = sigmoid(R), sigmoid(F)
EXPECTED = {
    ("gan", ()): (-np.mean(np.log(pr)) - np.mean(np.log(1 - pf)), -np.mean(np.log(pf))),
    ("gan", (("smoothing", 0.1),)): (
        -np.mean(0.9 * np.log(pr) + 0.1 * np.log(1 - pr)) - np.mean(np.log(1 - pf)),
        -np.mean(np.log(pf)),
    ),
    ("minimax", ()): (-np.mean(np.log(pr)) - np.mean(np.log(1 - pf)), np.mean(np.log(1 - pf))),
    ("ali", ()): (-np.mean(np.log(pr) + np.log(1 - pf)), -np.mean(np.log(pf) + np.log(1 - pr))),
    ("lsgan", ()): (np.mean((R - 1) ** 2) / 2 + np.mean(F**2) / 2, np.mean((F - 1) ** 2) / 2),
    ("lsgan", (("half", False), ("sigmoid", True))): (
        np.mean((pr - 1) ** 2) + np.mean(pf**2),
        np.mean((pf - 1) ** 2),
    ),
    ("wgan", ()): (F.mean() - R.mean(), -F.mean()),
    ("hinge", ()): (np.maximum(0, 1 - R).mean() + np.maximum(0, 1 + F).mean(), -F.mean()),
    ("rpgan", ()): (np.log(1 + np.exp(F - R)).mean(), np.log(1 + np.exp(R - F)).mean()),
}


@pytest.mark.parametrize(("name", "options"), list(EXPECTED))
def test_formula(name: str, options: tuple[Any, ...]) -> None:
    loss = formulas(name, **dict(options))
    critic, generator = EXPECTED[name, options]
    assert float(loss.critic_loss(judged(R), judged(F))) == pytest.approx(critic, abs=1e-12)
    assert float(loss.generator_loss(judged(F), judged(R))) == pytest.approx(generator, abs=1e-12)


def test_every_formula_of_the_sources_is_checked() -> None:
    assert {name for name, _ in EXPECTED} | {"magan", "began", "mrgan", "vae", "acgan"} <= set(losses())


def test_losses_are_stable_at_extreme_scores() -> None:
    far = judged(np.array([80.0, -90.0]))
    for name in {name for name, _ in EXPECTED}:
        loss = formulas(name)
        assert torch.isfinite(loss.critic_loss(far, far)), name
        assert torch.isfinite(loss.generator_loss(far, far)), name


@pytest.mark.parametrize("name", sorted({name for name, _ in EXPECTED}))
def test_gradients_by_finite_differences(name: str) -> None:
    loss = formulas(name)

    def both(real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        r, f = Criticism(real, real[:, None]), Criticism(fake, fake[:, None])
        return loss.critic_loss(r, f), loss.generator_loss(f, r)

    inputs = tuple(torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (R, F))
    assert torch.autograd.gradcheck(both, inputs)


def test_wrong_labels_make_more_negatives_than_positives() -> None:
    loss = formulas("rpgan")
    twice = judged(np.concatenate([F, F]))
    assert float(loss.critic_loss(judged(R), twice)) == pytest.approx(
        float(loss.critic_loss(judged(R), judged(F)))
    )


def test_margin_follows_the_paper() -> None:
    loss = AdaptiveMargin(pretraining=2, epoch=2)
    real, fake = judged(np.array([-1.0, -3.0])), judged(np.array([-5.0, -0.5]))  # energies 2 and 2.75
    assert float(loss.critic_loss(real, fake)) == pytest.approx(2.0)  # only an auto-encoder at first
    loss.critic_loss(judged(np.array([-4.0, -4.0])), fake)
    assert loss.margin == pytest.approx(3.0)  # mean of the energies 2 and 4
    assert float(loss.critic_loss(real, fake)) == pytest.approx(2.0 + (0 + 2.5) / 2)
    loss.critic_loss(real, fake)
    assert loss.margin == pytest.approx(2.0)  # real 2 < 3 and 2 < 2.75: it falls
    for _ in range(2):
        loss.critic_loss(judged(np.array([-1.0, -1.0])), judged(np.array([-2.0, -2.0])))
    assert loss.margin == pytest.approx(2.0)  # the generated energy fell from 2.75 to 2: it stays
    assert float(loss.generator_loss(fake)) == pytest.approx(2.75)

    copy = AdaptiveMargin(pretraining=2, epoch=2)
    copy.restore(loss.state())
    assert copy.state() == loss.state()


def test_balance_of_began_follows_the_paper() -> None:
    loss = Equilibrium(balance=0.5, rate=0.1)
    real, fake = judged(np.array([-4.0, -2.0])), judged(np.array([-1.0, -0.5]))  # energies 3 and .75
    assert float(loss.critic_loss(real, fake)) == pytest.approx(3.0)  # k starts at 0
    assert loss.k == pytest.approx(0.1 * (0.5 * 3 - 0.75))
    assert float(loss.critic_loss(real, fake)) == pytest.approx(3.0 - 0.075 * 0.75)
    for _ in range(50):
        loss.critic_loss(real, fake)
    assert loss.k == 1.0  # held in [0, 1]
    assert float(loss.generator_loss(fake)) == pytest.approx(0.75)
    copy = Equilibrium()
    copy.restore(loss.state())
    assert copy.k == 1.0
    with pytest.raises(UsageError, match="balance is in"):
        Equilibrium(balance=2.0)


def test_mode_regulariser() -> None:
    images, rebuilt = torch.zeros(2, 1, 2, 2), torch.full((2, 1, 2, 2), 0.5)
    loss = ModeRegularised(distance=3.0, realism=0.7)
    expected = 3.0 * 0.25 - 0.7 * np.mean(np.log(pf))
    assert float(loss.reconstruction(images, rebuilt, judged(F))) == pytest.approx(expected)


def test_evidence_bound() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((3, 1, 2, 2)), rng.uniform(0.1, 0.9, (3, 1, 2, 2))
    mean, log_variance = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    cross = -(x * np.log(y) + (1 - x) * np.log(1 - y)).sum() / 3
    divergence = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum() / 3
    got = EvidenceBound(beta=2.0).bound(*map(torch.tensor, (x, y, mean, log_variance)))
    assert float(got) == pytest.approx(cross + 2 * divergence)


def test_classification_of_classes_and_attributes() -> None:
    logits = np.array([[1.0, -1.0, 0.5], [0.0, 2.0, -0.3]])
    hot = np.eye(3)[[0, 2]]
    shifted = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    got = classification(torch.tensor(logits), torch.tensor(hot), exclusive=True)
    assert float(got) == pytest.approx(-(shifted * hot).sum(1).mean())
    p, attributes = sigmoid(logits), np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    expected = -(attributes * np.log(p) + (1 - attributes) * np.log(1 - p)).mean()
    got = classification(torch.tensor(logits), torch.tensor(attributes), exclusive=False)
    assert float(got) == pytest.approx(expected)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match=r"No loss 'wgn': choose one of .*gan, .*wgan"):
        make_loss("wgn", {})
    with pytest.raises(UsageError, match="The loss lsgan has no option smoothing; it has: half, sigmoid"):
        make_loss("lsgan", {"smoothing": 0.1})
