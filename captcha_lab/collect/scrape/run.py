"""One scrape under way: waiting its turn, judging each reply, recording every attempt."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from captcha_lab.collect.endpoint.config import ANSWER_HEADER, STYLE_HEADER
from captcha_lab.collect.scrape.config import ScrapeConfig, ScrapeResult, ScrapeStopped
from captcha_lab.collect.scrape.hold import OriginHold
from captcha_lab.collect.scrape.http import Client, FetchError, Reply
from captcha_lab.collect.scrape.pace import Clock, Pace, retry_after
from captcha_lab.collect.scrape.picture import check_picture, extract
from captcha_lab.collect.scrape.robots import AGENT, MAX_AGE, RobotsUnknownError, Rules, describe, fetch_rules
from captcha_lab.collect.scrape.url import Redirected, follow, is_loopback, origin
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.workspace import DatasetFolder

Say = Callable[[str], None]

# A random endpoint of 32^4 texts hardly ever repeats a picture; from this share on it is said.
DUPLICATE_SHARE = 0.1
DUPLICATE_SAMPLE = 20
LONG_WAIT = 10.0  # seconds; a longer wait is said
STYLE_KEY = "endpoint_style"  # of the catalog's `meta`: what the built-in endpoint said of its pictures
ANSWER_NOTE = "answer="  # how a fetch's note begins where the endpoint gave the text away


class ScrapeSession:
    """One scrape under way; arguments as in `scrape`."""

    def __init__(
        self,
        folder: DatasetFolder,
        url: str,
        config: ScrapeConfig,
        catalog: Catalog,
        client: Client,
        hold: OriginHold,
        clock: Clock,
        rng: random.Random,
        say: Say,
    ) -> None:
        self.folder, self.url, self.config = folder, url, config
        self.catalog, self.client, self.hold, self.clock, self.say = catalog, client, hold, clock, say
        self.blobs = BlobStore(folder.blobs)
        self.tally: Counter[str] = Counter()
        self.failures = 0  # in a row
        self.style = catalog.get_meta(STYLE_KEY) or ""
        self.total = sum(
            fetch.outcome in ("stored", "duplicate") and fetch.url.startswith(("http:", "https:"))
            for fetch in catalog.fetches()
        )
        self.started = clock.monotonic()
        delay = 1 / config.rate if config.rate else 0.0 if is_loopback(url) else 1.0
        self.own_delay = delay  # without what the site asks for
        self.pace = Pace(delay, config.jitter, config.max_wait, clock, rng)
        self.rules: Rules | None = None
        self.rules_at = 0.0
        self.told: float | None = None  # Unix seconds until which the last reply asked to wait
        self.waited = False  # whether the user knows that the site is slow

    def fetch_all(self, on_progress: Callable[[int, int], None]) -> None:
        """Go on until the dataset has what was asked for; errors as in `scrape`."""
        self._heed_earlier_hold()
        on_progress(self.total, self.config.count)
        while self.total < self.config.count:
            self._attempt(self._permission())
            on_progress(self.total, self.config.count)
            if self.failures >= self.config.max_failures:
                last = self.catalog.fetches()[-1].note
                raise self.stop(f"{self.failures} attempts in a row gave no captcha (the last: {last}).")

    def result(self) -> ScrapeResult:
        """How far it came."""
        return ScrapeResult(
            dataset=self.folder.name,
            url=self.url,
            count=self.config.count,
            total=self.total,
            distinct=len(self.catalog.images()),
            stored=self.tally["stored"],
            duplicates=self.tally["duplicate"],
            refused=self.tally["refused"],
            failed=self.tally["failed"],
            seconds=round(self.clock.monotonic() - self.started, 3),
            warnings=self._warnings(),
        )

    def _warnings(self) -> tuple[str, ...]:
        received = self.tally["stored"] + self.tally["duplicate"]
        if received >= DUPLICATE_SAMPLE and self.tally["duplicate"] >= DUPLICATE_SHARE * received:
            share = self.tally["duplicate"] / received
            return (
                f"{share:.0%} of the captchas received are exact duplicates: the endpoint is not random, "
                "more requests will bring little that is new.",
            )
        return ()

    def stop(self, reason: str, resume_at: float | None = None) -> ScrapeStopped:
        """The error that ends the run for this reason."""
        return ScrapeStopped(reason, self.result(), resume_at)

    # One request

    def _get(self, url: str) -> Reply:
        """One polite GET: waits its turn first, and heeds what the reply asks for, whatever its status."""
        left = self.pace.left
        if left > max(self.config.max_wait, 2 * self.own_delay):
            until = self.clock.wall() + left
            self.hold.extend(until)
            raise self.stop(f"{origin(self.url)} asks to be fetched from again {self._when(until)}.", until)
        if left > LONG_WAIT and not self.waited:
            self.say(f"{origin(self.url)} asks for {self.pace.delay:.0f} s between requests; waiting.")
            self.waited = True
        self.pace.wait()
        try:
            reply = self.client.get(url)
        finally:
            self.pace.done()
        self.told = None
        if reply.status >= 300:
            wait = retry_after(reply.headers.get("Retry-After"), reply.headers.get("Date"), self.clock.wall())
            if wait is not None:
                self.pace.hold(wait)
                self.told = self.clock.wall() + wait
                self.hold.extend(self.told)
        return reply

    def _permission(self) -> Rules:
        """The site's rules, not older than a day, after making sure that they allow the URL."""
        if self.rules is None or self.clock.monotonic() - self.rules_at > MAX_AGE:
            try:
                self.rules = fetch_rules(self.url, self._get)
            except RobotsUnknownError as error:
                status = error.reply.status if error.reply else None
                self._record("failed", status=status, note=str(error))
                until = self.told if error.reply else None
                again = "Try again later." if until is None else f"Try again {self._when(until)}."
                raise self.stop(f"{error} {again}", until) from error
            self.rules_at = self.clock.monotonic()
            self.pace.at_least(self.rules.delay)
            self.pace.done()  # the delay it asks for starts with the next request
            if self.rules.note:
                self.say(self.rules.note)
        if not self.rules.allows(self.url):
            self._record("refused", note="forbidden by robots.txt")
            raise self.stop(
                f"robots.txt of {origin(self.url)} forbids {self.url} to {AGENT}, so it is not fetched."
            )
        return self.rules

    def _attempt(self, rules: Rules) -> None:
        started = self.clock.monotonic()
        try:
            reply, last_url = follow(self.url, self._get, rules.allows)
        except FetchError as error:
            self._fail(str(error), started, error.status, error.size)
            if error.fatal:
                raise self.stop(f"{self.url}: {error}.") from error
            self._say_wait(str(error))
            return
        except Redirected as error:
            self._record("refused", note=str(error), seconds=self.clock.monotonic() - started)
            raise self.stop(
                f"{self.url}: {error}. If you may test that address, give it as the URL."
            ) from error
        if reply.status == 200:
            self._keep(reply, started, "" if last_url == self.url else f"redirected to {last_url}")
        else:
            self._complain(reply, started)

    def _complain(self, reply: Reply, started: float) -> None:
        """A status other than 200: wait longer where that may help, else stop."""
        words = describe(reply.status)
        self._fail(words, started, reply.status)
        if reply.status in (401, 403):
            raise self.stop(
                f"{self.url} answers {words}: the site does not want this; ask its owner.", self.told
            )
        if reply.status in (408, 413, 429) or reply.status >= 500:
            until = self.told
            if until is not None and until - self.clock.wall() > self.config.max_wait:
                raise self.stop(
                    f"{self.url} answers {words} and asks to come back {self._when(until)}.", until
                )
            self._say_wait(words)
            return
        raise self.stop(f"{self.url} answers {words}: check the URL.", self.told)

    def _fail(self, reason: str, started: float, status: int | None = None, size: int = 0) -> None:
        self.pace.slower()
        self.pace.done()
        self._record("failed", status, size, self.clock.monotonic() - started, note=reason)
        self.failures += 1

    def _say_wait(self, reason: str) -> None:
        if self.failures < self.config.max_failures:
            self.say(f"{reason}; waiting {self.pace.left:.0f} s")

    def _keep(self, reply: Reply, started: float, note: str) -> None:
        """Check a body and store it: bytes first, then the row that vouches for them."""
        seconds = self.clock.monotonic() - started
        try:
            if self.config.json_field:
                reply = extract(reply, self.config.json_field)
            data, picture = check_picture(reply, self.config.frame)
        except CaptchaLabError as error:
            self._record("refused", 200, len(reply.body), seconds, note=str(error))
            self.failures += 1
            self.say(f"refused: {error}")
            return
        answer = reply.headers.get(ANSWER_HEADER, "")
        if answer and is_loopback(self.url) and answer.isprintable() and " " not in answer:
            note = f"{ANSWER_NOTE}{answer} {note}".strip()
        sha256 = self.blobs.put(data, picture.extension)
        with self.catalog.transaction():
            image_id, new = self.catalog.add_image(
                sha256, picture.extension, picture.width, picture.height, len(data)
            )
            outcome = "stored" if new else "duplicate"
            self._record(outcome, 200, len(reply.body), seconds, image_id, note)
        style = reply.headers.get(STYLE_HEADER, "")
        if style != self.style and is_loopback(self.url):
            self.style = style
            self.catalog.set_meta(STYLE_KEY, style)
        self.total += 1
        self.failures = 0
        self.pace.easier()

    def _record(
        self,
        outcome: str,
        status: int | None = None,
        size: int = 0,
        seconds: float = 0.0,
        image_id: int | None = None,
        note: str = "",
    ) -> None:
        self.catalog.add_fetch(
            self.url, outcome, status=status, size=size, seconds=seconds, image_id=image_id, note=note
        )
        self.tally[outcome] += 1

    # Being told to wait

    def _heed_earlier_hold(self) -> None:
        """A wait an earlier run was told of holds for this one too."""
        until = max(self.hold.until(), _number(self.catalog.get_meta(f"not_before {origin(self.url)}")))
        left = until - self.clock.wall()
        if left > self.config.max_wait:
            site = origin(self.url)
            raise self.stop(f"{site} asked an earlier run to come back {self._when(until)}.", until)
        if left > 0:
            self.say(f"{origin(self.url)} asked an earlier run to wait: {left:.0f} s left")
            self.pace.hold(left)

    def _when(self, moment: float) -> str:
        """A time to come back at, in the user's own zone."""
        try:
            return f"after {datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M:%S %Z}"
        except (OverflowError, ValueError, OSError):
            return f"in {(moment - self.clock.wall()) / 86400:.0f} days"


def _number(text: str | None) -> float:
    """A moment that an older captcha-lab kept in the catalog; 0 where there is none."""
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
