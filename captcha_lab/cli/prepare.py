"""`captcha-lab prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from captcha_lab.cli.output import (
    JsonFlag,
    SeedOption,
    attributes_option,
    emit,
    names,
    progress,
    say,
    tell_next,
)
from captcha_lab.datasets.base import CROPS, PrepareOptions, dataset_names, prepare
from captcha_lab.store.workspace import Workspace

EXAMPLES = (
    ("captcha-lab prepare mnist", "The digits that come with captcha-lab."),
    (
        "captcha-lab prepare folder pictures --size 64 --dataset mine",
        "Any folder of pictures, at 64 by 64 pixels.",
    ),
)


def run(
    module: Annotated[str, typer.Argument(metavar="MODULE", help=f"One of {', '.join(dataset_names())}.")],
    path: Annotated[
        Path | None, typer.Argument(help="What to pack [default: a small set that comes with captcha-lab].")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            help="Side in pixels [default: the module's own; celeba 128, lfw and folder 64, mnist 28]."
        ),
    ] = PrepareOptions.size,
    crop: Annotated[
        str | None,
        typer.Option(
            help=f"Side of the centred square that is kept: {', '.join(CROPS)} "
            "[default: the module's own; celeba 148, lfw none, folder the largest square]."
        ),
    ] = PrepareOptions.crop,
    attributes: Annotated[
        list[str] | None, attributes_option("Attributes to keep, with commas between [default: all].")
    ] = None,
    grey: Annotated[bool, typer.Option("--grey", help="Pack grey pictures.")] = PrepareOptions.grey,
    workers: Annotated[
        int | None, typer.Option(help="Threads [default: processors + 1].")
    ] = PrepareOptions.workers,
    seed: SeedOption = PrepareOptions.seed,
    dataset: Annotated[str | None, typer.Option(help="Name to pack it under [default: MODULE].")] = None,
    json: JsonFlag = False,
) -> None:
    """Pack a published set of pictures (faces, digits, any folder) for training."""
    options = PrepareOptions(size, crop, names(attributes), grey, seed, workers)
    folder = Workspace.find().dataset(dataset or module)
    with progress("Packing") as bar:
        report = prepare(module, path, folder, options, bar)
    for note in report.notes:
        say(note)
    from captcha_lab.datasets.packing import summarise_skipped

    for line in summarise_skipped(report.skipped):
        say(line)
    splits = ", ".join(f"{count} {name}" for name, count in report.splits.items())
    shape = "x".join(map(str, report.image_shape))
    resumed = f" ({report.resumed} of them before an interruption)" if report.resumed else ""
    emit(
        report,
        json,
        f"{report.pictures} pictures of {shape} packed{resumed} in {report.seconds:.1f} s: {splits}; "
        f"{report.classes or 'no'} classes, {len(report.attributes) or 'no'} attributes; "
        f"{len(report.skipped)} skipped. {report.path}",
    )
    tell_next(dataset or module, json)
