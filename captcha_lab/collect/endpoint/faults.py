"""Faults the built-in endpoint commits on request, to practise scraping on and to test the scraper with.

A SPEC is a comma-separated list of steps `NAME[=VALUE][*COUNT]`. Each GET of `/captcha` takes the next step
(`*COUNT` repeats it, `*forever` never ends it); after the last one the endpoint is well. `robots.NAME` steps are
taken by `/robots.txt` instead. Names: `ok`; any status from 400 to 599, whose value is a Retry-After (`429=3`
seconds, `503=date:3` as a date); and those of `FAULTS` below. For example `ok*5,429=2,reset*3,robots.delay=1`.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from itertools import repeat

from captcha_lab.errors import UsageError

FAULTS = {
    "ok": "no fault",
    "stall": "send nothing for VALUE seconds (default 60)",
    "drip": "send one byte every VALUE seconds (default 1)",
    "reset": "reset the connection half-way through the body",
    "truncate": "close the connection half-way through the body",
    "short": "give a Content-Length that is half the body's",
    "html": "send an HTML page with an image's type",
    "empty": "send an empty body",
    "zero": "send a PNG of 0x0 pixels",
    "huge": "send a small PNG that decodes to 20000x20000 pixels",
    "bomb": "send VALUE MiB (default 256) of zeros, gzipped",
    "endless": "send a body that never ends",
    "elsewhere": "redirect to VALUE (default: another port of this host)",
    "loop": "redirect to itself",
    "hop": "redirect to another path of this endpoint, which serves the captcha",
    "same": "send one and the same captcha again",
    "cookie": "set a cookie and send a captcha",
    "animated": "send an animated GIF",
    "exotic": "send a captcha as VALUE: webp (default), tiff, apng, svg or gif",
    "damaged": "send a captcha that decoders refuse, as VALUE: scan (default), crc, endless or claims",
    "as": "send a captcha whose declared type is VALUE (default text/html)",
    "json": "send a captcha in JSON, in the field data.image, as VALUE: base64 (default) or url",
    "hints": "send 103 Early Hints before the captcha",
    "length": "give VALUE (default a superscript) as the Content-Length",
    "wait": "answer 429 and ask for nine seconds in an odd way, as VALUE: words (default), list, twice or plus",
    "digits": "redirect to a port whose number has thousands of digits",
    "later": "redirect to another path of this endpoint, with VALUE (default 2) as Retry-After",
    "utf8": "redirect to a path of this endpoint whose name is in UTF-8, which serves the captcha",
    "disallow": "robots: forbid everything",
    "version": "robots: forbid everything to captcha-lab/1.0, and nothing to others",
    "utf16": "robots: send rules in UTF-16",
    "rate": "robots: ask for VALUE (default 1/2) as Request-rate",
    "page": "robots: send an HTML page",
    "delay": "robots: ask for VALUE (default 1) as Crawl-delay",
}
ROBOTS_ONLY = {"disallow", "page", "delay", "version", "utf16", "rate"}
ROBOTS_TOO = {"ok", "stall", "drip", "reset", "truncate", "empty", "endless", "elsewhere", "loop", "bomb"}
FOREVER = 1 << 62


@dataclass(frozen=True)
class Fault:
    """One step of a SPEC: a name of FAULTS or a status, and its value as written."""

    name: str
    value: str = ""

    def number(self, default: float) -> float:
        """The value as a number, or `default` where none was written."""
        return float(self.value) if self.value else default


OK = Fault("ok")


@dataclass(frozen=True)
class Faults:
    """A parsed SPEC."""

    captcha: tuple[tuple[Fault, int], ...] = ()
    robots: tuple[tuple[Fault, int], ...] = ()


def parse_faults(spec: str) -> Faults:
    """Parse a SPEC (see the module's docstring).

    Raises:
        UsageError: a step is unknown or malformed; the message names it and lists what there is.
    """
    captcha: list[tuple[Fault, int]] = []
    robots: list[tuple[Fault, int]] = []
    for step in filter(None, (part.strip() for part in spec.split(","))):
        match = re.fullmatch(r"(robots\.)?([a-z0-9]+)(?:=([^*]+))?(?:\*(\d{1,9}|forever))?", step)
        if match is None:
            raise UsageError(f"--faults: {step!r} is not NAME[=VALUE][*COUNT].")
        on_robots, name, value, count = match.groups()
        fault = Fault(name, value or "")
        _check(fault, step, bool(on_robots))
        times = FOREVER if count == "forever" else int(count or 1)
        (robots if on_robots else captcha).append((fault, times))
    return Faults(tuple(captcha), tuple(robots))


def _check(fault: Fault, step: str, on_robots: bool) -> None:
    if re.fullmatch(r"[45]\d\d", fault.name):
        if not re.fullmatch(r"|(date:)?\d+|\S+", fault.value):
            raise UsageError(f"--faults: {step!r}: a Retry-After is seconds or date:seconds.")
        return
    known = ROBOTS_ONLY | ROBOTS_TOO if on_robots else {name for name in FAULTS if name not in ROBOTS_ONLY}
    if fault.name not in known:
        where = "robots.txt knows" if on_robots else "there are"
        raise UsageError(f"--faults: no fault {step!r}; {where} 400 to 599, {', '.join(sorted(known))}.")
    if fault.name in {"stall", "drip", "bomb"} and not re.fullmatch(r"|\d+(\.\d*)?|\.\d+", fault.value):
        raise UsageError(f"--faults: {step!r}: the value is a number.")
    chosen = (("exotic", EXOTIC), ("damaged", DAMAGED), ("json", ("base64", "url")), ("wait", ODD_WAITS))
    for name, values in chosen:
        if fault.name == name and fault.value not in {"", *values}:
            raise UsageError(f"--faults: {step!r}: the values are {', '.join(values)}.")


def steps(plan: tuple[tuple[Fault, int], ...]) -> Iterator[Fault]:
    """The fault of each request in turn, without end."""
    for fault, times in plan:
        yield from repeat(fault, times)
    yield from repeat(OK)


def response(
    status: int, headers: dict[str, str] | None = None, body: bytes = b"", length: int | None = None
) -> bytes:
    """The raw bytes of one HTTP/1.1 response that closes its connection.

    `length` is what Content-Length says, by default the truth; -1 leaves it out.
    """
    lines = [f"HTTP/1.1 {status} {_phrase(status)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if length != -1:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def retry_after(value: str, now: float) -> dict[str, str]:
    """The headers a Retry-After value asks for: none, seconds, or `date:SECONDS` as an HTTP date after `now`."""
    if not value:
        return {}
    if value.startswith("date:"):
        return {"Retry-After": formatdate(now + float(value[5:]), usegmt=True)}
    return {"Retry-After": value}


def png_header(width: int, height: int, body: bytes = b"") -> bytes:
    """A grey 8-bit PNG of the given size whose pixel data are `body` (zlib bytes), however little fits."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    ihdr = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@lru_cache(maxsize=4)
def compressed_zeros(count: int, wrapper: int = zlib.MAX_WBITS) -> bytes:
    """`count` zero bytes, deflated without ever holding them; `wrapper` 31 makes it gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wrapper)
    block = bytes(1 << 20)
    parts = [
        packer.compress(block[: min(len(block), count - start)]) for start in range(0, count, len(block))
    ]
    return b"".join(parts) + packer.flush()


def huge_png(side: int = 20_000) -> bytes:
    """A valid PNG of side x side black pixels in some hundred kilobytes."""
    return png_header(side, side, compressed_zeros(side * (side + 1)))


def gzip_bomb(mebibytes: int) -> bytes:
    """That many MiB of zeros in gzip's wrapping."""
    return compressed_zeros(mebibytes << 20, 31)


def _animated(kind: str, picture: bytes) -> bytes:
    from PIL import Image

    out = BytesIO()
    with Image.open(BytesIO(picture)) as image:
        frame = image.convert("RGB")
        other = Image.eval(frame, lambda value: 255 - value)
        frame.save(out, kind, save_all=True, append_images=[other], duration=200)
    return out.getvalue()


def _recoded(kind: str, picture: bytes) -> bytes:
    from PIL import Image

    out = BytesIO()
    with Image.open(BytesIO(picture)) as image:
        image.convert("RGB").save(out, kind)
    return out.getvalue()


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="80" height="20"></svg>'

# Format name -> (content type, the captcha's bytes in that format).
EXOTIC: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "webp": ("image/webp", lambda picture: _recoded("WEBP", picture)),
    "tiff": ("image/tiff", lambda picture: _recoded("TIFF", picture)),
    "apng": ("image/png", lambda picture: _animated("PNG", picture)),
    "svg": ("image/svg+xml", lambda picture: SVG),
    "gif": ("image/gif", lambda picture: _recoded("GIF", picture)),
}


def _png_with(*chunks: bytes) -> bytes:
    head = png_header(80, 20)
    return head[: head.index(b"IDAT") - 4] + b"".join(chunks)


_ROWS = zlib.compress(bytes(81 * 20))
_END = b"\0\0\0\0IEND\xaeB`\x82"
# Pictures that some decoders take and others don't, or that take gigabytes.
DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "scan": lambda picture: picture[: len(picture) // 2] + b"\xff\xd9" + picture[len(picture) // 2 + 2 :],
    "crc": lambda picture: _png_with(struct.pack(">I", len(_ROWS)), b"IDAT", _ROWS, b"\0\0\0\0", _END),
    "endless": lambda picture: png_header(80, 20, _ROWS)[: -len(_END)],
    "claims": lambda picture: _png_with(b"\xff\xff\xff\xf0", b"IDAT", _ROWS, b"\0\0\0\0", _END),
}


# Nine seconds in ways that the standard does not know: the lines of a header.
ODD_WAITS = {
    "words": "Retry-After: 9 seconds",
    "list": "Retry-After: 9, 9",
    "twice": "Retry-After: 1\r\nRetry-After: 9",
    "plus": "Retry-After: +9",
}


def _in_json(picture: bytes, media_type: str, form: str) -> bytes:
    text = base64.b64encode(picture).decode()
    return json.dumps(
        {"data": {"image": f"data:{media_type};base64,{text}" if form == "url" else text}}
    ).encode()


def faulty_response(fault: Fault, picture: bytes, media_type: str, path: str, now: float) -> bytes | None:
    """Raw bytes of the faults that are one whole response; None for those that need the connection.

    `picture` is the captcha this request would have had, `path` the path asked for, `now` in Unix seconds.
    """
    if fault.name.isdigit():
        return response(int(fault.name), retry_after(fault.value, now), b"Not now.\n")
    typed = {"Content-Type": media_type}
    if fault.name == "exotic":
        exotic_type, convert = EXOTIC[fault.value or "webp"]
        return response(200, {"Content-Type": exotic_type}, convert(picture))
    if fault.name == "bomb":
        return response(200, {**typed, "Content-Encoding": "gzip"}, gzip_bomb(int(fault.number(256))))
    makers: dict[str, Callable[[], bytes]] = {
        "truncate": lambda: response(200, typed, picture[: len(picture) // 2], length=len(picture)),
        "short": lambda: response(200, typed, picture, length=len(picture) // 2),
        "html": lambda: response(200, typed, b"<!doctype html><title>Sorry</title><p>Try later.\n"),
        "empty": lambda: response(200, typed),
        "zero": lambda: response(200, {"Content-Type": "image/png"}, png_header(0, 0)),
        "huge": lambda: response(200, {"Content-Type": "image/png"}, huge_png()),
        "elsewhere": lambda: response(302, {"Location": fault.value or "http://127.0.0.1:9/captcha"}),
        "loop": lambda: response(302, {"Location": path}),
        "hop": lambda: response(302, {"Location": "/moved/captcha"}),
        "animated": lambda: response(200, {"Content-Type": "image/gif"}, _animated("GIF", picture)),
        "cookie": lambda: response(200, {**typed, "Set-Cookie": "session=1; Path=/"}, picture),
        "damaged": lambda: response(200, typed, DAMAGED[fault.value or "scan"](picture)),
        "as": lambda: response(200, {"Content-Type": fault.value or "text/html"}, picture),
        "json": lambda: response(
            200, {"Content-Type": "application/json"}, _in_json(picture, media_type, fault.value)
        ),
        "hints": lambda: (
            b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" + response(200, typed, picture)
        ),
        "length": lambda: response(
            200, {**typed, "Content-Length": fault.value or "\xb2"}, picture, length=-1
        ),
        "wait": lambda: response(429, {"Connection": "close\r\n" + ODD_WAITS[fault.value or "words"]}),
        "digits": lambda: response(302, {"Location": f"http://127.0.0.1:{'9' * 5000}/captcha"}),
        "later": lambda: response(302, {"Location": "/moved/captcha", "Retry-After": fault.value or "2"}),
        "utf8": lambda: response(302, {"Location": "/verschoben/é".encode().decode("latin-1")}),
        "version": lambda: response(
            200,
            {"Content-Type": "text/plain"},
            b"User-agent: captcha-lab/1.0\nDisallow: /\n\nUser-agent: *\nAllow: /\n",
        ),
        "utf16": lambda: response(
            200, {"Content-Type": "text/plain"}, "User-agent: *\nDisallow: /\n".encode("utf-16")
        ),
        "rate": lambda: response(
            200,
            {"Content-Type": "text/plain"},
            f"User-agent: *\nRequest-rate: {fault.value or '1/2'}\n".encode(),
        ),
        "disallow": lambda: response(200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /\n"),
        "page": lambda: response(200, {"Content-Type": "text/html"}, b"<!doctype html><h1>Welcome</h1>\n"),
        "delay": lambda: response(
            200, {"Content-Type": "text/plain"}, f"User-agent: *\nCrawl-delay: {fault.value or 1}\n".encode()
        ),
    }
    return makers[fault.name]() if fault.name in makers else None
