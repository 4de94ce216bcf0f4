"""Samples from noise that is wider than that of the training."""

from dataclasses import replace

import numpy as np

from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.sampling.plan import single_samples
from captcha_lab.generate.sampling.sample import Generator
from captcha_lab.generate.training.monitor import Monitor
from captcha_lab.generate.training.trainer import Trainer
from tests.generate.generator_tools import data, shrunk


def drawn_by(recipe: Recipe) -> tuple[Generator, Monitor]:
    batches = data(recipe)
    monitor = Monitor(Trainer(recipe, batches, 1, seed=3), 24, 0)
    return monitor.generator(), monitor


def test_samples_are_drawn_from_noise_as_wide_as_the_recipe_says() -> None:
    recipe = shrunk(get_recipe("wdcgan-label"))
    plain, monitor = drawn_by(recipe)
    wide, _ = drawn_by(replace(recipe, spread=2.0))
    noise, condition = monitor.noise, monitor.condition
    assert np.array_equal(wide.images(noise, condition), plain.images(2.0 * noise, condition))
    assert not np.array_equal(wide.images(noise, condition), plain.images(noise, condition))


def test_training_is_the_same_whatever_samples_are_drawn_from() -> None:
    recipe = shrunk(get_recipe("wdcgan-label"))
    weights = []
    for spread in (1.0, 2.0):
        trainer = Trainer(replace(recipe, spread=spread), data(recipe), 2, seed=3)
        trainer.iterate()
        weights.append(next(trainer.players.generator.parameters()).detach().numpy().copy())
    assert np.array_equal(weights[0], weights[1])


def test_pictures_of_another_spread_are_other_pictures() -> None:
    recipe = shrunk(get_recipe("wdcgan-label"))
    plain, _ = drawn_by(recipe)
    wide, _ = drawn_by(replace(recipe, spread=2.0))
    assert single_samples(plain, 4, 0).fingerprint() != single_samples(wide, 4, 0).fingerprint()
