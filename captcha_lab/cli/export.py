"""`captcha-lab export`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from captcha_lab.cli.output import DatasetOption, JsonFlag, emit, progress, say, suggest
from captcha_lab.collect.exchange.options import FORMATS
from captcha_lab.store.workspace import Workspace

EXAMPLES = (
    ("captcha-lab export out --format filenames", "Pictures named by their texts."),
    ("captcha-lab export out --format jsonl", "Everything the dataset knows, one line a captcha."),
)


def run(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="New or empty folder to write.")],
    format: Annotated[str, typer.Option(help=f"One of {', '.join(FORMATS)}.")],
    dataset: DatasetOption = None,
    json: JsonFlag = False,
) -> None:
    """Write a dataset's captchas and labels for other programs; `import` reads every format back."""
    from captcha_lab.collect.exchange.exporter import export_dataset

    with progress("Exporting") as bar:
        report = export_dataset(Workspace.find().dataset(dataset), directory, format, bar)
    for name, reason in report.skipped:
        say(f"{name}: {reason}")
    lines = [f"{report.captchas} captchas ({report.labelled} labelled) written to {report.path}."]
    if report.partial:
        lines.append(
            f"{report.partial} more are labelled in part, which only --format jsonl keeps: "
            "they were written as unlabelled."
        )
    if report.unreadable and format == "filenames":
        lines.append(
            f"{report.unreadable} are marked as unreadable, which file names can't say: they stand as unlabelled."
        )
    emit(report, json, *lines)
    if report.skipped:
        raise typer.Exit(1)
    suggest(f"captcha-lab import {shlex.quote(str(report.path))} --dataset NAME", "reads it back", json)
