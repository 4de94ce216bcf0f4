"""`captcha-lab drop`."""

from __future__ import annotations

from typing import Annotated

import typer

from captcha_lab.cli.output import DatasetOption, JsonFlag, emit, tell_next
from captcha_lab.text import printable

EXAMPLES = (
    ("captcha-lab drop", "List the pictures that are set aside, and why."),
    ("captcha-lab drop 17 'banner*.png'", "Set a captcha by its number and some files aside."),
    ("captcha-lab drop --where 'width < 40'", "Set aside what is narrower than 40 pixels."),
    ("captcha-lab drop --undo 17", "Put one back into use."),
)


def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME", help="Numbers of captchas, or file names; * and ? stand for anything."
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Those labelled so; * and ? stand for anything.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="CONDITION",
            help="Those that fulfil a condition on id, width, height, bytes, extension, split, text, length, file.",
        ),
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Kept with the pictures.")] = "dropped by hand",
    undo: Annotated[bool, typer.Option("--undo", help="Put the pictures back into use.")] = False,
    dataset: DatasetOption = None,
    json: JsonFlag = False,
) -> None:
    """Set pictures aside that are of no use, or put them back; nothing is deleted."""
    from captcha_lab import pipeline
    from captcha_lab.datasets.aside import drop_pictures

    _, folder = pipeline.locate(dataset)
    report = drop_pictures(folder, names or (), label=label, where=where, reason=reason, undo=undo)
    done = "Put back into use" if undo else "Set aside"
    emit(
        report,
        json,
        *([f"{done}: {len(report.changed)}."] if report.changed else []),
        f"{len(report.aside)} pictures of dataset {folder.name} are set aside.",
        *(
            f"  {picture.image_id}\t{printable(picture.file)}\t{printable(picture.reason)}"
            for picture in report.aside
        ),
    )
    tell_next(dataset, json)
