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
    text = reply.body.decode("utf-8-sig", errors="replace")
    lines = _directives(text)
    if _CONTROL.search(text) or ("\N{REPLACEMENT CHARACTER}" in text and not lines):
        raise RobotsUnknownError(
            f"{address} is no text in UTF-8, so its rules are unknown and nothing is fetched.", reply
        )
    ours = _for_us(lines)
    allowing = [f"{name}: {value}" for name, value in ours if name in ("allow", "disallow")]
    parsed = Protego.parse("\n".join(["User-agent: *", *allowing]))
    delays = [_READ[name](value) for name, value in ours if name in _READ]
    is_page = "html" in reply.media_type or text.lstrip()[:1] == "<"
    note = "robots.txt is an HTML page; only rules found in it bind" if is_page else ""
    return Rules(parsed, max(filter(None, delays), default=0.0), note)


_CONTROL = re.compile(r"[\0-\x08\x0e-\x1f\x7f]")
# As people spell them; what stands before the first letter is a mark that some editors put there.
_SPELLINGS = {
    "agent": "user[-_ ]?agent",
    "disallow": "diss?all?ow|disallaw|diasllow",
    "allow": "allow",
    "crawl-delay": "crawl[-_ ]?delay",
    "request-rate": "request[-_ ]?rate",
}
_DIRECTIVE = re.compile(
    f"[^a-z]*(?:{'|'.join(f'({spelling})' for spelling in _SPELLINGS.values())})(?:\\s*:|\\s)\\s*(.*)", re.I
)
_RATE = re.compile(r"([0-9]{1,9})\s*/\s*(.*)")


def _directives(text: str) -> list[tuple[str, str]]:
    """Name and value of each line that is a rule or names an agent."""
    found = (_DIRECTIVE.match(line.partition("#")[0].strip()) for line in text.splitlines())
    names = tuple(_SPELLINGS)
    return [
        (next(n for n, said in zip(names, m.groups(), strict=False) if said), m[len(names) + 1].strip())
        for m in found
        if m is not None
    ]


def _for_us(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The rules of all groups that name us; where there are none, those for everybody."""
    rules: dict[str, list[tuple[str, str]]] = {}
    whom: set[str] = set()
    in_rules = False
    for name, value in lines:
        if name != "agent":
            in_rules = True
            for who in whom:
                rules[who].append((name, value))
            continue
        whom, in_rules = (set() if in_rules else whom), False
        token = re.match(r"[a-z_-]*", value.lower())
        if AGENT in value.lower() or (token and token[0] and AGENT.startswith(token[0])):
            whom.add(AGENT)
        elif value.startswith("*"):
            whom.add("*")
        for who in whom:
            rules.setdefault(who, [])
    return rules.get(AGENT, rules.get("*", []))


def _of_rate(value: str) -> float | None:
    """Seconds for each request of a Request-rate as `1/5`, `1/10m` or `30/m`."""
    found = _RATE.match(value)
    if found is None or not int(found[1]):
        return None
    per = found[2] if found[2][:1].isdigit() else f"1{found[2]}"
    whole = seconds(per)
    return None if whole is None else whole / int(found[1])


_READ: dict[str, Callable[[str], float | None]] = {"crawl-delay": seconds, "request-rate": _of_rate}


def describe(status: int) -> str:
    """A status with its usual words: `503 Service Unavailable`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
