"""What several generator tests share: recipes with tiny networks, and random data of the right shape."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from torch import nn

from captcha_lab.generate.networks import families
from captcha_lab.generate.players.streams import ArrayStream
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.training.overview import random_stream, running_statistics

BATCH = 4


def shrunk(recipe: Recipe, **changes: Any) -> Recipe:
    """The same parts with narrow layers and small images, so that a step takes milliseconds."""
    options: dict[str, Any] = {}
    for option in fields(families()[recipe.network].options):
        value = recipe.options.get(option.name, option.default)
        if option.name in ("channels", "hidden") and isinstance(value, int):
            options[option.name] = 8
        elif option.name == "categories" and value:
            options[option.name] = 3
        elif isinstance(value, list | tuple) and value and all(isinstance(v, int) for v in value):
            options[option.name] = tuple(min(v, 12) for v in value)
    c, h, _ = recipe.image_shape
    size = 32 if h > 32 else h
    small = {
        "noise_size": 6,
        "batch_size": BATCH,
        "image_shape": (c, size, size),
        "classes": 5,
        "iterations": 4,
    }
    return replace(recipe, options={**recipe.options, **options}, **{**small, **changes})


def data(recipe: Recipe, n: int = 24) -> ArrayStream:
    """Random pixels, with classes where the recipe wants them."""
    return random_stream(recipe, n)


def trainable(network: nn.Module) -> int:
    """Numbers a network learns."""
    return sum(p.numel() for p in network.parameters())


def counting_statistics(network: nn.Module) -> int:
    """Parameters as Keras counts them: running mean and variance included."""
    return trainable(network) + running_statistics(network)
