"""`captcha-lab use`."""

from __future__ import annotations

from typing import Annotated

import typer

from captcha_lab.cli.output import JsonFlag, emit, tell_next
from captcha_lab.errors import UsageError
from captcha_lab.store.workspace import Workspace

EXAMPLES = (
    ("captcha-lab use RUN", "Read, label, draw and evaluate with this run where no --model is given."),
    ("captcha-lab use --best", "Take the best validated run of each kind again."),
)


def run(
    name: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Run to pin for its kind and dataset.")
    ] = None,
    best: Annotated[
        bool, typer.Option("--best", help="Pin nothing: the best validated run is used.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Pin the run that commands use where no --model is given."""
    from captcha_lab.pipeline.models import list_runs, release_runs, use_run

    if (name is None) != best:
        raise UsageError("Name the run to use (`captcha-lab runs` lists them), or give --best: one of both.")
    workspace = Workspace.find()
    if name is None:
        release_runs(workspace)
    else:
        use_run(workspace, name)
    used = [run for run in list_runs(Workspace.find()) if run.used]
    emit(
        {"used": used},
        json,
        *(
            f"{run.kind} of {run.dataset or 'any dataset'}: {run.name} {run.score_text}".rstrip()
            for run in used
        ),
    )
    tell_next(None, json)
