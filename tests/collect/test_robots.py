"""What robots.txt means for us."""

import pytest

from captcha_lab.collect.scrape.http import FetchError, Reply
from captcha_lab.collect.scrape.robots import RobotsUnknownError, fetch_rules

URL = "http://example.org/captcha?id=1"


def rules(body: str = "", status: int = 200, **headers: str):
    asked = []

    def get(url: str) -> Reply:
        asked.append(url)
        return Reply(status, {"Content-Type": "text/plain", **headers}, body.encode())

    found = fetch_rules(URL, get)
    assert asked == ["http://example.org/robots.txt"]
    return found


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        ("", True),
        ("User-agent: *\nDisallow: /", False),
        ("User-agent: *\nDisallow: /\nAllow: /captcha", True),
        ("User-agent: *\nDisallow: /*?id=", False),  # wildcards count
        ("User-agent: captcha-lab\nDisallow: /captcha\n\nUser-agent: *\nAllow: /", False),
        ("User-agent: other\nDisallow: /", True),
        ("\ufeffUser-agent: *\nDisallow: /", False),
    ],
)
def test_rules(body: str, allowed: bool) -> None:
    assert rules(body).allows(URL) is allowed


@pytest.mark.parametrize(
    ("body", "delay"),
    [
        ("", 0),
        ("User-agent: *\nCrawl-delay: 2.5", 2.5),
        ("User-agent: *\nRequest-rate: 1/10", 10),
        ("User-agent: *\nCrawl-delay: 2\nRequest-rate: 1/10", 10),
        ("User-agent: *\nCrawl-delay: soon", 0),
    ],
)
def test_delays(body: str, delay: float) -> None:
    assert rules(body).delay == delay


@pytest.mark.parametrize("status", [400, 404, 410])
def test_no_robots_no_rules(status: int) -> None:
    found = rules("User-agent: *\nDisallow: /", status)
    assert found.allows(URL)
    assert str(status) in found.note


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503, 599])
def test_it_fails_closed(status: int) -> None:
    with pytest.raises(RobotsUnknownError, match=f"{status}.*nothing is fetched") as stop:
        rules("", status)
    assert stop.value.reply is not None


def test_it_fails_closed_on_a_broken_reply() -> None:
    def get(url: str) -> Reply:
        raise FetchError("no answer within 10 s")

    with pytest.raises(RobotsUnknownError, match="no answer within 10 s"):
        fetch_rules(URL, get)


def test_it_fails_closed_on_a_redirect_elsewhere() -> None:
    with pytest.raises(RobotsUnknownError, match="another origin"):
        rules("", 301, Location="http://elsewhere.example/robots.txt")


def test_an_html_page_is_said_and_its_rules_still_bind() -> None:
    page = rules("<!doctype html><h1>Hello</h1>")
    assert page.allows(URL)
    assert "HTML page" in page.note
    assert not rules("<pre>\nUser-agent: *\nDisallow: /\n</pre>").allows(URL)
