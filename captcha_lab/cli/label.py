"""`captcha-lab label`."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from captcha_lab.cli.output import (
    DatasetOption,
    JsonFlag,
    ModelOption,
    emit,
    progress,
    say,
    suggest,
    table,
    tell_next,
)
from captcha_lab.errors import UsageError
from captcha_lab.label.questions.types import BEST, QUEUE_NAMES, TITLES
from captcha_lab.label.web.config import ReviewConfig
from captcha_lab.store.workspace import Workspace

# By the names of the review page, too.
QUEUES = ", ".join(f"{name} ({TITLES[name][0]})" for name in QUEUE_NAMES)
EXAMPLES = (
    ("captcha-lab label --review", "Label on a page in the browser, which asks for the fewest keys."),
    ("captcha-lab label", "Label in the terminal."),
)


def run(
    review: Annotated[bool, typer.Option("--review", help="Open the review page in the browser.")] = False,
    queue: Annotated[
        str, typer.Option(metavar="QUEUE", help=f"What the terminal asks: {BEST}, {QUEUES}.")
    ] = "captcha",
    auto: Annotated[
        bool, typer.Option("--auto", help="Let a trained reader label what nobody has labelled.")
    ] = False,
    model: ModelOption = None,
    simulate: Annotated[
        Path | None,
        typer.Option(
            help="Play a labeller who knows this folder's labels, and print the curve of keystrokes."
        ),
    ] = None,
    error_rate: Annotated[float, typer.Option(help="Share of keys the simulated labeller mistypes.")] = 0.0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the review page's address, open nothing.")
    ] = not ReviewConfig.browser,
    port: Annotated[
        int | None,
        typer.Option(help=f"Port of the review page on 127.0.0.1, 0 for any [default: {ReviewConfig.port}]."),
    ] = None,
    dataset: DatasetOption = None,
    json: JsonFlag = False,
) -> None:
    """Label captchas: in the terminal, on the review page, or by the recogniser."""
    chosen = [name for name, on in (("--review", review), ("--simulate", simulate is not None)) if on]
    if len(chosen) > 1 or (auto and simulate is not None):
        raise UsageError("--simulate stands alone: it plays the labeller and changes no dataset.")
    if queue not in (BEST, *QUEUE_NAMES):
        raise UsageError(f"There is no queue {queue!r}: choose one of {', '.join((BEST, *QUEUE_NAMES))}.")
    if simulate is not None:
        _simulate(simulate, error_rate, json)
    if auto:
        _auto(dataset, model, json)
    if review:
        _review(dataset, port, not no_browser, json)
    elif not auto and simulate is None:
        _terminal(dataset, queue, json)


def _simulate(truth: Path, error_rate: float, json: bool) -> None:
    from captcha_lab.pipeline.simulation import simulate_labelling

    if not 0 <= error_rate < 1:
        raise UsageError(f"--error-rate is {error_rate}: give a share from 0 up to, not including, 1.")
    with progress("Reading") as bar:
        found = simulate_labelling(Workspace.find(), truth, error_rate, progress=bar)
    reached = (f"{share}: {keys or 'not reached'}" for share, keys in found.targets().items())
    emit(
        found.to_dict(),
        json,
        found.why,
        f"{found.labels} {found.unit}s of {found.captchas} captchas ({found.left_out} left out), from nothing:",
        table(("keystrokes", "labels right", f"{found.unit}s shown"), found.table()),
        f"Keystrokes to {', '.join(reached)}.",
    )
    suggest("captcha-lab label --review", "labels the captchas of a dataset so", json)


def _auto(dataset: str | None, model: str | None, json: bool) -> None:
    from captcha_lab import pipeline
    from captcha_lab.pipeline.labels import label_by_model

    with progress("Labelling") as bar:
        report = label_by_model(*pipeline.locate(dataset), say, bar, model)
    emit(
        report,
        json,
        f"{report.run} gave {report.labelled} labels (mean confidence {report.mean_confidence:.1%}, "
        f"{report.below_half} below 50 %); {report.unchanged} stay as they were, {report.kept} were labelled by "
        "people, batches or imports and stay.",
        "Look through the least sure ones: captcha-lab label --review.",
    )
    tell_next(dataset, json)


def _review(dataset: str | None, port: int | None, browser: bool, json: bool) -> None:
    from captcha_lab import pipeline
    from captcha_lab.label.worker import WORKER_THREAD
    from captcha_lab.pipeline.labels import review

    wanted = ReviewConfig.port if port is None else port

    def started(url: str) -> None:
        lines = [f"Review page: {url}", "Ctrl-C ends it; every ticked label is saved."]
        if "SSH_CONNECTION" in os.environ:
            held = urlsplit(url).port
            lines.append(
                f"From your own machine: ssh -L {held}:127.0.0.1:{held} THIS-HOST, then open the address there."
            )
        emit({"url": url}, json, *lines)

    review(*pipeline.locate(dataset), ReviewConfig(wanted, browser), started, port_is_a_wish=port is None)
    tell_next(dataset, json)
    if any(thread.name == WORKER_THREAD and thread.is_alive() for thread in threading.enumerate()):
        # A training in the background would keep the terminal waiting, or end in an abort inside torch. Every answer
        # was on the disk before it was acknowledged: nothing is left to be done.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _terminal(dataset: str | None, queue: str, json: bool) -> None:
    from captcha_lab import pipeline
    from captcha_lab.pipeline.labels import label_in_terminal

    out = sys.stderr if json else sys.stdout
    report = label_in_terminal(*pipeline.locate(dataset), queue, sys.stdin, out, say)
    emit(
        report,
        json,
        f"{report.labels} labels by {report.acts} answers and {report.keystrokes} keystrokes; {report.undone} undone, "
        f"{report.skipped} skipped, {report.waiting} wait in the queue {report.queue}.",
    )
    tell_next(dataset, json)
