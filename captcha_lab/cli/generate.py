"""`captcha-lab generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from captcha_lab.cli.output import (
    JsonFlag,
    SeedOption,
    attributes_option,
    emit,
    names,
    progress,
    say,
    suggest,
)
from captcha_lab.generate.sampling.options import SampleOptions

EXAMPLES = (
    ("captcha-lab generate --grid --out grid.png", "One picture with 8 samples of each class."),
    ("captcha-lab generate --text AB12 --count 20", "Twenty captchas that say AB12."),
)


def run(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "--run",
            "--generator",
            metavar="RUN",
            help="Run, its folder or its model file; several times: draw from all of them [default: the one in use].",
        ),
    ] = None,
    text: Annotated[str, typer.Option(help="Whole captchas with this text.")] = SampleOptions.text,
    count: Annotated[int, typer.Option(min=1, help="How many captchas or samples.")] = SampleOptions.count,
    per_class: Annotated[
        int, typer.Option(min=0, help="This many single samples of every class, or of each attribute alone.")
    ] = SampleOptions.per_class,
    grid: Annotated[
        bool, typer.Option("--grid", help="One picture: 8 samples per class, 16 columns.")
    ] = SampleOptions.grid,
    interpolate: Annotated[
        bool,
        typer.Option(
            "--interpolate",
            help="One picture: walks between noises, or from no attribute to each; "
            "with --text AB or --attributes A,B, from A to B.",
        ),
    ] = SampleOptions.interpolate,
    steps: Annotated[int, typer.Option(min=2, help="Pictures per walk.")] = SampleOptions.steps,
    attribute: Annotated[
        list[str] | None,
        attributes_option("Samples with these attributes and no others, separated by commas."),
    ] = None,
    scale: Annotated[int, typer.Option(min=1, max=32, help="Enlarge grids and walks.")] = SampleOptions.scale,
    seed: SeedOption = SampleOptions.seed,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder, FILE.h5 (single samples are labelled), or FILE.png for one picture. "
            "datasets/NAME/packed.h5 makes a dataset, for `train --dataset NAME`."
        ),
    ] = Path(SampleOptions.out),
    json: JsonFlag = False,
) -> None:
    """Draw samples from a trained generator."""
    from captcha_lab import pipeline

    options = SampleOptions(
        text, count, per_class, grid, interpolate, steps, names(attribute), scale, seed, str(out)
    )
    with progress("Drawing") as bar:
        report = pipeline.generate(options, model or (), bar, say)
    if report is not None:
        emit(report, json, f"Wrote {report.count} {report.what} of {report.run} to {report.path}.")
        chosen = "".join(f" --model {run}" for run in model or ())
        suggest(f"captcha-lab eval{chosen}", "measures such samples beside real ones", json)
