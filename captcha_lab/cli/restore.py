"""`captcha-lab restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from captcha_lab.cli.output import DatasetOption, JsonFlag, emit, progress, say, tell_next
from captcha_lab.store.workspace import Workspace

EXAMPLES = (("captcha-lab restore evening.zip --dataset again", "Bring a backup back under another name."),)


def run(
    file: Annotated[Path, typer.Argument(help="What `backup` wrote.")],
    dataset: DatasetOption = None,
    json: JsonFlag = False,
) -> None:
    """Bring a dataset back from what `backup` wrote, after comparing all of it with its checksums."""
    from captcha_lab.store.care.backup import restore

    with progress("Restoring") as bar:
        report = restore(file, Workspace.find().dataset(dataset), bar)
    for name, reason in report.missing:
        say(f"{name}: {reason}")
    emit(
        report, json, f"Dataset {report.dataset} with {report.pictures} captchas restored from {report.path}."
    )
    tell_next(report.dataset, json)
