"""`captcha-lab rm`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from captcha_lab.cli.output import JsonFlag, ask, emit, size_text, suggest
from captcha_lab.errors import UsageError
from captcha_lab.store.workspace import Workspace

EXAMPLES = (("captcha-lab rm RUN", "Delete a run's folder, after a question."),)


def run(
    names: Annotated[list[str], typer.Argument(metavar="RUN", help="Runs to delete (`captcha-lab runs`).")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonFlag = False,
) -> None:
    """Delete runs: their weights, figures and pictures. Data and labels are never touched."""
    from captcha_lab.pipeline.models import open_run, remove_run

    workspace = Workspace.find()
    for name in names:
        open_run(workspace, name)  # all are there before any is deleted
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("Nobody can be asked here: add --yes to delete the runs.")
        if not ask(f"Delete {', '.join(names)} for good?"):
            raise typer.Exit(1)
    freed = sum(remove_run(workspace, name) for name in names)
    emit({"removed": names, "bytes": freed}, json, f"Deleted {', '.join(names)}: {size_text(freed)} freed.")
    suggest("captcha-lab runs", "the runs that are left", json)
