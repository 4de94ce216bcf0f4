"""Which addresses may be fetched: whole URLs, one origin, redirects followed by hand."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import SplitResult, quote, urldefrag, urljoin, urlsplit

from captcha_lab.collect.scrape.http import Reply
from captcha_lab.errors import UsageError
from captcha_lab.text import clipped, printable

MAX_REDIRECTS = 5
MAX_LENGTH = 8000  # characters of a URL
_REDIRECTS = (301, 302, 303, 307, 308)


class Redirected(Exception):  # noqa: N818 - a fact about a reply
    """A redirect that is not followed; the message says where it leads."""


def check_url(url: str) -> str:
    """The URL, if it is one that can be scraped.

    Raises:
        UsageError: it is not a whole http(s) URL, or carries a password.
    """
    if len(url) > MAX_LENGTH:
        raise UsageError(f"A URL of {len(url)} characters is too long: at most {MAX_LENGTH} are taken.")
    try:
        url.encode()
    except UnicodeEncodeError:
        raise UsageError(f"The URL {printable(url)} is not UTF-8: write such bytes as %XX.") from None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is not a URL: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise UsageError(f"{url!r} is not a whole URL: give it as https://example.org/captcha.")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "The URL carries a user name or password: give it without; captcha-lab does not log in."
        )
    return urldefrag(url).url


def origin(url: str) -> str:
    """Scheme, host and port, in one canonical spelling."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{_port(parts)}"


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine by its spelling (a name is not resolved)."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def follow(
    url: str, get: Callable[[str], Reply], allowed: Callable[[str], bool] = lambda url: True
) -> tuple[Reply, str]:
    """GET a URL through redirects of its own origin, each asked of `allowed`; the reply and the last URL.

    Raises:
        Redirected: to another origin, to a place `allowed` forbids, in a circle, or too often.
        FetchError: see `Client.get`.
    """
    seen = [url]
    while (reply := get(seen[-1])).status in _REDIRECTS:
        try:
            target = urldefrag(urljoin(seen[-1], _location(reply))).url
            same = urlsplit(target).scheme in ("http", "https") and origin(target) == origin(url)
            same = same and urlsplit(target).username is None
        except ValueError:
            raise Redirected(f"it redirects to what is no URL, {clipped(_location(reply))}") from None
        if not same:
            raise Redirected(f"it redirects to another origin, {clipped(target)}")
        if target in seen:
            raise Redirected(f"it redirects in a circle, back to {clipped(target)}")
        if len(seen) > MAX_REDIRECTS:
            raise Redirected(f"it redirects more than {MAX_REDIRECTS} times")
        if not allowed(target):
            raise Redirected(f"it redirects to {clipped(target)}, which robots.txt forbids")
        seen.append(target)
    return reply, seen[-1]


def _location(reply: Reply) -> str:
    """The Location header as a URL: sites send it in UTF-8, which arrives as Latin-1."""
    value = reply.headers.get("Location", "")[:MAX_LENGTH].strip()
    return quote(value.encode("latin-1", errors="replace"), safe="%/:=&?~#+!$,;'@()*[]")
