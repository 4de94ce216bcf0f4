"""`captcha-lab runs`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from captcha_lab.cli.output import JsonFlag, emit, size_text, table, tell_next
from captcha_lab.store.workspace import Workspace

EXAMPLES = (
    ("captcha-lab runs", "All runs of this workspace, the newest first."),
    ("captcha-lab runs --kind generator", "The generators only."),
)


def run(
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only these: recogniser, generator, …")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """List the trained models: kind, recipe, data, score, size, date, and which are in use."""
    from captcha_lab.pipeline.models import list_runs

    workspace = Workspace.find()
    found = [run for run in list_runs(workspace) if kind in (None, run.kind)]
    rows = [
        (
            "*" if run.used else "",
            run.name,
            run.kind,
            run.what,
            run.dataset,
            run.score_text if run.finished else "unfinished",
            size_text(run.bytes),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created)),
        )
        for run in found
    ]
    lines = [
        table(("", "run", "kind", "recipe", "data", "score", "size", "made"), rows),
        "* is used where no --model is given; `captcha-lab use RUN` pins another.",
    ]
    if not found:
        lines = [f"There are no runs in {workspace.models} yet: `captcha-lab train` makes the first."]
    emit({"runs": found}, json, *lines)
    tell_next(None, json)
