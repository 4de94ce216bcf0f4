"""What a site's robots.txt allows (RFC 9309), failing closed where it can't be known."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from protego import Protego

from captcha_lab.collect.scrape.http import FetchError, Reply
from captcha_lab.collect.scrape.pace import seconds
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
    return _read(reply, address)


def _read(reply: Reply, address: str) -> Rules:
    if b"\0" in reply.body:
        raise RobotsUnknownError(
            f"{address} is no text in UTF-8, so its rules are unknown and nothing is fetched.", reply
        )
    text = reply.body.decode("utf-8-sig", errors="replace")
    parsed = Protego.parse(_DELAY.sub("", _OUR_VERSION.sub(r"\1", text)))
    is_page = "html" in reply.media_type or text.lstrip()[:1] == "<"
    note = "robots.txt is an HTML page; only rules found in it bind" if is_page else ""
    return Rules(parsed, asked_delay(text), note)


_LINE = re.compile(r"^[ \t]*([A-Za-z-]+)[ \t]*:[ \t]*([^#\r\n]*)", re.MULTILINE)
# Read here, in more spellings than the parser knows; it overflows over some of them.
_DELAY = re.compile(r"^[ \t]*(?:crawl-delay|request-rate)[ \t]*:.*", re.MULTILINE | re.IGNORECASE)
_OUR_VERSION = re.compile(rf"(?im)^([ \t]*user-agent[ \t]*:[ \t]*{AGENT})/[^\r\n]*")
_RATE = re.compile(r"([0-9]{1,9})\s*/\s*(.*)")


def asked_delay(text: str) -> float:
    """Seconds between requests that the rules ask of us, by Crawl-delay or Request-rate: the longest; 0 for none.

    Rules for us by name count; where there are none, those for everybody.
    """
    delays: dict[str, list[float]] = {}
    agents: list[str] = []
    in_rules = False
    for name, value in _LINE.findall(text):
        name, value = name.lower(), value.strip()
        if name == "user-agent":
            agents, in_rules = ([] if in_rules else agents), False
            agents.append(value.lower().partition("/")[0].strip())
            delays.setdefault(agents[-1], [])
            continue
        in_rules = True
        delay = (
            seconds(value) if name == "crawl-delay" else _of_rate(value) if name == "request-rate" else None
        )
        if delay is not None:
            for agent in agents:
                delays[agent].append(delay)
    return max(delays.get(AGENT, delays.get("*", [])), default=0.0)


def _of_rate(value: str) -> float | None:
    """Seconds for each request of a Request-rate as `1/5`, `1/10m` or `30/m`."""
    found = _RATE.match(value)
    if found is None or not int(found[1]):
        return None
    per = found[2] if found[2][:1].isdigit() else f"1{found[2]}"
    whole = seconds(per)
    return None if whole is None else whole / int(found[1])


def describe(status: int) -> str:
    """A status with its usual words: `503 Service Unavailable`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
