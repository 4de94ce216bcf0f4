"""`captcha-lab scrape`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from captcha_lab.cli.output import DatasetOption, JsonFlag, ask, emit, progress, say, tell_next
from captcha_lab.collect.frame_choice import FRAME_HELP
from captcha_lab.collect.scrape.config import ScrapeConfig

EXAMPLES = (
    ("captcha-lab scrape", "500 captchas from the built-in endpoint, on this machine."),
    (
        "captcha-lab scrape https://example.org/captcha --count 200",
        "200 captchas of a site that you may test, at most one a second.",
    ),
)


def run(
    url: Annotated[
        str | None, typer.Argument(help="Endpoint [default: the configured source, else the built-in one].")
    ] = None,
    count: Annotated[
        int, typer.Option(help="Captchas the dataset shall have in all; a rerun resumes.")
    ] = ScrapeConfig.count,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second at most [default: 1, on this machine no limit].")
    ] = ScrapeConfig.rate,
    contact: Annotated[
        str, typer.Option(help="Mail address or URL sent in the User-Agent [default: the configured one].")
    ] = ScrapeConfig.contact,
    cookies: Annotated[
        bool, typer.Option("--cookies", help="Keep the site's cookies and send them on.")
    ] = ScrapeConfig.cookies,
    authorised: Annotated[
        bool, typer.Option("--i-am-authorised", help="Say beforehand that you may test the site.")
    ] = ScrapeConfig.authorised,
    json_field: Annotated[
        str,
        typer.Option(
            help="Field of a JSON reply that holds the picture, in base64 or as a data URL: data.image."
        ),
    ] = ScrapeConfig.json_field,
    frame: Annotated[str | None, typer.Option(metavar="N|merge", help=FRAME_HELP)] = ScrapeConfig.frame,
    ca: Annotated[
        str, typer.Option(metavar="FILE", help="Certificate authorities to trust instead of the usual ones.")
    ] = ScrapeConfig.ca,
    proxy: Annotated[str, typer.Option(metavar="URL", help="Proxy to go through.")] = ScrapeConfig.proxy,
    environment: Annotated[
        bool,
        typer.Option(
            "--environment",
            help="Use the proxies and authorities that the environment names: HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE.",
        ),
    ] = ScrapeConfig.environment,
    dataset: DatasetOption = None,
    json: JsonFlag = False,
) -> None:
    """Fetch captchas, politely and one at a time, from an endpoint you are authorised to test."""
    config = ScrapeConfig(
        count=count,
        rate=rate,
        contact=contact,
        cookies=cookies,
        authorised=authorised,
        json_field=json_field,
        frame=frame,
        ca=ca,
        proxy=proxy,
        environment=environment,
    )
    from captcha_lab.collect.scrape.source import scrape_source
    from captcha_lab.store.workspace import Workspace

    with progress("Scraping") as bar:
        result = scrape_source(
            Workspace.find(),
            config,
            url=url,
            dataset=dataset,
            confirm=ask if sys.stdin.isatty() else None,
            say=say,
            on_progress=bar,
        )
    for warning in result.warnings:
        say(f"Warning: {warning}")
    emit(
        result,
        json,
        f"{result.stored} new captchas ({result.duplicates} duplicates, {result.refused} refused, "
        f"{result.failed} failed attempts) in {result.seconds:.1f} s; dataset {result.dataset!r} holds "
        f"{result.distinct}.",
    )
    tell_next(result.dataset, json)
