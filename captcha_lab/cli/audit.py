"""`captcha-lab audit`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from captcha_lab.cli.output import (
    DatasetOption,
    JsonFlag,
    SeedOption,
    ask,
    emit,
    progress,
    say,
    suggest,
    tell_next,
)
from captcha_lab.collect.scrape.config import ScrapeConfig
from captcha_lab.evaluate.audit.config import AuditConfig

if TYPE_CHECKING:
    from captcha_lab.evaluate.audit.result import Audit

EXAMPLES = (
    ("captcha-lab audit", "How weak the captchas of this workspace are."),
    (
        "captcha-lab audit https://example.org/captcha --count 300",
        "Scrape 300 captchas of your own site first.",
    ),
)


def run(
    url: Annotated[
        str | None,
        typer.Argument(help="Endpoint to scrape first, by the scraper's rules [default: what is there]."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "--run",
            metavar="RUN",
            help="Let this trained reader try too (see `captcha-lab runs`).",
        ),
    ] = None,
    dataset: DatasetOption = None,
    count: Annotated[int, typer.Option(help="Captchas to have in all, with a URL.")] = ScrapeConfig.count,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second at most [default: 1, on this machine no limit].")
    ] = ScrapeConfig.rate,
    contact: Annotated[
        str, typer.Option(help="Mail address or URL sent in the User-Agent.")
    ] = ScrapeConfig.contact,
    authorised: Annotated[
        bool, typer.Option("--i-am-authorised", help="Say beforehand that you may test the site.")
    ] = ScrapeConfig.authorised,
    remedies: Annotated[
        bool, typer.Option(help="Train readers on changed captchas, to see what would help.")
    ] = AuditConfig.remedies,
    seed: SeedOption = AuditConfig.seed,
    report: Annotated[
        Path | None, typer.Option(help="Folder of audit.json and audit.html [default: the dataset's audit/].")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Say how weak a captcha is, for its owner. Never submits an answer anywhere."""
    from captcha_lab.evaluate.audit.html import audit_json
    from captcha_lab.pipeline.auditing import audit_dataset

    scrape = ScrapeConfig(count=count, rate=rate, contact=contact, authorised=authorised)
    config = AuditConfig(seed=seed, remedies=remedies)

    with progress("Auditing") as bar:
        found, _, html_path = audit_dataset(
            url, dataset, scrape, config, report, ask if sys.stdin.isatty() else None, say,
            bar.phase, model,
        )  # fmt: skip
    emit(audit_json(found) if json else None, json, *_lines(found), f"Report: {html_path}")
    if found.grade is None:
        tell_next(dataset, json)
    else:
        source = shlex.quote(url or found.url or "URL")
        suggest(
            f"captcha-lab audit {source} --dataset after", "once the captcha has been changed: compare", json
        )


def _lines(found: Audit) -> list[str]:
    from captcha_lab.evaluate.audit.attack import spread_text

    lines = [found.verdict]
    lines += [f"Grade {found.grade.letter} of A to F: {found.grade.meaning}."] if found.grade else []
    for attack in found.attacks:
        lines += ["", f"  {attack.name}: {100 * attack.best.value:.1f} % at best"]
        for milestone in attack.milestones:
            spread = spread_text(milestone)
            effort = f"{milestone.effort} ({spread})" if spread else milestone.effort
            lines.append(f"    to read {100 * milestone.target:.0f} %: {effort}")
    lines.append("")
    if found.clean is not None and found.shapes is not None:
        lines += [
            f"  cut cleanly: {100 * found.clean.value:.1f} % of {found.captchas} captchas",
            f"  shapes: {found.shapes.distinct} different ones among {found.shapes.glyphs} glyphs",
        ]
    if found.resisting:
        names = ", ".join(f"{name} ({100 * share.value:.0f} %)" for name, share in found.resisting)
        lines.append(f"  characters that are read worst: {names}")
    for helps, title in ((True, "Helps:"), (False, "Does not help:")):
        said = [f"- {line.text}" for line in found.advice if line.helps == helps]
        lines += ["", title, *said] if said else []
    return [*lines, *(f"Note: {note}" for note in found.notes)]
