"""When the next request may go out."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MIN_BACKOFF = 1.0  # seconds; what doubling starts from where there was no delay
FOREVER = 10.0**10  # seconds; a Retry-After beyond all reckoning


@dataclass(frozen=True)
class Clock:
    """The time, and how to let it pass; tests give their own."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time  # Unix seconds
    sleep: Callable[[float], None] = time.sleep


class Pace:
    """Spaces requests: a base delay after each, doubled while the site complains, with jitter on top.

    Args:
        delay: seconds between the end of one request and the start of the next.
        jitter: up to this share of the delay is added at random, so that it is never undercut.
        most: seconds at which doubling ends.
    """

    def __init__(self, delay: float, jitter: float, most: float, clock: Clock, rng: random.Random) -> None:
        self._base = delay
        self._delay = delay
        self._jitter, self._most, self._clock, self._rng = jitter, most, clock, rng
        self._not_before = clock.monotonic()

    @property
    def delay(self) -> float:
        """The present delay in seconds, without jitter."""
        return self._delay

    def at_least(self, delay: float) -> None:
        """Raise the base delay (a robots Crawl-delay); never lowers it."""
        self._base = max(self._base, delay)
        self._delay = max(self._delay, delay)

    def slower(self) -> None:
        """Double the delay."""
        self._delay = max(min(max(self._delay, MIN_BACKOFF / 2) * 2, self._most), self._base)

    def easier(self) -> None:
        """Go half of the way back to the base delay, after a success."""
        halved = self._delay / 2
        self._delay = self._base if halved < max(self._base, MIN_BACKOFF) else halved

    def hold(self, seconds: float) -> None:
        """Let nothing out for so long from now."""
        self._not_before = max(self._not_before, self._clock.monotonic() + seconds)

    def done(self) -> None:
        """A request has just ended: the delay starts."""
        self.hold(self._delay * (1 + self._rng.uniform(0, self._jitter)))

    @property
    def left(self) -> float:
        """Seconds until the next request may go out."""
        return max(0.0, self._not_before - self._clock.monotonic())

    def wait(self) -> None:
        """Sleep until the next request may go out; a sleep that ends early is gone on with."""
        while (left := self.left) > 0:
            self._clock.sleep(left)


def retry_after(value: str | None, date: str | None, now: float) -> float | None:
    """Seconds a Retry-After header asks to wait, None where it is absent or senseless.

    Args:
        value: the header, in either form of RFC 9110, section 10.2.3 (seconds or an HTTP date), or as sites write it:
            `3.5`, `+3`, `3 seconds`, several with commas between. Of several the longest counts.
        date: the reply's own Date header. Of the waits by the site's clock and by ours the longer one counts,
            so that a clock that is off never makes it shorter.
        now: Unix seconds.
    """
    if value is None:
        return None
    site_now = _unix(date or "")
    moments = [moment for text in _DATES.findall(value) if (moment := _unix(text)) is not None]
    waits = [max(0.0, until - now, 0.0 if site_now is None else until - site_now) for until in moments]
    rest = _DATES.sub("", value)
    waits += [wait for part in re.split("[,;]", rest) if (wait := seconds(part)) is not None]
    return max(waits, default=None)


_DATES = re.compile(
    r"(?:[A-Za-z]{3,9},?\s+)?[0-9]{1,2}[ -][A-Za-z]{3}[ -][0-9]{2,4}\s+[0-9:]{4,8}"
    r"(?:\s+(?:[A-Z]{1,4}|[+-][0-9]{4})\b)?"
    r"|[A-Za-z]{3}\s+[A-Za-z]{3}\s+[0-9]{1,2}\s+[0-9:]{8}\s+[0-9]{4}"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{5,8}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_AMOUNT = re.compile(r"\+?([0-9]*\.?[0-9]+|[0-9]+\.)(?:[eE]\+?([0-9]{1,3})(?![0-9]))?\s*([a-z]*)")
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0}  # by the first letter; anything else is seconds


def seconds(text: str) -> float | None:
    """A time as people write it: a number first, then perhaps its unit (`3`, `2.5s`, `10m`, `1e3`, `inf`).

    None where no number stands first, or a negative one; at most `FOREVER`.
    """
    text = text.strip().lower()
    if re.match(r"\+?inf", text):
        return FOREVER
    found = _AMOUNT.match(text)
    if found is None:
        return None
    number, power, unit = found.groups()
    if len(number) > 30 or int(power or 0) > 12:
        return FOREVER
    scale = 0.001 if unit in ("ms", "msec", "milliseconds") else _UNITS.get(unit[:1], 1.0)
    return min(float(number) * 10.0 ** int(power or 0) * scale, FOREVER)


def _unix(value: str) -> float | None:
    try:
        moment = datetime.fromisoformat(value) if value[4:5] == "-" else parsedate_to_datetime(value)
        # A date without a zone ("-0000") is in UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
