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
from captcha_lab.recognise.config import ClassifierConfig

EXAMPLES = (
    ("captcha-lab train", "Train on everything that is labelled."),
    ("captcha-lab train --reader sequence", "Train a reader of whole captchas, whatever the cut is."),
    ("captcha-lab train --from RUN", "Go on from a trained reader, with new captchas or new characters."),
    ("captcha-lab train --epochs 50 --name long", "Train longer, under a name of its own."),
)


GLYPH_FIGURES = {
    "validation": "validation glyphs",
    "test": "test glyphs",
    "test_distinct": "… shapes never seen",
}


def run(
    reader: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="Kind of reader: 'glyph' cuts captchas into cells, 'sequence' reads whole captchas of any length, "
            "'auto' lets validation decide.",
        ),
    ] = "auto",
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Train this run's reader on: new captchas and new characters extend it.",
        ),
    ] = None,
    epochs: Annotated[
        int, typer.Option(help="Epochs at most of the glyph reader; training stops early.")
    ] = ClassifierConfig.epochs,
    steps: Annotated[
        int | None, typer.Option(help="Batches of the sequence reader [default: as many as help].")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(help="Seconds for the sequence reader to learn in [default: none].")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Glyphs or captchas per step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Adam's step size.")] = None,
    shift: Annotated[
        int, typer.Option(help="Move each training glyph by up to so many pixels.")
    ] = ClassifierConfig.shift,
    patience: Annotated[
        int | None, typer.Option(help="Stop the glyph reader after so many epochs without a better one.")
    ] = None,
    seed: SeedOption = ClassifierConfig.seed,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Name of the run [default: kind and date]; an interrupted one goes on."
        ),
    ] = None,
    dataset: DatasetOption = None,
    json: JsonFlag = False,
) -> None:
    """Train a reader on the labelled captchas."""
    from captcha_lab import pipeline

    given = {
        "steps": steps,
        "time_limit": time_limit,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "patience": patience,
    }
    settings: dict[str, float] = {"epochs": epochs, "shift": shift, "seed": seed}
    settings |= {name: value for name, value in given.items() if value is not None}
    workspace, folder = pipeline.locate(dataset)
    with progress("Training") as bar:
        done = pipeline.train(
            workspace, folder, settings, reader=reader, start=start, name=name, say=say, progress=bar.phase
        )
    if not done.leads:
        return
    report = done.chosen
    glyphs = [
        f"  {label:21} {percent(report.glyphs[key])}"
        for key, label in GLYPH_FIGURES.items()
        if report.glyphs.get(key) is not None
    ]
    captchas = [
        f"  {label:21} {percent(share, 'captchas')}"
        for label, share in (("validation captchas", report.validation), ("test captchas", report.test))
        if share is not None
    ]
    emit(
        done,
        json,
        f"Trained {report.run.name} ({report.kind} reader) in {report.seconds:.1f} s.",
        *([done.why] if done.why else []),
        *glyphs,
        *captchas,
        *(f"Warning: {warning}" for warning in report.warnings),
        f"Curves: {report.run.root / 'curves.png'}",
    )
    tell_next(dataset, json)
