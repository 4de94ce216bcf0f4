"""`captcha-lab backup`."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from captcha_lab.cli.output import DatasetOption, JsonFlag, emit, progress, say, size_text, suggest
from captcha_lab.store.workspace import Workspace

EXAMPLES = (("captcha-lab backup evening.zip", "Keep the dataset, with all labels, in one file."),)


def run(
    file: Annotated[
        Path | None, typer.Argument(help="Zip file to write [default: named by dataset and time].")
    ] = None,
    dataset: DatasetOption = None,
    json: JsonFlag = False,
) -> None:
    """Write a dataset, its pictures, labels and their history, into one file; `restore` reads it."""
    from captcha_lab.store.care.backup import back_up

    folder = Workspace.find().dataset(dataset)
    target = file or Path(f"{folder.name}-{time.strftime('%Y%m%d-%H%M%S')}.zip")
    with progress("Backing up") as bar:
        report = back_up(folder, target, bar)
    for name, reason in report.missing:
        say(f"{name}: {reason}")
    emit(
        report,
        json,
        f"Dataset {report.dataset} with {report.pictures} captchas kept in {report.path} "
        f"({size_text(report.bytes)}).",
    )
    if report.missing:
        raise typer.Exit(1)
    suggest(f"captcha-lab restore {shlex.quote(str(report.path))} --dataset NAME", "brings it back", json)
