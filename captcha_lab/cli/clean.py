"""`captcha-lab clean`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from captcha_lab.cli.output import JsonFlag, ask, emit, say, size_text, suggest
from captcha_lab.errors import UsageError
from captcha_lab.store.workspace import Workspace

EXAMPLES = (
    ("captcha-lab clean --dry-run", "List what killed commands left over."),
    ("captcha-lab clean --yes", "Remove it without a question."),
)


def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonFlag = False,
) -> None:
    """Remove what killed commands left over: temporary files, dead runs, pictures that no catalog names."""
    from captcha_lab.store.care.clean import leftovers, remove

    found = leftovers(Workspace.find())
    size = size_text(sum(item.bytes for item in found))
    for item in found:
        say(f"{item.path}: {item.why}")
    if found and not dry_run and not yes:
        if not sys.stdin.isatty():
            raise UsageError("Nobody can be asked here: add --yes to remove them, or --dry-run.")
        if not ask(f"Remove these {len(found)} ({size}) for good?"):
            raise typer.Exit(1)
    if not dry_run:
        remove(found)
    done = "found" if dry_run else "removed"
    emit({"removed": not dry_run, "items": found}, json, f"{len(found)} leftovers {done} ({size}).")
    if dry_run and found:
        suggest("captcha-lab clean", "removes them, after a question", json)
    else:
        suggest("captcha-lab check", "compares all that is here with its checksums", json)
