"""The steps of one iteration: what is judged together, and both players at once."""

from __future__ import annotations

import pytest
import torch
from generator_tools import data, shrunk

from captcha_lab.errors import UsageError
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.trainer import Trainer


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


def test_simultaneous_steps_start_from_the_same_networks() -> None:
    """Each player moves as it would if the other stood still: the critic as in an alternating run, the generator
    by the gradient that the critic before its step gives."""
    alternating = shrunk(get_recipe("fast"), optimiser="sgd", warmup=0, schedule="constant", ema=0.0)
    at_once = alternating.changed(simultaneous=True)
    first, both = (Trainer(recipe, data(recipe), 9, seed=3) for recipe in (alternating, at_once))
    before = [p.detach().clone() for p in both.critic_parameters]
    figures = both.iterate()
    first.iterate()
    for mine, theirs, old in zip(both.critic_parameters, first.critic_parameters, before, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)
        assert not torch.equal(mine, old)
    expected = Trainer(at_once, data(at_once), 9, seed=3)
    real, condition = expected._draw_real()
    fake, fake_condition = expected._fakes(condition)
    judged = [expected.criticise(*pair) for pair in ((real, condition), (fake, fake_condition))]
    adversarial, total = expected.generator_loss(judged[1], judged[0], fake_condition)
    expected.step_generator(total)
    assert float(figures["generator_loss"]) == pytest.approx(float(adversarial.detach()), rel=1e-4)
    for mine, theirs in zip(both.generator_parameters, expected.generator_parameters, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize("change", [{"critic_steps": 2}, {"generator_steps": 3}, {"replay": 0.5}])
def test_simultaneous_steps_go_one_to_one(change: dict) -> None:
    with pytest.raises(UsageError, match="one to one"):
        get_recipe("fast").changed(simultaneous=True, **change)
