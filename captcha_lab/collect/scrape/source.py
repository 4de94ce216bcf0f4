"""Scrape whatever the workspace says: a URL given, its configured source, or else the built-in endpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from captcha_lab.collect.endpoint.config import EndpointConfig
from captcha_lab.collect.endpoint.server import running_endpoint
from captcha_lab.collect.scrape.config import ScrapeConfig, ScrapeResult
from captcha_lab.collect.scrape.run import Say
from captcha_lab.collect.scrape.scrape import scrape
from captcha_lab.store.workspace import DEFAULT_LENGTH, Workspace


def scrape_source(
    workspace: Workspace,
    config: ScrapeConfig,
    *,
    url: str | None = None,
    dataset: str | None = None,
    confirm: Callable[[str], bool] | None = None,
    say: Say = lambda message: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ScrapeResult:
    """Scrape into a dataset of the workspace; arguments and errors as in `scrape`.

    With no URL and no `source` in the configuration, the built-in endpoint is started for the occasion, with the
    workspace's alphabet and length, and this is said.
    """
    folder = workspace.dataset(dataset)
    config = replace(config, contact=config.contact or workspace.config.contact)
    url = url or workspace.config.source
    if url:
        return scrape(folder, url, config, confirm=confirm, say=say, on_progress=on_progress)
    built_in = EndpointConfig(
        port=0,
        length=workspace.config.length or DEFAULT_LENGTH,
        alphabet=workspace.config.alphabet or "",
    )
    with running_endpoint(built_in) as url:
        say(f"No URL given and none configured: scraping the built-in endpoint, started at {url}.")
        return scrape(folder, url, config, say=say, on_progress=on_progress)
