"""Generators of other packages on the same pictures: trained for the same seconds on the same cores in the same run.

lightweight-gan, torch-mimicry (SNGAN, SSGAN, InfoMax-GAN) and denoising-diffusion-pytorch (a small U-Net) come into an
environment of their own with --install, and train there through their own interfaces: as they come, and narrower, since
few of them make more than a handful of steps in a minute of one core. Everyone's samples, as many and drawn without
asking for a class, are judged by the same measures; ours in addition by those that need a class. Where the environment
is not there, or can't be filled, the benchmark says so and is skipped. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_lab.cli.output import say, table
from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.generate.choose import Choice
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.generate.watching.pictures import grid
from captcha_lab.metrics.samples.measure import Measure
from captcha_lab.pipeline.evaluation.candidates import run_candidate
from captcha_lab.store.packed.packed import SPLITS
from captcha_lab.store.packed.rows import RowReader
from captcha_lab.store.runs import Run
from scripts.benchmarks._generators import SHOWN, Bench, figures, prepared, train_and_score
from scripts.benchmarks._machine import facts, show
from scripts.benchmarks._peer_environment import FOLDER, Drawn, Length, SkippedError, draw, environment
from scripts.benchmarks._peer_trainers import PEERS
from scripts.benchmarks._pictures import SIDE, montage
from scripts.benchmarks.generate import DATASETS, column

OURS = "captcha-lab"
SHEET = SIDE * SIDE  # samples of each in the picture


def ours(bench: Bench, recipe: str, length: Length) -> tuple[Drawn, dict[str, Any]]:
    """The recipe trained and its samples drawn, and what else is known of it: figures that need a class."""
    config = GeneratorConfig(
        max_seconds=length.seconds, seed=length.seed, threads=length.threads, device="cpu"
    )
    name = f"{recipe}-peers-{length.seed}"
    trained = train_and_score(bench, Choice(recipe=recipe), config, name)
    candidate = run_candidate(Run.open(bench.workspace.models / name))
    started = time.monotonic()
    samples = unasked(bench, candidate, length)
    drawn = Drawn(samples, trained.iterations, trained.seconds, time.monotonic() - started)
    return drawn, figures(trained.result)


def unasked(bench: Bench, candidate: Candidate, length: Length) -> NDArray[np.uint8]:
    """Samples as an unconditional generator gives them: with classes, or attributes, as often as in the real data."""
    real = bench.evaluator.real
    conditions = None
    if candidate.labelled and real.train_conditions is not None:
        rows = np.random.default_rng((length.seed, 5)).integers(0, len(real.train), length.samples)
        conditions = real.train_conditions[rows]
        if candidate.attributes:
            conditions = real.attributes(conditions, candidate.attributes)
    return candidate.matched(conditions, length.samples, length.seed, bench.evaluator.config.batch_size)


def training_pictures(bench: Bench) -> NDArray[np.uint8]:
    """Those that ours is trained on: of the evaluation's, repeated ones are removed."""
    with RowReader(bench.folder.packed_path) as reader:
        return reader.read(np.flatnonzero(reader.facts.split == SPLITS.index("train")))


def judged(bench: Bench, name: str, drawn: Drawn, more: dict[str, Any], seed: int) -> dict[str, Any]:
    """One row: what it took, and every measure of the samples; `more` has figures of other measures."""
    result = bench.evaluator.measure(Candidate(name, images=drawn.samples))
    found = {key: value for key, value in figures(result).items() if value is not None}
    return {
        "name": name,
        "seed": seed,
        "iterations": drawn.iterations,
        "seconds": drawn.seconds,
        "sampling_seconds": drawn.sampling_seconds,
        "faults": list(result.verdict.faults),
        **more,
        **found,
    }


def measure(
    dataset: str,
    python: Path,
    names: Sequence[str],
    lengths: Sequence[Length],
    config: EvalConfig,
    picture: Path | None,
) -> dict[str, Any]:
    """Train and judge ours and each peer, once for each length."""
    recipe, rows, skipped = DATASETS[dataset][0], [], {}
    with prepared(config, dataset) as bench:
        pictures = training_pictures(bench)
        count = bench.evaluator.sample_size(None)  # no more than are held out can be compared
        # No real ones in the picture: they may not be published with the project.
        sheets: list[tuple[str, NDArray[np.uint8]]] = []
        for name in (OURS, *names):
            say(f"{name} …")
            for length in (replace(length, samples=count) for length in lengths):
                try:
                    drawn, more = (
                        ours(bench, recipe, length)
                        if name == OURS
                        else (draw(python, name, pictures, length), {})
                    )
                except SkippedError as error:
                    skipped[name] = str(error)
                    say(f"{name}: skipped, {error}")
                    break
                rows.append(judged(bench, name, drawn, more, length.seed))
                sheets.append((f"{name}, {drawn.iterations} iterations", grid(drawn.samples[:SHEET], SIDE)))
        baseline = {k: value.value for k, value in bench.evaluator.baseline(count).items() if k in SHOWN}
    if picture is not None:
        montage(picture, sheets)
    return {
        "benchmark": "peers",
        "machine": facts(),
        "dataset": dataset,
        "recipe": recipe,
        "pictures": len(pictures),
        "budget_seconds": lengths[0].seconds,
        "threads": lengths[0].threads,
        "distance_samples": count,
        "rows": rows,
        "skipped": skipped,
        "baseline": baseline,
    }


def shown(done: dict[str, Any]) -> list[str]:
    """Figures that any row has, in the order of tables."""
    return [key for key in SHOWN if any(row.get(key) is not None for row in done["rows"])]


def report(done: dict[str, Any]) -> str:
    """The table of a measurement, then a sentence for each measure."""
    keys = shown(done)
    heads = [
        "generator",
        "seed",
        "iterations",
        "seconds",
        "sampling",
        *(column(k).brief or column(k).title for k in keys),
        "",
    ]

    def cells(row: dict[str, Any]) -> list[str]:
        return [column(key).show(row.get(key)) for key in keys]

    rows = [
        [
            row["name"],
            row["seed"],
            row["iterations"],
            f"{row['seconds']:.0f} s",
            f"{row['sampling_seconds']:.0f} s",
            *cells(row),
            ", ".join(row["faults"]),
        ]
        for row in done["rows"]
    ]
    rows.append(["real", "", "", "", "", *cells(done["baseline"]), ""])
    title = (
        f"{done['dataset']}, {done['budget_seconds']:g} s of training each on {done['threads']} threads, "
        f"{done['distance_samples']} samples, {OURS} with {done['recipe']}"
    )
    return "\n".join([table(heads, rows, title), *sentences(done)])


def sentences(done: dict[str, Any]) -> list[str]:
    """Who is ahead of whom in each measure that ours and a peer have; the mean of all seeds counts."""
    said = []
    for key in shown(done):
        means = _means(done["rows"], key)
        if OURS not in means or len(means) < 2:
            continue
        lag = {name: lags(column(key), value, done["baseline"].get(key)) for name, value in means.items()}
        own = lag.pop(OURS)
        said.append(
            f"{column(key).title}: {OURS} ({column(key).show(means[OURS])}) is "
            + _ranks(means, lag, own, column(key))
        )
    return said


def _means(rows: Sequence[dict[str, Any]], key: str) -> dict[str, float]:
    """The mean figure of each generator that has it."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.get(key) is not None:
            found.setdefault(row["name"], []).append(row[key])
    return {name: fmean(values) for name, values in found.items()}


def lags(measure: Measure, value: float, real: float | None) -> float:
    """How far a figure is from the best there is, for comparison: the smaller the better."""
    if measure.better == "baseline" and real is not None:
        return abs(value - real)
    return -value if measure.better == "high" else value


def _ranks(means: dict[str, float], lag: dict[str, float], own: float, measure: Measure) -> str:
    parts = {
        "ahead of": [name for name in lag if own < lag[name]],
        "behind": [name for name in lag if own > lag[name]],
        "level with": [name for name in lag if own == lag[name]],
    }
    lists = [
        f"{word} " + ", ".join(f"{name} ({measure.show(means[name])})" for name in names)
        for word, names in parts.items()
        if names
    ]
    return "; ".join(lists) + "."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=sorted(DATASETS), default="captcha")
    parser.add_argument("--seconds", type=float, default=60.0, help="wall-clock budget of each training")
    parser.add_argument("--peers", nargs="+", choices=tuple(PEERS), default=tuple(PEERS), metavar="NAME")
    parser.add_argument("--install", action="store_true", help="fill the peers' environment (1.3 GB)")
    parser.add_argument("--environment", type=Path, default=FOLDER, help="its folder [default: .venv-peers]")
    parser.add_argument("--threads", type=int, default=1, help="of everyone's training")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each")
    parser.add_argument(
        "--samples",
        type=int,
        default=1000,
        help="drawn of each, but no more than pictures are held out; diffusion draws a few in a second",
    )
    parser.add_argument("--picture", type=Path, help="write samples of every training side by side, as PNG")
    parser.add_argument(
        "--no-gan-train", action="store_true", help="leave out the slowest measure, which only ours has"
    )
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    options = parser.parse_args()
    try:
        python = environment(options.environment.absolute(), options.install)
    except SkippedError as error:
        show(f"peers: skipped, {error}")
        print(json.dumps({"benchmark": "peers", "machine": facts(), "skipped": str(error)}))
        return
    lengths = [
        Length(options.seconds, options.threads, options.samples, seed) for seed in range(options.seeds)
    ]
    config = EvalConfig(gan_train=not options.no_gan_train, distance_samples=options.samples)
    done = measure(options.dataset, python, options.peers, lengths, config, options.picture)
    if not options.json:
        show(report(done))
    print(json.dumps(done))


if __name__ == "__main__":
    main()
