"""`captcha-lab status`."""

from __future__ import annotations

import time

from captcha_lab.cli.output import JsonFlag, emit, size_text, table
from captcha_lab.store.workspace import Workspace

EXAMPLES = (("captcha-lab status", "What is here, and what would come next."),)
SHOWN = 5  # runs; `captcha-lab runs` lists all


def run(json: JsonFlag = False) -> None:
    """Show the workspace: data sets, labels, runs, and the next step."""
    from captcha_lab.pipeline.status import describe_workspace

    found = describe_workspace(Workspace.find())
    lines = [f"Workspace {found.workspace}"]
    if found.datasets:
        rows = [
            (
                entry.name,
                f"{entry.pictures} {entry.kind}",
                f"{entry.labelled} ({entry.labelled / max(entry.pictures, 1):.0%})",
                entry.lengths,
                entry.alphabet,
                entry.size,
                size_text(entry.bytes),
            )
            for entry in found.datasets
        ]
        lines.append(table(("dataset", "pictures", "labelled", "length", "alphabet", "pixels", "size"), rows))
    if found.runs:
        runs = [
            (
                "*" if run.used else "",
                run.name,
                run.kind,
                run.what,
                run.dataset,
                run.score_text,
                size_text(run.bytes),
                time.strftime("%Y-%m-%d", time.localtime(run.created)),
            )
            for run in found.runs[:SHOWN]
        ]
        lines.append(table(("", "run", "kind", "recipe", "data", "score", "size", "made"), runs))
        if len(found.runs) > SHOWN:
            lines.append(f"… and {len(found.runs) - SHOWN} older ones: captcha-lab runs")
        lines.append("* is used where no --model is given.")
    emit(found, json, *lines, str(found.next))
