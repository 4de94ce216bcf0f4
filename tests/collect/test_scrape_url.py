"""Which addresses are fetched."""

from typing import Any

import pytest

from captcha_lab.collect.scrape.http import Reply
from captcha_lab.collect.scrape.url import Redirected, check_url, follow, is_loopback, origin
from captcha_lab.errors import UsageError


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:80/captcha", True),
        ("http://127.9.9.9/", True),
        ("http://[::1]:8000/captcha", True),
        ("http://localhost/captcha", True),
        ("http://127.0.0.1.example.org/", False),
        ("http://localhost.example.org/", False),
        ("http://10.0.0.1/", False),
        ("https://example.org/127.0.0.1", False),
    ],
)
def test_loopback_is_judged_by_the_host(url: str, local: bool) -> None:
    assert is_loopback(url) is local


@pytest.mark.parametrize(
    "url",
    [
        "example.org/captcha",
        "ftp://example.org/",
        "http://",
        "file:///etc/passwd",
        "http://a b/",
        "http://h:x/",
        f"http://h:{'9' * 6000}/",
        f"http://{'9' * 9000}/",
        "http://h/caf\udce9",
    ],
)
def test_what_is_no_whole_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="URL"):
        check_url(url)


def test_a_password_is_refused_without_being_repeated() -> None:
    with pytest.raises(UsageError) as refusal:
        check_url("http://me:secret@example.org/")
    assert "secret" not in str(refusal.value)


def test_origins_compare_in_one_spelling() -> None:
    assert origin("HTTP://Example.org/a") == origin("http://example.org:80/b")
    assert origin("https://example.org") != origin("http://example.org")


def site(**targets: str) -> Any:
    def get(url: str) -> Reply:
        path = url.rsplit("/", 1)[1]
        return Reply(302, {"Location": targets[path]}) if path in targets else Reply(200, {}, path.encode())

    return get


def test_a_redirect_within_the_origin_is_followed() -> None:
    reply, last = follow("http://h/a", site(a="/b", b="http://H:80/c"))
    assert (reply.body, last) == (b"c", "http://H:80/c")


def test_a_location_in_utf8_is_followed() -> None:
    location = "/é b/%20".encode().decode("latin-1")
    _, last = follow("http://h/a", site(a=location))
    assert last == "http://h/%C3%A9%20b/%20"


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ({"a": "http://other/b"}, "another origin"),
        ({"a": "https://h/b"}, "another origin"),
        ({"a": "http://h:81/b"}, "another origin"),
        ({"a": "//other/b"}, "another origin"),
        ({"a": "file:///etc/passwd"}, "another origin"),
        ({"a": "http://h:bad/"}, "no URL"),
        ({"a": f"http://h:{'9' * 5000}/"}, "no URL"),
        ({"a": "http://[::1/"}, "no URL"),
        ({"a": "http://u:p@h/b"}, "another origin"),
        ({"a": "/b", "b": "/a"}, "circle"),
        ({"a": ""}, "circle"),
        ({k: f"/{chr(ord(k) + 1)}" for k in "abcdefgh"}, "more than 5 times"),
    ],
)
def test_other_redirects_are_not(targets: dict[str, str], said: str) -> None:
    with pytest.raises(Redirected, match=said):
        follow("http://h/a", site(**targets))


def test_robots_are_asked_about_every_hop() -> None:
    with pytest.raises(Redirected, match=r"robots\.txt forbids"):
        follow("http://h/a", site(a="/b", b="/private"), lambda url: "private" not in url)
