"""What the texts teach, computed here in seconds: one topic a file, found by its `TOPIC`."""

from __future__ import annotations

from functools import cache

from captcha_lab.discovery import discover
from captcha_lab.errors import UsageError
from captcha_lab.generate.explain.topic import Topic


@cache
def topics() -> dict[str, Topic]:
    """Every topic by its name, in alphabetical order."""
    return {topic.name: topic for topic in discover(__name__, "TOPIC").values()}


def get_topic(name: str) -> Topic:
    """The topic of that name (UsageError: there is none; the message lists all)."""
    if name not in topics():
        raise UsageError(f"There is no topic {name!r}: choose one of {', '.join(topics())}.")
    return topics()[name]
