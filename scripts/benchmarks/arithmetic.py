"""How a recipe's iteration is computed fastest: precision, memory format, fused optimiser, compilation.

Every way is measured in turns in one run, on a GPU where there is one, and compared with plain float32.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from captcha_lab.cli.output import say, table
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.overview import random_stream
from captcha_lab.generate.training.train import choose_device
from captcha_lab.generate.training.trainer import Trainer
from scripts.benchmarks._arguments import add_recipes
from scripts.benchmarks._machine import facts, show

RECIPES = ("face-fast", "face-dcgan", "fast", "dcgan")
ROUNDS = 5


@dataclass(frozen=True)
class Way:
    """One way to compute an iteration."""

    name: str
    precision: str = "float32"
    channels_last: bool = False
    fused: bool = True
    compiled: bool = False


WAYS = (
    Way("float32"),
    Way("float32, optimiser not fused", fused=False),
    Way("float32, channels last", channels_last=True),
    Way("float32, compiled", compiled=True),
    Way("bfloat16", "bfloat16"),
    Way("bfloat16, channels last", "bfloat16", channels_last=True),
    Way("bfloat16, channels last, compiled", "bfloat16", channels_last=True, compiled=True),
)


def trainer_for(recipe: Recipe, way: Way, device: str) -> Trainer:
    """A trainer on random pixels (the time does not depend on them) that computes in this way.

    In bfloat16 a trainer has its channels last by itself; here each way says where they are.
    """
    trainer = Trainer(recipe, random_stream(recipe, 2048), 10_000, 0, device, precision=way.precision)
    layout = torch.channels_last if way.channels_last else torch.contiguous_format
    players: list[tuple[torch.nn.Module, torch.optim.Optimizer]] = [
        (trainer.players.generator, trainer.players.generator_optimiser)
    ]
    if trainer.players.critic is not None:
        players.append((trainer.players.critic, trainer.players.critic_optimiser))
    for network, optimiser in players:
        network.to(memory_format=layout)  # type: ignore[call-overload]
        if way.compiled:
            network.compile()
        if not way.fused:
            for group in optimiser.param_groups:
                group |= {"fused": False, "foreach": True}
    return trainer


def seconds_of(work: Callable[[], object], times: int) -> float:
    """Seconds that it takes once, the device's part included."""
    started = time.perf_counter()
    for _ in range(times):
        work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / times


def measure(name: str, device: str, seconds: float) -> list[dict[str, Any]]:
    """Every way for one recipe; `refused` where torch can't compute it so."""
    recipe = get_recipe(name)
    rows: dict[str, dict[str, Any]] = {}
    running: dict[str, tuple[Trainer, int]] = {}
    for way in WAYS:
        say(f"{name}: {way.name} …")
        rows[way.name] = {"recipe": name, "way": way.name}
        try:
            trainer = trainer_for(recipe, way, device)
            seconds_of(
                trainer.iterate, recipe.penalty_every + 1
            )  # allocates, compiles, and takes every penalty once
            guess = seconds_of(trainer.iterate, recipe.penalty_every)
        except (RuntimeError, torch._dynamo.exc.TorchDynamoException) as error:
            rows[way.name]["refused"] = str(error).splitlines()[0]
            continue
        turns = max(1, round(seconds / ROUNDS / guess / recipe.penalty_every))
        running[way.name] = trainer, turns * recipe.penalty_every
    taken: dict[str, list[float]] = {key: [] for key in running}
    for _ in range(ROUNDS):
        for key, (trainer, iterations) in running.items():
            taken[key].append(seconds_of(trainer.iterate, iterations))
    first = statistics.median(taken[WAYS[0].name])
    for key, (trainer, _) in running.items():
        each = statistics.median(taken[key])
        draws = recipe.critic_steps * seconds_of(trainer.draws.real, 20)
        rows[key] |= {
            "ms": 1000 * each,
            "images_per_second": recipe.batch_size * recipe.critic_steps / each,
            "ratio": each / first,
            "data_share": draws / each,
        }
    return list(rows.values())


def report(rows: list[dict[str, Any]]) -> str:
    """A table for people."""
    lines = [
        [r["recipe"], r["way"], "", "", "", r["refused"][:60]]
        if "refused" in r
        else [
            r["recipe"], r["way"], f"{r['ms']:.1f}", f"{r['images_per_second']:,.0f}", f"{r['ratio']:.2f}",
            f"{100 * r['data_share']:.1f} %",
        ]
        for r in rows
    ]  # fmt: skip
    heads = ["recipe", "way", "ms an iteration", "real images a second", "of plain", "data"]
    return table(heads, lines, "one iteration, median; data: share of it that drawing real images takes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_recipes(parser, RECIPES, ", ".join(RECIPES))
    parser.add_argument("--seconds", type=float, default=10.0, help="about how long to measure each way")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    options = parser.parse_args()
    device = choose_device(options.device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler's remarks on what it can't do
        rows = [row for name in options.recipes for row in measure(name, device, options.seconds)]
    if not options.json:
        show(report(rows))
    print(json.dumps({"machine": facts(), "device": device, "rows": rows}))


if __name__ == "__main__":
    main()
