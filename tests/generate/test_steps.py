"""The steps of one iteration: what is judged together."""

from __future__ import annotations

import pytest

from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.trainer import Trainer
from tests.generate.generator_tools import data, shrunk


def test_judging_together_equals_judging_one_by_one() -> None:
    """Critics that look at single images take all batches at once; the losses and penalties are the same."""
    recipe = shrunk(
        get_recipe("wgan-fc"), clip=0.0, loss="rpgan", r1=1.0, r2=0.5, optimiser="sgd"
    ).with_label()
    figures = []
    for couples in (False, True):
        trainer = Trainer(recipe, data(recipe), 3, seed=1)
        assert trainer.players.couples is False
        trainer.players.couples = couples
        figures.append([{k: float(v) for k, v in trainer.iterate().items()} for _ in range(3)][-1])
    assert figures[0] == pytest.approx(figures[1], rel=1e-4, abs=1e-5)
