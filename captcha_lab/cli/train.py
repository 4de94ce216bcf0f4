"""`captcha-lab train`."""

from __future__ import annotations

from typing import Annotated

import typer

from captcha_lab.cli.output import (
    DatasetOption,
    JsonFlag,
    SeedOption,
    emit,
    percent,
    progress,
    say,
    tell_next,
)
from captcha_lab.recognise.config import TrainConfig

EXAMPLES = (
    ("captcha-lab train", "Train on everything that is labelled."),
    ("captcha-lab train --epochs 50 --name long", "Train longer, under a name of its own."),
)


def run(
    epochs: Annotated[int, typer.Option(help="Epochs at most; training stops early.")] = TrainConfig.epochs,
    batch_size: Annotated[int, typer.Option(help="Glyphs per step.")] = TrainConfig.batch_size,
    learning_rate: Annotated[float, typer.Option(help="Adam's step size.")] = TrainConfig.learning_rate,
    shift: Annotated[
        int, typer.Option(help="Move each training glyph by up to so many pixels.")
    ] = TrainConfig.shift,
    patience: Annotated[
        int, typer.Option(help="Stop after so many epochs without improvement.")
    ] = TrainConfig.patience,
    seed: SeedOption = TrainConfig.seed,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the run [default: kind and date].")
    ] = None,
    dataset: DatasetOption = None,
    json: JsonFlag = False,
) -> None:
    """Train the thesis's LeNet on the labelled glyphs."""
    from captcha_lab import pipeline

    config = TrainConfig(epochs, batch_size, learning_rate, shift, patience, seed)
    workspace, folder = pipeline.locate(dataset)
    with progress("Training") as bar:
        report = pipeline.train(workspace, folder, config, name, say, bar)
    emit(
        report,
        json,
        f"Trained {report.run.name}: {report.epochs} epochs in {report.seconds:.1f} s.",
        f"  validation glyphs     {percent(report.validation)}",
        f"  test glyphs           {percent(report.test)}",
        f"  … shapes never seen   {percent(report.test_distinct)}",
        f"  test captchas         {percent(report.test_captchas).replace('glyphs', 'captchas')}",
        *(f"Warning: {warning}" for warning in report.warnings),
        f"Curves: {report.run.root / 'curves.png'}",
    )
    tell_next(dataset, json)
