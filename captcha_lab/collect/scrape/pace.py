"""When the next request may go out."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
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
        value: the header, in either form of RFC 9110, section 10.2.3: seconds or an HTTP date.
        date: the reply's own Date header. Of the waits by the site's clock and by ours the longer one counts,
            so that a clock that is off never makes it shorter.
        now: Unix seconds.
    """
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"\d+", value):
        return float(value) if len(value) <= 10 else FOREVER
    until = _unix(value)
    if until is None:
        return None
    site_now = _unix(date or "")
    return max(0.0, until - now, 0.0 if site_now is None else until - site_now)


def _unix(value: str) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    # A date without a zone ("-0000") is in UTC.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
