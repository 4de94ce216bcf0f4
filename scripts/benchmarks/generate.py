"""Quality for the same seconds: every recipe for captchas, MNIST or faces, trained for one wall-clock budget.

Scored by a recogniser and the independent judge, faces by an attribute network, beside real against real. Run it on an
idle machine.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from captcha_lab.cli.output import say, table
from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.generate.choose import Choice
from captcha_lab.generate.recipes import recipes
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.metrics.samples.measure import Measure, measures
from scripts.benchmarks._arguments import add_recipes
from scripts.benchmarks._generators import PRINTED_BEST, SHOWN, Trained, figures, prepared, train_and_score
from scripts.benchmarks._machine import facts, show
from scripts.benchmarks._pictures import montage

# Ours, and what the pictures of the sources' recipes look like: channels and sides.
DATASETS = {
    "captcha": ("fast", 1, (20,)),
    "mnist": ("fast-digits", 1, (28, 32)),
    "celeba": ("face-fast", 3, (64, 128)),
}


def recipes_for(dataset: str) -> list[str]:
    """Ours, then the recipes whose source draws pictures like the dataset's."""
    ours, channels, sides = DATASETS[dataset]
    shapes = [(channels, side, side) for side in sides]
    made = [recipe.name for recipe in recipes().values() if recipe.image_shape in shapes]
    return [ours, *(name for name in made if name != ours)]


def column(key: str) -> Measure:
    """The measure behind a figure: the recogniser's, or the same by the judge."""
    known = measures()
    return known[key] if key in known else known[key.removesuffix("_judge")].by("judge", "judge", "judge")


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


def measure(
    dataset: str, names: list[str], seconds: float, seeds: int, config: EvalConfig, picture: Path | None
) -> dict[str, Any]:
    """Train and score each recipe; the baseline comes along."""
    with prepared(config, dataset) as bench:
        rows, sheets = [], []
        for name in names:
            say(f"{name} …")
            for seed in range(seeds):
                length = GeneratorConfig(max_seconds=seconds, seed=seed)
                trained = train_and_score(bench, Choice(recipe=name), length, f"{name}-bench-{seed}")
                rows.append({"seed": seed, **row(trained)})
                sheets.append((f"{name}, {trained.iterations} iterations", trained.sheet))
        count = bench.evaluator.sample_size(None)
        baseline = {
            key: value.value for key, value in bench.evaluator.baseline(count).items() if key in SHOWN
        }
    if picture is not None:
        montage(picture, sheets)
    return {
        "machine": facts(),
        "dataset": dataset,
        "budget_seconds": seconds,
        "distance_samples": count,
        "draws": config.seeds,
        "rows": rows,
        "baseline": baseline,
    }


def report(done: dict[str, Any]) -> str:
    """The table of a measurement: figures that any recipe has."""
    keys = [key for key in SHOWN if any(r.get(key) is not None for r in done["rows"])]
    heads = [
        "recipe",
        "seed",
        "iterations",
        *(column(key).brief or column(key).title for key in keys),
        f"{PRINTED_BEST:.2%} after",
        "",
    ]

    def cells(figures: dict[str, Any]) -> list[str]:
        return [column(key).show(figures.get(key)) for key in keys]

    def reached(seconds: float | None) -> str:
        return "–" if seconds is None else f"{seconds:.0f} s"

    rows = [
        [
            r["recipe"],
            r["seed"],
            r["iterations"],
            *cells(r),
            reached(r["seconds_to_printed_best"]),
            ", ".join(r["faults"]),
        ]
        for r in done["rows"]
    ]
    rows.append(["real", "", "", *cells(done["baseline"]), "", ""])
    return table(heads, rows, f"{done['budget_seconds']:g} s of training each")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="wall-clock budget of each recipe")
    add_recipes(parser, (), "all of the dataset's size")
    parser.add_argument("--dataset", choices=sorted(DATASETS), default="captcha")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each recipe")
    parser.add_argument(
        "--draws",
        type=int,
        default=1,
        help="measure each generator on so many draws of samples and real images (a distance of real glyphs to "
        "real ones differs by a sixth from draw to draw)",
    )
    parser.add_argument("--picture", type=Path, help="write samples of every training side by side, as PNG")
    parser.add_argument("--no-gan-train", action="store_true", help="leave out the slowest measure")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    options = parser.parse_args()
    names = options.recipes or recipes_for(options.dataset)
    config = EvalConfig(gan_train=not options.no_gan_train, seeds=options.draws)
    done = measure(options.dataset, names, options.seconds, options.seeds, config, options.picture)
    if not options.json:
        show(report(done))
    print(json.dumps(done))


if __name__ == "__main__":
    main()
