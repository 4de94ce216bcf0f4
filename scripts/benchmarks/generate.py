"""Quality for the same seconds: every 20x20 recipe trained for one wall-clock budget on the thesis's captchas.

Scored by a recogniser, and by the independent judge, beside real against real. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from captcha_lab.cli.output import say, table
from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.measures import MEASURES
from captcha_lab.generate.choose import Choice
from captcha_lab.generate.config import TrainConfig as GeneratorConfig
from captcha_lab.generate.recipes import recipes
from scripts.benchmarks._generators import SHOWN, Trained, figures, prepared, train_and_score
from scripts.benchmarks._machine import facts

GLYPHS = (1, 20, 20)


def glyph_recipes() -> list[str]:
    """The recipes made for 20x20 glyphs."""
    return [recipe.name for recipe in recipes().values() if recipe.image_shape == GLYPHS]


def row(trained: Trained) -> dict[str, Any]:
    return {
        "recipe": trained.recipe,
        "iterations": trained.iterations,
        "seconds": trained.seconds,
        "seconds_to_printed_best": trained.reached,
        "faults": list(trained.result.verdict.faults),
        "alarms": list(trained.alarms),
        **figures(trained.result),
    }


def measure(names: list[str], seconds: float, gan_train: bool) -> dict[str, Any]:
    """Train and score each recipe; the floor comes along."""
    with prepared(EvalConfig(gan_train=gan_train)) as bench:
        rows = []
        for name in names:
            say(f"{name} …")
            config = GeneratorConfig(max_seconds=seconds)
            rows.append(row(train_and_score(bench, Choice(recipe=name), config, f"{name}-bench")))
        count = bench.evaluator.sample_size(None)
        floor = {key: value.value for key, value in bench.evaluator.floor(count).items() if key in SHOWN}
    return {
        "machine": facts(),
        "budget_seconds": seconds,
        "distance_samples": count,
        "rows": rows,
        "floor": floor,
    }


def report(done: dict[str, Any]) -> str:
    """The table of a measurement."""
    heads = [
        "recipe",
        "iterations",
        *(MEASURES[key].brief or MEASURES[key].title for key in SHOWN),
        "93.75 % after",
        "",
    ]

    def cells(figures: dict[str, Any]) -> list[str]:
        return [MEASURES[key].show(figures.get(key)) for key in SHOWN]

    rows = [
        [
            r["recipe"],
            r["iterations"],
            *cells(r),
            "–" if r["seconds_to_printed_best"] is None else f"{r['seconds_to_printed_best']:.0f} s",
            ", ".join(r["faults"]),
        ]
        for r in done["rows"]
    ]
    rows.append(["real", "", *cells(done["floor"]), "", ""])
    return table(heads, rows, f"{done['budget_seconds']:g} s of training each")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="wall-clock budget of each recipe")
    parser.add_argument(
        "--recipes", nargs="*", default=None, help="only these [default: all for 20x20 glyphs]"
    )
    parser.add_argument("--no-gan-train", action="store_true", help="leave out the slowest measure")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    options = parser.parse_args()
    done = measure(options.recipes or glyph_recipes(), options.seconds, not options.no_gan_train)
    if not options.json:
        say(report(done))
    print(json.dumps(done))


if __name__ == "__main__":
    main()
