"""`captcha-lab demo`."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from captcha_lab.cli.output import JsonFlag, SeedOption, emit, progress, say, suggest, table
from captcha_lab.errors import UsageError
from captcha_lab.pipeline.common import check_folder
from captcha_lab.pipeline.demo import DemoConfig, DemoReport, demo

EXAMPLES = (("captcha-lab demo --keep lesson", "Keep the workspace in the folder lesson."),)


def run(
    keep: Annotated[
        Path | None, typer.Option(help="Keep the workspace in this (new or empty) folder.")
    ] = None,
    captchas: Annotated[int, typer.Option(min=50, help="Captchas to learn from.")] = DemoConfig.captchas,
    fresh: Annotated[int, typer.Option(min=1, help="Unseen captchas to read.")] = DemoConfig.fresh,
    seconds: Annotated[
        float, typer.Option(min=1, help="Time the generator trains.")
    ] = DemoConfig.generator_seconds,
    seed: SeedOption = DemoConfig.seed,
    json: JsonFlag = False,
) -> None:
    """The whole thesis in minutes, on captchas made here: scrape, label, read, generate, score."""
    config = DemoConfig(captchas=captchas, fresh=fresh, generator_seconds=seconds, seed=seed)
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise UsageError(f"{keep} is not empty: name a new folder with --keep.")
    # Without --keep the pictures stay too, in the system's temporary folder: someone will want to look.
    root = keep or Path(tempfile.mkdtemp(prefix="captcha-lab-demo-"))
    check_folder(root)
    report = demo(root.resolve(), config, say, progress)
    emit(report, json, *_summary(report))
    suggest(f"cd {shlex.quote(str(report.root))} && captcha-lab status", "the workspace that it made", json)


def _summary(report: DemoReport) -> list[str]:
    rows = [
        ("captchas scraped, glyphs cut", f"{report.captchas}, {report.glyphs}", ""),
        ("keystrokes to label them all", report.keystrokes, ""),
        ("labels right", f"{report.label_accuracy:.2%}", ""),
        ("fresh captchas read right", f"{report.fresh_captchas.value:.1%}", ""),
        ("fresh glyphs read right", f"{report.fresh_glyphs.value:.2%}", ""),
        *(
            (f"generator {report.generator}: {title}", *_pair(report, key, style))
            for key, title, style in (
                ("gan_test", "read as asked (GAN-test)", ".1%"),
                ("gan_train", "teaches a recogniser (GAN-train)", ".1%"),
                ("recall", "recall", ".3f"),
                ("coverage", "coverage", ".3f"),
                ("frechet", "Fréchet distance", ".1f"),
            )
            if key in report.figures
        ),
    ]
    return [
        "",
        table(("", "here", "real glyphs"), rows, f"Done in {report.seconds:.0f} s"),
        report.verdict,
        f"Real glyphs beside generated ones (blue): {report.contact_sheet}",
        f"The whole report: {report.report}",
        f"The workspace: {report.root}",
    ]


def _pair(report: DemoReport, key: str, style: str) -> tuple[str, str]:
    floor = report.floor.get(key)
    return format(report.figures[key], style), "" if floor is None else format(floor, style)
