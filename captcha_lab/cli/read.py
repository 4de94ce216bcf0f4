"""`captcha-lab read`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from captcha_lab.cli.output import JsonFlag, ModelOption, emit, progress, say, suggest
from captcha_lab.text import printable

if TYPE_CHECKING:
    from captcha_lab.recognise.files import FileReading

EXAMPLES = (
    ("captcha-lab read captcha.png", "Read one captcha."),
    ("captcha-lab read pictures --model RUN --json", "Read a folder with a chosen run, as JSON."),
)


def run(
    files: Annotated[list[Path], typer.Argument(help="Captcha images, or folders of them.")],
    model: ModelOption = None,
    min_confidence: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Mark captchas read less surely than this: a person should read them."
        ),
    ] = 0.0,
    json: JsonFlag = False,
) -> None:
    """Read captchas: text, and the confidence of the whole text and of each character."""
    from captcha_lab import pipeline

    with progress("Reading") as bar:
        report = pipeline.read(files, model, bar.phase, say, min_confidence=min_confidence)
    if report is None:
        return  # another process tells
    doubted = sum(not row.trusted for row in report.readings)
    emit(report, json, *map(_line, report.readings))
    if doubted:
        say(f"{doubted} of {len(report.readings)} captchas are read less surely than {min_confidence:g}.")
    for problem in report.unreadable:
        say(f"Error: {problem}")
    if report.unreadable:
        raise typer.Exit(1)
    if min_confidence:
        suggest("captcha-lab eval", "how often the reader is right, on labelled captchas", json)
    else:
        suggest("captcha-lab read --min-confidence 0.9 …", "marks what a person should read", json)


def _line(row: FileReading) -> str:
    sure = " ".join(f"{c:.3f}" for c in row.confidences)
    mark = "" if row.trusted else "\tdoubtful"
    return f"{printable(row.file)}\t{printable(row.text)}\t{sure}{mark}"
