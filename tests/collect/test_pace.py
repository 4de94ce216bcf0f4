"""Delays: never undercut, doubled on complaint."""

import random
from email.utils import formatdate

import pytest

from captcha_lab.collect.scrape.pace import FOREVER, Clock, Pace, retry_after


class FakeTime:
    """Time that passes only in sleeps, which may end early."""

    def __init__(self, early: float = 1.0) -> None:
        self.now, self.early, self.slept = 1000.0, early, 0.0

    def sleep(self, seconds: float) -> None:
        step = seconds if seconds < 1e-3 else seconds * self.early
        self.now += step
        self.slept += step

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, lambda: self.now, self.sleep)


def pace(delay: float, time: FakeTime, jitter: float = 0.25) -> Pace:
    return Pace(delay, jitter, 300.0, time.clock, random.Random(1))


def test_jitter_only_ever_adds() -> None:
    time = FakeTime()
    it = pace(1.0, time)
    gaps = []
    for _ in range(50):
        it.done()
        gaps.append(it.left)
        it.wait()
    assert min(gaps) >= 1.0
    assert max(gaps) <= 1.25 + 1e-9
    assert len(set(gaps)) > 40


def test_a_sleep_that_ends_early_is_gone_on_with() -> None:
    time = FakeTime(early=0.5)
    it = pace(1.0, time)
    it.done()
    due = time.now + it.left
    it.wait()
    assert time.now == pytest.approx(due, abs=1e-6)
    assert it.left == 0


def test_doubling_starts_from_a_second_and_ends_at_the_limit() -> None:
    it = pace(0.0, FakeTime())
    delays = []
    for _ in range(12):
        it.slower()
        delays.append(it.delay)
    assert delays[:4] == [1, 2, 4, 8]
    assert delays[-1] == 300


def test_success_goes_back_by_halves_but_never_below_the_base() -> None:
    it = pace(1.5, FakeTime())
    for _ in range(3):
        it.slower()
    assert it.delay == 12
    delays = []
    for _ in range(5):
        it.easier()
        delays.append(it.delay)
    assert delays == [6, 3, 1.5, 1.5, 1.5]


def test_a_crawl_delay_above_the_limit_stands() -> None:
    it = pace(1.0, FakeTime())
    it.at_least(900)
    it.slower()
    assert it.delay == 900
    it.at_least(2)
    assert it.delay == 900


def test_a_hold_is_not_shortened_by_a_shorter_one() -> None:
    time = FakeTime()
    it = pace(1.0, time)
    it.hold(60)
    it.done()
    it.wait()
    assert time.slept >= 60


NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("value", "date", "wait"),
    [
        (None, None, None),
        ("120", None, 120),
        (" 0 ", None, 0),
        ("-5", None, None),
        ("1.5", None, 1.5),
        ("soon", None, None),
        ("+3", None, 3),
        ("3.", None, 3),
        (".5", None, 0.5),
        ("3, 3", None, 3),
        ("3, 90", None, 90),
        ("90,3", None, 90),
        ("3 seconds", None, 3),
        ("3s", None, 3),
        ("2 minutes", None, 120),
        ("1h", None, 3600),
        ("1e3", None, 1000),
        ("inf", None, FOREVER),
        ("٣", None, None),
        ("²", None, None),
        (f"3, {formatdate(NOW + 90, usegmt=True)}", None, 90),
        (f"{formatdate(NOW + 9, usegmt=True)}, {formatdate(NOW + 90, usegmt=True)}", None, 90),
        ("2027-01-15T08:01:30Z", None, 90),
        ("", None, None),
        ("9" * 5000, None, FOREVER),
        (formatdate(NOW + 90, usegmt=True), None, 90),
        (formatdate(NOW - 90, usegmt=True), None, 0),
        # Our clock is an hour fast: by ours the moment has passed, by the site's it is 90 s off.
        (formatdate(NOW - 3510, usegmt=True), formatdate(NOW - 3600, usegmt=True), 90),
        # Our clock is an hour slow: the longer wait counts.
        (formatdate(NOW + 3690, usegmt=True), formatdate(NOW + 3600, usegmt=True), 3690),
        (formatdate(NOW + 90, usegmt=True), "nonsense", 90),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None, None),
    ],
)
def test_retry_after_in_both_forms(value: str | None, date: str | None, wait: float | None) -> None:
    got = retry_after(value, date, NOW)
    if value and value.startswith("Fri, 31 Dec 9999"):
        assert got is None or got > 1e9  # past the calendar's end, whichever way it is read
    else:
        assert got == wait
