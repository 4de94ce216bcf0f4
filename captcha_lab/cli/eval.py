"""`captcha-lab eval`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from captcha_lab.cli.output import (
    DatasetOption,
    JsonFlag,
    ModelsOption,
    SeedOption,
    emit,
    progress,
    say,
    tell_next,
)
from captcha_lab.evaluate.config import CURVE, EvalConfig
from captcha_lab.evaluate.request import EvalRequest

if TYPE_CHECKING:
    from captcha_lab.pipeline.evaluation.evaluate import Evaluated

EXAMPLES = (
    ("captcha-lab eval", "The recogniser and the generator in use, beside real data."),
    ("captcha-lab eval --all --seeds 3", "Every generator of this dataset, with the spread over 3 seeds."),
)


def run(
    models: ModelsOption = None,
    compare: Annotated[
        list[str] | None,
        typer.Option("--compare", metavar="RUN", help="Further runs beside it; repeat for several."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All generator runs that fit the dataset.")] = False,
    figures: Annotated[
        Path | None, typer.Option(help="Score the printed grids of this folder (with figures.json).")
    ] = None,
    dataset: DatasetOption = None,
    samples: Annotated[int, typer.Option(help="Samples read by the recogniser.")] = EvalConfig.samples,
    seeds: Annotated[
        int, typer.Option(help="Repeat sampling and measuring with so many seeds and show the spread.")
    ] = EvalConfig.seeds,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Repeat the training too, a run for each of --seeds (slow).")
    ] = False,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve", help="Train readers on 25, 50, 100, … labels and show what each reads (slow)."
        ),
    ] = False,
    seed: SeedOption = EvalConfig.seed,
    judge: Annotated[bool, typer.Option(help="Ask the independent judge too.")] = EvalConfig.judge,
    gan_train: Annotated[
        bool, typer.Option(help="Train a fresh recogniser on samples only (the slowest part).")
    ] = EvalConfig.gan_train,
    distance_samples: Annotated[
        int, typer.Option(help="At most so many images on each side of a distance.")
    ] = EvalConfig.distance_samples,
    inception_weights: Annotated[
        Path | None, typer.Option(help="TorchScript Inception file: adds literature FID.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder of report.json and report.html [default: in the run's].")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Measure the recogniser and generators beside real data, and write a report."""
    from captcha_lab import pipeline
    from captcha_lab.pipeline.evaluation.evaluate import evaluate
    from captcha_lab.pipeline.models import sort_models

    config = EvalConfig(
        samples=samples, seeds=seeds, seed=seed, judge=judge, gan_train=gan_train, distance_samples=distance_samples,
        labels=CURVE if curve else (),
    )  # fmt: skip
    workspace, folder = pipeline.locate(dataset)
    generators, recogniser = sort_models(workspace, models or ())
    request = EvalRequest(
        (*generators, *(compare or ())),
        every,
        recogniser,
        figures,
        inception_weights,
        report,
        command=shlex.join(["captcha-lab", *sys.argv[1:]]) if sys.argv[1:] else "captcha-lab eval",
        retrain=retrain,
        named=dataset is not None,
    )
    with progress("Evaluating") as bar:
        done = evaluate(workspace, folder, request, config, say, bar.phase)
    if json:
        from captcha_lab.evaluate.report.report import report_json

        paths = {"report_json": str(done.json_path), "report_html": str(done.html_path)}
        emit(report_json(done.report) | paths, json)
    else:
        emit(None, json, *_lines(done))
    tell_next(dataset, json)


def _lines(done: Evaluated) -> list[str]:
    from captcha_lab.evaluate.report.board import report_lines

    return [*report_lines(done.report), f"Report: {done.html_path}"]
