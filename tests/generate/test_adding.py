"""A recipe, a loss and a network family are each added by one file: no list elsewhere names them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from captcha_lab.generate import losses, networks, recipes
from captcha_lab.generate.choose import Choice, choose
from captcha_lab.generate.training.trainer import Trainer
from tests.generate.generator_tools import data

Add = Callable[[ModuleType, str], None]


def forget() -> None:
    for known in (losses.losses, networks.families, recipes.recipes):
        known.cache_clear()


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    def write(package: ModuleType, text: str) -> None:
        folder = tmp_path / package.__name__
        folder.mkdir(exist_ok=True)
        (folder / f"added_to_{package.__name__.rpartition('.')[2]}.py").write_text(textwrap.dedent(text))
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
        forget()

    yield write
    monkeypatch.undo()
    forget()


RECIPE = """
    from dataclasses import replace
    from captcha_lab.generate.recipes.thesis import WGAN_FC
    RECIPES = (replace(WGAN_FC, name="added", batch_size=4, iterations=2),)
"""
LOSS = """
    from captcha_lab.generate.losses.base import Adversarial, LossFamily

    class Cubic(Adversarial):
        def critic_loss(self, real, fake):
            return (fake.score - real.score).pow(3).mean()

        def generator_loss(self, fake, real=None):
            return -fake.score.pow(3).mean()

    LOSSES = (LossFamily("cubic", "for a test", Cubic, recipe="wgan-fc"),)
"""
NETWORK = """
    from captcha_lab.generate.networks.base import Family
    from captcha_lab.generate.networks.fc import FcCritic, FcGenerator, FcOptions
    FAMILY = Family("added", "for a test", FcOptions, FcGenerator, FcCritic)
"""


def test_a_recipe_is_one_file(add: Add) -> None:
    add(recipes, RECIPE)
    recipe = choose(Choice(recipe="added"))
    assert recipe.batch_size == 4


def test_a_loss_is_one_file(add: Add) -> None:
    add(losses, LOSS)
    recipe = choose(Choice(loss="cubic", batch_size=4))
    assert (recipe.loss, recipe.network) == ("cubic", "fc")
    figures = Trainer(recipe, data(recipe), 2).iterate()
    assert torch.isfinite(figures["critic_loss"])


def test_a_network_family_is_one_file(add: Add) -> None:
    add(networks, NETWORK)
    recipe = choose(Choice(recipe="wgan-fc", batch_size=4, changes=("network=added",)))
    assert torch.isfinite(Trainer(recipe, data(recipe), 2).iterate()["generator_loss"])
