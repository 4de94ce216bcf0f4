"""`captcha-lab segment`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from captcha_lab.cli.output import DatasetOption, JsonFlag, ModelOption, emit, progress, say, tell_next
from captcha_lab.errors import UsageError

EXAMPLES = (
    ("captcha-lab segment --preview cells.png", "Cut, and draw the cells over some captchas."),
    (
        "captcha-lab segment --by-reader",
        "Cut captchas that no threshold cuts, by a trained reader of whole ones.",
    ),
)


def threshold_value(text: str) -> str | int:
    """`otsu`, or a grey level."""
    if text == "otsu":
        return text
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--threshold is {text!r}: give 'otsu' or a grey level from 0 to 254.") from None


def run(
    method: Annotated[
        str | None,
        typer.Option(help="'equal' cells or cells around the 'ink' [default: what fits the labels best]."),
    ] = None,
    glyphs: Annotated[
        int | None,
        typer.Option(
            help="Cells per captcha, 0 for as many as are found [default: as the labels say, else 4]."
        ),
    ] = None,
    threshold: Annotated[
        str | None, typer.Option(help="'otsu', or the highest grey level that counts as ink [default: otsu].")
    ] = None,
    binary: Annotated[
        bool, typer.Option("--binary", help="Make ink black instead of keeping its grey.")
    ] = False,
    size: Annotated[int | None, typer.Option(help="Side of a glyph in pixels [default: 20].")] = None,
    fit: Annotated[
        str | None, typer.Option(help="'pad' a cell to a square, or 'stretch' it [default: pad].")
    ] = None,
    by_reader: Annotated[
        bool,
        typer.Option(
            "--by-reader",
            help="Cut where a trained reader of whole captchas sees the characters (see --model).",
        ),
    ] = False,
    model: ModelOption = None,
    preview: Annotated[Path | None, typer.Option(help="Draw the cells over some captchas, as PNG.")] = None,
    dataset: DatasetOption = None,
    json: JsonFlag = False,
) -> None:
    """Cut the dataset's captchas into glyphs, and say what the cuts did to the ink."""
    from captcha_lab import pipeline

    given = {
        "method": method,
        "glyphs": glyphs,
        "threshold": None if threshold is None else threshold_value(threshold),
        "binary": binary or None,
        "size": size,
        "fit": fit,
    }
    settings = {name: value for name, value in given.items() if value is not None}
    workspace, folder = pipeline.locate(dataset)
    with progress("Segmenting") as bar:
        report = pipeline.segment(
            workspace, folder, settings, preview, bar, by_reader=by_reader, model=model, say=say
        )
    emit(report, json, *pipeline.describe_segmentation(report, preview))
    tell_next(dataset, json)
