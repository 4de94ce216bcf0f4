"""`captcha-lab check`."""

from __future__ import annotations

import typer

from captcha_lab.cli.output import JsonFlag, emit, progress, say, suggest, tell_next
from captcha_lab.store.workspace import Workspace

EXAMPLES = (("captcha-lab check", "Read everything in the workspace and compare it with its checksums."),)


def run(json: JsonFlag = False) -> None:
    """Look through the workspace: is everything readable, are all checksums right, what belongs to nothing."""
    from captcha_lab.store.care.check import check_workspace

    with progress("Checking") as bar:
        report = check_workspace(Workspace.find(), bar)
    for problem in report.problems:
        say(problem)
    for orphan in report.orphans:
        say(f"{orphan} belongs to nothing: `captcha-lab clean` removes it.")
    emit(
        report,
        json,
        f"{report.datasets} datasets, {report.pictures} captchas and {report.runs} runs checked: "
        f"{len(report.problems)} problems, {len(report.orphans)} files that belong to nothing.",
    )
    if report.problems:
        raise typer.Exit(1)
    if report.orphans:
        suggest("captcha-lab clean", "removes what belongs to nothing", json)
    else:
        tell_next(None, json)
