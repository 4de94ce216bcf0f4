"""Histograms of critic weights: what a clip does to them and a penalty does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from captcha_lab.errors import UsageError
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.generate.watching.weights import (
    critic_weights,
    layer_weights,
    save_weight_histograms,
    share_at_limit,
)
from tests.generate.generator_tools import data


def trained(name: str) -> np.ndarray:
    recipe = replace(get_recipe(name), batch_size=16, learning_rate=5e-3)
    trainer = Trainer(recipe, data(recipe), 15, seed=0)
    for _ in range(15):
        trainer.iterate()
    assert trainer.players.critic is not None
    return critic_weights(trainer.players.critic.state_dict())


def test_a_clip_gathers_the_weights_at_its_limits_and_a_penalty_does_not(tmp_path: Path) -> None:
    clipped, penalised = trained("wgan-fc"), trained("wgan-fc-gp")
    assert share_at_limit(clipped, 0.05) > 0.1
    assert share_at_limit(penalised, 0.05) < 0.05
    picture = tmp_path / "weights.png"
    save_weight_histograms(picture, {"clip": clipped, "penalty": penalised}, 0.05)
    with Image.open(picture) as opened:
        assert opened.width > opened.height > 100


def test_only_connection_weights_are_counted() -> None:
    state = {"a.weight": torch.zeros(2, 3), "a.bias": torch.ones(2), "n.running_var": torch.ones(2)}
    assert critic_weights(state).tolist() == [0.0] * 6
    assert list(layer_weights(state)) == ["a"]
    with pytest.raises(UsageError, match="holds no weights"):
        critic_weights({"a.bias": torch.ones(2)})


def test_shares_at_the_limit(tmp_path: Path) -> None:
    weights = np.array([-0.05, -0.0496, 0.0, 0.0503, 0.049, 0.06])
    assert share_at_limit(weights, 0.05) == pytest.approx(3 / 6)
    with pytest.raises(UsageError, match="above 0"):
        share_at_limit(weights, 0.0)
    with pytest.raises(UsageError, match="no weights to draw"):
        save_weight_histograms(tmp_path / "none.png", {}, 0.05)
