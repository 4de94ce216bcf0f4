"""`captcha-lab import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from captcha_lab.cli.output import DatasetOption, JsonFlag, emit, progress, say
from captcha_lab.collect.exchange.options import LABELS, ImportOptions
from captcha_lab.store.workspace import Workspace

EXAMPLES = (
    ("captcha-lab import pictures", "Captchas named by their texts: ABCD.png, ABCD_2.png."),
    ("captcha-lab import labels.csv", "The pictures and texts that a table lists."),
)


def run(
    path: Annotated[
        Path, typer.Argument(help="Folder of images, or what `export` wrote (.csv .jsonl .mat .h5).")
    ],
    labels: Annotated[
        str, typer.Option(help=f"Where the labels stand: {', '.join(LABELS)}.")
    ] = ImportOptions.labels,
    pattern: Annotated[
        str | None,
        typer.Option(
            help="Regular expression that finds the label in a file's name (group `text`, or the first)."
        ),
    ] = ImportOptions.pattern,
    split_from_folders: Annotated[
        bool,
        typer.Option("--split-from-folders", help="Folders named train, validation and test fix the split."),
    ] = ImportOptions.split_from_folders,
    dataset: DatasetOption = None,
    json: JsonFlag = False,
) -> None:
    """Copy images that you have already, and their labels, into a dataset."""
    from captcha_lab.collect.exchange.importer import import_path

    options = ImportOptions(labels, pattern, split_from_folders)
    workspace = Workspace.find()
    with progress("Importing") as bar:
        report = import_path(path, workspace.dataset(dataset), workspace.config, options, bar)
    for name, reason in report.skipped:
        say(f"{name}: {reason}")
    for note in report.notes:
        say(note)
    splits = ", ".join(f"{count} {name}" for name, count in report.splits.items())
    emit(
        report,
        json,
        f"{report.stored} images imported into dataset {report.dataset}{f' ({splits})' if splits else ''}, "
        f"{report.duplicates} were there already, {report.labelled} labelled, {len(report.skipped)} problems.",
    )
    if report.skipped:
        raise typer.Exit(1)
