"""One of several gloo processes: trains the named recipes and, as the first process, stores what came out."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.overview import random_stream
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.parallel import Group, join_group, leave_group
from tests.generate.generator_tools import shrunk

STEPS = 3


def recipe_of(name: str) -> Recipe:
    """A small recipe by name; after a `/`, one more part that must agree over processes."""
    base, _, part = name.partition("/")
    recipe = shrunk(get_recipe(base), batch_size=8)
    if part == "spectral":
        return replace(recipe, options={**recipe.options, "spectral": True})
    if part == "r1r2":
        return replace(recipe, clip=0.0, loss="rpgan", r1=1.0, r2=1.0, ema=0.9)
    return recipe.with_label() if part == "label" else recipe


def outcome(name: str, group: Group) -> dict[str, Any]:
    """Figures of every step and all weights after the last."""
    recipe = recipe_of(name)
    batches = random_stream(recipe, 24, group=group)
    torch.manual_seed(5)  # of dropout
    trainer = Trainer(recipe, batches, STEPS, seed=2, group=group)
    figures = []
    for _ in range(STEPS):
        step = trainer.iterate()
        means = group.mean(list(step.values()))
        figures.append({key: float(value) for key, value in zip(step, means, strict=True)})
    nets = {
        "generator": trainer.players.generator,
        "critic": trainer.players.critic,
        "encoder": trainer.players.encoder,
    }
    weights = {key: net.state_dict() for key, net in nets.items() if net is not None}
    return {"figures": figures, "weights": weights}


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    target, *names = sys.argv[1:]
    members = join_group("cpu")
    results = {name: outcome(name, members) for name in names}
    if members.leads:
        torch.save(results, Path(target))
    members.wait()
    leave_group()
