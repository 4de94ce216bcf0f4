"""What robots.txt means for us."""

from typing import Any

import pytest

from captcha_lab.collect.scrape.http import FetchError, Reply
from captcha_lab.collect.scrape.pace import FOREVER
from captcha_lab.collect.scrape.robots import RobotsUnknownError, fetch_rules

URL = "http://example.org/captcha?id=1"


def rules(body: str = "", status: int = 200, **headers: str) -> Any:
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
        ("User-agent: captcha-lab/1.0\nDisallow: /captcha\n\nUser-agent: *\nAllow: /", False),
        ("user-agent : Captcha-Lab/2 (by us)\nDisallow: /", False),
        ("\ufeffUser-agent: *\nDisallow: /", False),
        ("\ufeff\ufeff\u200bUser-agent: *\nDisallow: /", False),
        ("Useragent: captcha-lab/1.0\nDissallow: /", False),
        ("User agent captcha-lab\nDisallow /", False),
        ("User-agent: Mozilla/5.0 (compatible; captcha-lab/1.0)\nDisallow: /", False),
        ("User-agent: CAPTCHA-LAB*\rDisallow: /", False),
        ("User-agent: captcha-lab\n\nSitemap: http://example.org/s\nDisallow: /", False),
        ("User-agent: other\nDisallow: /\nUser-agent: *\nAllow: /", True),
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
        ("User-agent: *\nCrawl-delay: 2s", 2),
        ("User-agent: *\nCrawl-delay: +2", 2),
        ("User-agent: *\ncrawl-delay : 2 # seconds", 2),
        ("User-agent: *\nCrawl-delay: inf", FOREVER),
        ("User-agent: *\nCrawl-delay: 1e9", 1e9),
        ("User-agent: *\nCrawl-delay: 99999999999", FOREVER),
        (f"User-agent: *\nCrawl-delay: {'9' * 5000}", FOREVER),
        ("User-agent: *\nRequest-rate: 1/10m", 600),
        ("User-agent: *\nRequest-rate: 30/m", 2),
        ("User-agent: *\nRequest-rate: 1/1h 0600-0845", 3600),
        (f"User-agent: *\nRequest-rate: 1/{'9' * 5000}", FOREVER),
        ("User-agent: *\nRequest-rate: 0/5", 0),
        ("User-agent: *\nCrawl-delay: 9\n\nUser-agent: captcha-lab\nCrawl-delay: 3", 3),
        ("User-agent: *\nCrawl-delay: 9\n\nUser-agent: captcha-lab/1.0\nCrawl-delay: 3", 3),
        ("User-agent: other\nUser-agent: *\nCrawl-delay: 9\nCrawl-delay: 4", 9),
        ("User-agent: other\nCrawl-delay: 9", 0),
        ("User-agent: *\rCrawl delay 9", 9),
        ("User_agent: Captcha-Lab/9\nCrawl-delay: 7\n\nUser-agent: *\nCrawl-delay: 2", 7),
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


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_it_fails_closed_on_rules_that_are_no_utf8(encoding: str) -> None:
    def get(url: str) -> Reply:
        return Reply(200, {"Content-Type": "text/plain"}, "User-agent: *\nDisallow: /".encode(encoding))

    with pytest.raises(RobotsUnknownError, match="no text in UTF-8"):
        fetch_rules(URL, get)
    with pytest.raises(RobotsUnknownError, match="no text in UTF-8"):
        rules("User-agent: *\0\nDisallow: /")


@pytest.mark.parametrize(
    "body", [b"\x1f\x8b\x08junk", "User-agent: *\nDisallow: /".encode("cp500"), b"\x89PNG\r\n\x1a\n"]
)
def test_it_fails_closed_on_rules_that_are_no_text(body: bytes) -> None:
    with pytest.raises(RobotsUnknownError, match="no text in UTF-8"):
        fetch_rules(URL, lambda url: Reply(200, {"Content-Type": "text/plain"}, body))


def test_a_letter_of_another_encoding_in_a_remark_does_no_harm() -> None:
    body = "User-agent: *\n# caf\xe9\nDisallow: /".encode("latin-1")
    assert not fetch_rules(URL, lambda url: Reply(200, {}, body)).allows(URL)


def test_a_file_of_many_agents_and_many_rules_takes_no_longer_than_its_length() -> None:
    """Each rule for each agent, one by one, were two thousand millions."""
    many = "User-agent: a\n" * 40_000 + "User-agent: *\n" + "Crawl-delay: 3\n" * 36_000
    others = "".join(f"User-agent: a{k}\n" for k in range(30_000)) + "Disallow: /\n" * 36_000
    found = rules(many + others)
    assert (found.delay, found.allows(URL)) == (3, True)


def test_an_html_page_is_said_and_its_rules_still_bind() -> None:
    page = rules("<!doctype html><h1>Hello</h1>")
    assert page.allows(URL)
    assert "HTML page" in page.note
    assert not rules("<pre>\nUser-agent: *\nDisallow: /\n</pre>").allows(URL)
