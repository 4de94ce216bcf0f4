"""InfoGAN's bound beside its formula, and what its codes do."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch

from captcha_lab.errors import UsageError
from captcha_lab.generate.choose import Choice, choose
from captcha_lab.generate.losses.information import Information
from captcha_lab.generate.networks.parts.codes import CodeHead, coded
from captcha_lab.generate.networks.parts.normalise import NormOptions
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.trainer import Trainer
from tests.generate.generator_tools import data, shrunk


def test_the_bound_is_the_papers() -> None:
    rng = np.random.default_rng(0)
    noise, output = rng.uniform(-1, 1, (5, 7)), rng.normal(size=(5, 3 + 4))
    logits, mean, log_deviation = output[:, :3], output[:, 3:5], output[:, 5:]
    category, codes = noise[:, :3].argmax(1), noise[:, 3:5]
    named = logits[np.arange(5), category] - np.log(np.exp(logits).sum(1))
    deviation = np.exp(log_deviation)
    density = np.exp(-((codes - mean) ** 2) / (2 * deviation**2)) / (deviation * math.sqrt(2 * math.pi))
    head = CodeHead(4, 3, 2, NormOptions())
    got = head.log_likelihood(torch.tensor(output), torch.tensor(noise))
    assert float(got[0]) == pytest.approx(named.mean())
    assert float(got[1]) == pytest.approx(np.log(density).sum(1).mean())
    assert head.entropy == pytest.approx(math.log(3) + 2 * math.log(2))


def test_categories_are_one_hot_and_equally_likely() -> None:
    noise = torch.rand(6000, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    made = coded(noise, 3)
    assert torch.equal(made[:, 3:], noise[:, 3:])
    assert torch.equal(made[:, :3].sum(1), torch.ones(6000))
    assert made[:, :3].mean(0) == pytest.approx(np.full(3, 1 / 3), abs=0.02)
    assert coded(noise, 0) is noise


def test_the_bound_rises_and_both_players_see_it() -> None:
    recipe = shrunk(get_recipe("infogan"), noise_size=12, batch_size=32)
    codes = {**recipe.options, "categories": 4, "continuous": 1}
    trainer = Trainer(replace(recipe, options=codes, learning_rate=2e-3), data(recipe), 60, seed=1)
    figures = [float(trainer.iterate()["information"]) for _ in range(60)]
    most = math.log(4) + math.log(2)  # H(c), which the categorical part can't pass
    assert np.mean(figures[-5:]) > np.mean(figures[:5]) + 0.3
    assert figures[-1] < most + 2.0
    loss, game = cast(Information, trainer.loss), trainer.game
    made, _ = game.make(None)
    term, _ = loss.information(game, trainer.players.criticise(made))
    sizes = torch.autograd.grad(term, trainer.players.generator_parameters, allow_unused=True)
    assert any(g is not None and float(g.abs().max()) > 0 for g in sizes)


def test_what_the_loss_needs() -> None:
    assert choose(Choice(loss="infogan", label=False)) == get_recipe("infogan")
    assert choose(Choice(recipe="wdcgan", loss="infogan")).options["categories"] == 32
    bare = replace(shrunk(get_recipe("dcgan")), loss="infogan")
    with pytest.raises(UsageError, match="needs networks with codes"):
        Trainer(bare, data(bare), 1).iterate()
    replayed = replace(shrunk(get_recipe("infogan")), replay=0.5)
    with pytest.raises(UsageError, match="does not go with replay"):
        Trainer(replayed, data(replayed), 1).iterate()
    with pytest.raises(UsageError, match="5 codes do not fit into 4 values of noise"):
        Trainer(shrunk(get_recipe("infogan"), noise_size=4), data(bare), 1)
