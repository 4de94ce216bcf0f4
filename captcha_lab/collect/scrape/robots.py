"""What a site's robots.txt allows (RFC 9309), failing closed where it can't be known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from protego import Protego

from captcha_lab.collect.scrape.http import FetchError, Reply
from captcha_lab.collect.scrape.url import Redirected, follow
from captcha_lab.errors import CaptchaLabError

AGENT = "captcha-lab"  # the product token robots.txt may name
MAX_AGE = 24 * 3600.0  # seconds; RFC 9309, section 2.4: don't use a copy for longer


class RobotsUnknownError(CaptchaLabError):
    """Robots.txt can't be had, so that nothing may be fetched; `reply` where there was one."""

    def __init__(self, message: str, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.reply = reply


@dataclass(frozen=True)
class Rules:
    """A site's rules for us; `delay` in seconds (0 where none is asked for); `note` what is odd about them."""

    parsed: Protego
    delay: float = 0.0
    note: str = ""

    def allows(self, url: str) -> bool:
        """Whether we may fetch the URL."""
        return bool(self.parsed.can_fetch(url, AGENT))


def fetch_rules(url: str, get: Callable[[str], Reply]) -> Rules:
    """Get and read the robots.txt that governs `url`; `get` fetches one URL politely.

    Raises:
        RobotsUnknownError: time-out, broken reply, 5xx, 429, 401, 403 or a redirect to elsewhere.
    """
    parts = urlsplit(url)
    address = f"{parts.scheme}://{parts.netloc}/robots.txt"
    try:
        reply, _ = follow(address, get)
    except FetchError as error:
        raise RobotsUnknownError(f"{address} can't be read ({error}), so nothing is fetched.") from error
    except Redirected as error:
        raise RobotsUnknownError(
            f"{address}: {error}, so its rules are unknown and nothing is fetched."
        ) from error
    if reply.status in (401, 403, 429) or reply.status >= 500 or reply.status < 200:
        raise RobotsUnknownError(
            f"{address} answers {describe(reply.status)}, so its rules are unknown and nothing is fetched.",
            reply,
        )
    if reply.status >= 300:  # RFC 9309, section 2.3.1.3: no robots.txt, no rules
        return Rules(Protego.parse(""), note=f"no robots.txt ({describe(reply.status)})")
    return _read(reply)


def _read(reply: Reply) -> Rules:
    text = reply.body.decode("utf-8-sig", errors="replace")
    parsed = Protego.parse(text)
    delay = float(parsed.crawl_delay(AGENT) or 0.0)
    rate = parsed.request_rate(AGENT)
    if rate is not None:
        delay = max(delay, rate.seconds / rate.requests)
    is_page = "html" in reply.media_type or text.lstrip()[:1] == "<"
    return Rules(parsed, delay, "robots.txt is an HTML page; only rules found in it bind" if is_page else "")


def describe(status: int) -> str:
    """A status with its usual words: `503 Service Unavailable`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
