"""Fetch captchas from an endpoint the user may test: serially, politely, keeping account of every attempt."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from captcha_lab.collect.scrape.config import ScrapeConfig, ScrapeResult
from captcha_lab.collect.scrape.hold import OriginHold
from captcha_lab.collect.scrape.http import Client
from captcha_lab.collect.scrape.line import authorities, proxies
from captcha_lab.collect.scrape.pace import Clock
from captcha_lab.collect.scrape.robots import AGENT
from captcha_lab.collect.scrape.run import ANSWER_NOTE, Say, ScrapeSession
from captcha_lab.collect.scrape.url import check_url, is_loopback, origin
from captcha_lab.errors import UsageError
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.workspace import DatasetFolder
from captcha_lab.version import __version__

_DEFAULTS = ScrapeConfig()
_REAL_TIME = Clock()


def scrape(
    folder: DatasetFolder,
    url: str,
    config: ScrapeConfig = _DEFAULTS,
    *,
    confirm: Callable[[str], bool] | None = None,
    say: Say = lambda message: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    clock: Clock = _REAL_TIME,
    rng: random.Random | None = None,
) -> ScrapeResult:
    """Fetch from `url` until the dataset has received `config.count` captchas in all.

    Args:
        folder: the dataset; made where it is missing.
        url: of an endpoint that answers each GET with a fresh captcha.
        config: limits.
        confirm: asks the user a yes-no question; None where nobody can be asked.
        say: told in one line what the user should know meanwhile.
        on_progress: told how many captchas there are and shall be.
        clock: the time; tests give their own.
        rng: of the jitter.

    Raises:
        UsageError: not a URL, or authorisation or contact are missing.
        ScrapeStopped: the site, robots.txt or too many failures ended it; what came is kept.
        CaptchaLabError: the dataset can't be used.
    """
    url = check_url(url)
    _check_contact(url, config)
    _check_authorised(folder, url, config, confirm)
    agent = user_agent(config.contact)
    hold = OriginHold.of(folder, origin(url))
    with (
        hold.turn(),
        Catalog(folder.catalog_path) as catalog,
        Client(
            agent,
            max_bytes=config.max_bytes,
            silence=config.silence,
            deadline=config.deadline,
            cookies=config.cookies,
            ca=authorities(config),
            proxies=partial(proxies, config),
            accept="application/json" if config.json_field else "image/*, text/plain;q=0.5",
        ) as client,
    ):
        run = ScrapeSession(folder, url, config, catalog, client, hold, clock, rng or random.Random(), say)
        if run.total < config.count:
            catalog.add_provenance(
                "scrape",
                url=url,
                user_agent=agent,
                count=config.count,
                rate=config.rate,
                cookies=config.cookies,
            )
            try:
                run.fetch_all(on_progress)
            except KeyboardInterrupt:
                raise run.stop("Interrupted.") from None
        else:
            say(f"The dataset has {run.total} scraped captchas already; a larger --count fetches more.")
        return run.result()


def user_agent(contact: str) -> str:
    """What the scraper calls itself."""
    return f"{AGENT}/{__version__} (captcha research" + (f"; contact {contact})" if contact else ")")


def answers(catalog: Catalog) -> dict[int, str]:
    """The texts a loopback endpoint gave with its captchas (`serve --with-answers`), by image id."""
    return {
        fetch.image_id: fetch.note.partition(ANSWER_NOTE)[2].split()[0]
        for fetch in catalog.fetches()
        if fetch.image_id is not None and ANSWER_NOTE in fetch.note
    }


def _check_contact(url: str, config: ScrapeConfig) -> None:
    if not is_loopback(url) and not config.contact:
        raise UsageError(
            "A site's owner must be able to reach you: give --contact you@example.org, or contact = "
            '"you@example.org" in captcha-lab.toml.'
        )


def _check_authorised(
    folder: DatasetFolder, url: str, config: ScrapeConfig, confirm: Callable[[str], bool] | None
) -> None:
    """Make sure, once per dataset and origin, that the user may test this site; remember that they said so."""
    if is_loopback(url):
        return
    site = origin(url)
    if folder.catalog_path.exists():
        with Catalog(folder.catalog_path) as catalog:
            if any(p["kind"] == "authorisation" and p.get("origin") == site for p in catalog.provenance()):
                return
    how = "--i-am-authorised"
    if not config.authorised:
        how = "confirmed"
        question = f"Are you authorised by the owner of {site} to fetch captchas from it for testing?"
        if confirm is None:
            raise UsageError(f"{question} If so, say it with --i-am-authorised.")
        if not confirm(question):
            raise UsageError(f"Nothing was fetched from {site}: captcha-lab is for sites you may test.")
    with Catalog(folder.catalog_path) as catalog:
        catalog.add_provenance("authorisation", origin=site, how=how, contact=config.contact)
