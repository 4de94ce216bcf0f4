"""`captcha-lab import`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from captcha_lab.cli.output import DatasetOption, JsonFlag, emit, progress, say, suggest, table, tell_next
from captcha_lab.collect.exchange.options import LABELS, ImportOptions
from captcha_lab.collect.frame_choice import FRAME_HELP
from captcha_lab.store.workspace import Workspace

if TYPE_CHECKING:
    from captcha_lab.collect.exchange.importer import ImportPlan, ImportReport
    from captcha_lab.datasets.facts import Facts

EXAMPLES = (
    ("captcha-lab import pictures", "Captchas named by their texts, or with a list beside them."),
    ("captcha-lab import pictures --dry-run", "See first what would be taken for their texts."),
    ("captcha-lab import labels.csv", "The pictures and texts that a list names."),
)
SHOWN = 50  # rows of a plan, and lines about images of one kind


def run(
    path: Annotated[
        Path,
        typer.Argument(
            help="Folder of images, a list of labels (.csv .tsv .txt .json .jsonl), or what `export` wrote (.mat .h5)."
        ),
    ],
    labels: Annotated[
        str,
        typer.Option(
            metavar="WHERE",
            help=f"Where the labels stand: {', '.join(LABELS)}. auto takes a list beside the images or the file names' "
            "pattern, whichever is sure.",
        ),
    ] = ImportOptions.labels,
    pattern: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Regular expression that finds the label in a file's name (group `text`, or the first).",
        ),
    ] = ImportOptions.pattern,
    split_from_folders: Annotated[
        bool,
        typer.Option("--split-from-folders", help="Folders named train, validation and test fix the split."),
    ] = ImportOptions.split_from_folders,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let imported labels replace those that a person gave.")
    ] = ImportOptions.replace,
    frame: Annotated[
        str | None,
        typer.Option(metavar="N|merge", help=FRAME_HELP),
    ] = ImportOptions.frame,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be imported, and write nothing.")
    ] = False,
    dataset: DatasetOption = None,
    json: JsonFlag = False,
) -> None:
    """Copy images that you have already, and their labels, into a dataset.

    Importing again adds what is new and corrects imported labels; a person's labels stay.
    """
    from captcha_lab.collect.exchange.importer import import_path, plan_import

    options = ImportOptions(labels, pattern, split_from_folders, replace, frame)
    workspace = Workspace.find()
    if dry_run:
        with progress("Reading") as bar:
            plan = plan_import(path, workspace.config, options, bar)
        for note in plan.notes:
            say(note)
        emit(plan, json, *_table(plan))
        suggest(f"captcha-lab import {shlex.quote(str(path))}", "does it", json)
        return
    with progress("Importing") as bar:
        report = import_path(path, workspace.dataset(dataset), workspace.config, options, bar)
    for name, reason in (*report.skipped, *report.aside[:SHOWN], *report.kept[:SHOWN]):
        say(f"{name}: {reason}")
    for note in report.notes:
        say(note)
    emit(report, json, *_summary(report))
    tell_next(dataset, json)
    if report.skipped:
        raise typer.Exit(1)


def _table(plan: ImportPlan) -> list[str]:
    rows = [(image.name, image.text, image.split, image.why) for image in plan.images[:SHOWN]]
    rest = len(plan.images) - len(rows)
    lines = [table(("name", "text", "split", "why"), rows)]
    lines += [f"… and {rest:,} more; --json lists all."] if rest else []
    texts = sum(bool(image.text) for image in plan.images)
    return [*lines, f"{len(plan.images):,} images, {texts:,} with a text. Nothing was written."]


def _summary(report: ImportReport) -> list[str]:
    splits = ", ".join(f"{count} {name}" for name, count in report.splits.items())
    lines = [
        f"{report.stored} images imported into dataset {report.dataset}{f' ({splits})' if splits else ''}, "
        f"{report.duplicates} were there already, {report.labelled} labelled, {report.changed} labels changed, "
        f"{len(report.skipped)} problems."
    ]
    if report.aside:
        lines.append(f"{len(report.aside)} of them are of no use to any reader and were set aside.")
    if report.kept:
        lines.append(f"{len(report.kept)} labels that a person gave stay; --replace takes the imported ones.")
    return [*lines, *([_facts(report.facts)] if report.facts is not None else [])]


def _facts(facts: Facts) -> str:
    """What the dataset says of itself, on one line."""
    parts = [f"{facts.captchas:,} captchas, {facts.labelled:,} with a text"]
    if facts.lengths:
        lengths = ", ".join(f"{length} ({count:,})" for length, count in facts.lengths.items())
        only = next(iter(facts.lengths))
        parts.append(f"{only} characters" if len(facts.lengths) == 1 else f"numbers of characters {lengths}")
        parts.append(f"alphabet {facts.alphabet}")
        if any(c.isalpha() and c.lower() != c.upper() for c in facts.alphabet):
            parts.append("case-sensitive" if facts.case_sensitive else "one case")
    sizes = [f"{width}x{height}" for width, height in facts.sizes]
    parts.append(
        f"{sizes[0] if len(sizes) == 1 else f'{len(sizes)} sizes, mostly {sizes[0]}'} pixels" if sizes else ""
    )
    return f"The dataset: {'; '.join(filter(None, parts))}."
