"""The captcha in a reply: taken out of JSON where it is in there, and decoded before it is believed."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_to_bytes

from captcha_lab.collect.frames import still
from captcha_lab.collect.scrape.http import Reply
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import Picture, identify
from captcha_lab.text import clipped

_DATA_URL = re.compile(r"data:([^,;]{0,100})((?:;[^,;]{0,100}){0,9}),", re.IGNORECASE)


def check_picture(reply: Reply, frame: str | None = None) -> tuple[bytes, Picture]:
    """The bytes of the picture in a reply, and the picture, after all of it was decoded as later steps do.

    What it is says its bytes: servers send pictures as text/html or octet-stream. They are as received, but for an
    animation of which a frame is taken (see `frames.still`).

    Raises:
        CaptchaLabError: with the reason it is refused.
    """
    declared, body = reply.media_type, reply.body
    if not body:
        raise CaptchaLabError("the body is empty")
    start = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start or declared == "image/svg+xml":
        raise CaptchaLabError("SVG images are not taken")
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<body")):
        raise CaptchaLabError(f"an HTML page, sent as {declared or 'nothing in particular'}")
    body = still(body, frame)
    picture = identify(body)
    picture.decode()
    return body, picture


def extract(reply: Reply, field: str) -> Reply:
    """The reply with the picture in the field as its body (`image`, `data.image`, `images.0.png`).

    Raises:
        CaptchaLabError: the body is no JSON, has no such field, or it holds no picture.
    """
    try:
        value: Any = json.loads(reply.body)
    except (ValueError, RecursionError):
        raise CaptchaLabError("the reply is not JSON, which --json-field reads") from None
    for name in field.split("."):
        if isinstance(value, list) and name.isascii() and name.isdigit() and int(name[:9]) < len(value):
            value = value[int(name[:9])]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            there = ", ".join(map(str, value)) if isinstance(value, dict) else type(value).__name__
            raise CaptchaLabError(f"the JSON has no field {field!r} (there: {clipped(there)})")
    if not isinstance(value, str):
        raise CaptchaLabError(f"the JSON's field {field!r} holds no text but {type(value).__name__}")
    return replace(reply, headers={**reply.headers, "Content-Type": ""}, body=_bytes(value, field))


def _bytes(text: str, field: str) -> bytes:
    found = _DATA_URL.match(text)
    if found is not None:
        text = text[found.end() :]
        if "base64" not in found[2].lower():
            return unquote_to_bytes(text)
    text = re.sub(r"\s+", "", text).replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise CaptchaLabError(
            f"the JSON's field {field!r} is neither base64 nor a data URL ({clipped(text, 40)})"
        ) from None
