"""`captcha-lab segment`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from captcha_lab.cli.output import DatasetOption, JsonFlag, emit, progress
from captcha_lab.errors import UsageError
from captcha_lab.segment import Segmenter

EXAMPLES = (("captcha-lab segment --preview cells.png", "Cut, and draw the cells over some captchas."),)


def threshold_value(text: str) -> str | int:
    """`otsu`, or a grey level."""
    if text == "otsu":
        return text
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--threshold is {text!r}: give 'otsu' or a grey level from 0 to 254.") from None


def run(
    glyphs: Annotated[
        int | None, typer.Option(help="Cells per captcha [default: the workspace's length, else 4].")
    ] = None,
    threshold: Annotated[
        str, typer.Option(help="'otsu', or the highest grey level that counts as ink.")
    ] = str(Segmenter.threshold),
    binary: Annotated[
        bool, typer.Option("--binary", help="Make ink black instead of keeping its grey.")
    ] = False,
    size: Annotated[int, typer.Option(help="Side of a glyph in pixels.")] = Segmenter.size,
    fit: Annotated[str, typer.Option(help="'pad' a cell to a square, or 'stretch' it.")] = Segmenter.fit,
    preview: Annotated[Path | None, typer.Option(help="Draw the cells over some captchas, as PNG.")] = None,
    dataset: DatasetOption = None,
    json: JsonFlag = False,
) -> None:
    """Cut the dataset's captchas into glyphs, and say what the cuts did to the ink."""
    from captcha_lab import pipeline

    workspace, folder = pipeline.locate(dataset)
    segmenter = Segmenter(
        workspace.config.length if glyphs is None else glyphs, threshold_value(threshold), binary, size, fit
    )
    with progress("Segmenting") as bar:
        report = pipeline.segment(folder, segmenter, preview, bar)
    emit(report, json, *pipeline.describe_segmentation(report, preview))
