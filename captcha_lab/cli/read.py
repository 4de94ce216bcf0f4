"""`captcha-lab read`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from captcha_lab.cli.output import JsonFlag, ModelOption, emit, progress, say
from captcha_lab.text import printable

EXAMPLES = (
    ("captcha-lab read captcha.png", "Read one captcha."),
    ("captcha-lab read pictures --model RUN --json", "Read a folder with a chosen run, as JSON."),
)


def run(
    files: Annotated[list[Path], typer.Argument(help="Captcha images, or folders of them.")],
    model: ModelOption = None,
    json: JsonFlag = False,
) -> None:
    """Read captchas: text and the confidence of each character."""
    from captcha_lab import pipeline

    with progress("Reading") as bar:
        report = pipeline.read(files, model, bar, say)
    if report is None:
        return  # another process tells
    emit(
        report,
        json,
        *(
            f"{printable(row.file)}\t{printable(row.text)}\t{' '.join(f'{c:.3f}' for c in row.confidences)}"
            for row in report.readings
        ),
    )
    for problem in report.unreadable:
        say(f"Error: {problem}")
    if report.unreadable:
        raise typer.Exit(1)
