"""Where an iteration's time goes: operators by their share, and the share of the processor's peak that it reaches.

The peak is what a product of two large square matrices reaches, in the same precision, on the same threads, in the same
run. Operations are those of matrix products and convolutions, forwards and backwards, two to a multiplication with its
addition; what else an iteration computes counts as time alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from captcha_lab.cli.output import say, table
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.overview import random_stream
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.generate.training.tuning import choose_precision, limited
from scripts.benchmarks._arguments import add_recipes
from scripts.benchmarks._machine import facts, show
from scripts.benchmarks.arithmetic import seconds_of

OURS = ("fast", "fast-digits", "face-fast", "whole", "whole-soft")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PEAK_SIDE = 2048  # of the square matrices whose product is taken for the processor's peak
ROUNDS = 5
NAMED = 8  # operators shown of each recipe


class Counted(TorchDispatchMode):
    """Adds up the operations of matrix products and convolutions within the block.

    By torch's own formulas; its counter also follows the modules, which a gradient inside an iteration prevents.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See torch."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.operations += count(*args, **kwargs, out_val=result)
        return result


def product(precision: str) -> Callable[[], object]:
    """Multiplies two large square matrices."""
    a, b = (torch.randn(PEAK_SIDE, PEAK_SIDE).to(PRECISIONS[precision]) for _ in range(2))
    return lambda: a @ b


def measure(name: str, asked: str) -> dict[str, Any]:
    """One recipe on random pixels, on which the time does not depend."""
    recipe = get_recipe(name)
    precision = choose_precision(recipe, asked, "cpu")
    trainer = Trainer(recipe, random_stream(recipe, 2048), 10_000, 0, "cpu", precision=precision)
    every = recipe.penalty_every  # iterations after which every term of the loss has come once

    def turn() -> None:
        for _ in range(every):
            trainer.iterate()

    turn()
    multiply = product(precision)
    multiply()
    # In turns, so that what else the machine does falls on both.
    taken = [(seconds_of(turn, 2), seconds_of(multiply, 2)) for _ in range(ROUNDS)]
    each, once = (statistics.median(times) for times in zip(*taken, strict=True))
    each /= every
    with Counted() as counted:
        turn()
    operations = counted.operations / every
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        turn()
    own = {event.key: event.self_cpu_time_total for event in profiled.key_averages()}
    total = sum(own.values())
    rate = 2 * PEAK_SIDE**3 / once
    return {
        "recipe": name,
        "precision": precision,
        "ms": 1000 * each,
        "million_operations": operations / 1e6,
        "billion_a_second": operations / each / 1e9,
        "peak_billion_a_second": rate / 1e9,
        "share_of_peak": operations / each / rate,
        "operators": {key: own[key] / total for key in sorted(own, key=lambda key: -own[key])},
    }


def report(rows: list[dict[str, Any]]) -> str:
    """Two tables for people."""
    first = table(
        ("recipe", "precision", "ms an iteration", "million operations", "of the peak"),
        [
            (
                r["recipe"], r["precision"], f"{r['ms']:.1f}", f"{r['million_operations']:,.0f}",
                f"{100 * r['share_of_peak']:.0f} % of {r['peak_billion_a_second']:,.0f} billion a second",
            )
            for r in rows
        ],
    )  # fmt: skip
    second = table(
        ("recipe", "where its time goes"),
        [
            (r["recipe"], ", ".join(f"{key} {100 * share:.0f} %" for key, share in _first(r["operators"])))
            for r in rows
        ],
        "operators of torch by their own time, while being observed",
    )
    return f"{first}\n{second}"


def _first(operators: dict[str, float]) -> list[tuple[str, float]]:
    return list(operators.items())[:NAMED]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_recipes(parser, OURS, ", ".join(OURS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="auto", choices=["auto", *PRECISIONS])
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    options = parser.parse_args()
    rows = []
    with limited(options.threads):
        for name in options.recipes:
            say(f"{name} …")
            rows.append(measure(name, options.precision))
    if not options.json:
        show(report(rows))
    print(json.dumps({"benchmark": "profile", "machine": facts(), "threads": options.threads, "rows": rows}))


if __name__ == "__main__":
    main()
