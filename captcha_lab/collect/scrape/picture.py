"""Whether a reply's body is a captcha: declared type, magic and header first, then the pixels."""

from __future__ import annotations

import io
import struct

from PIL import Image

from captcha_lab.collect.scrape.http import Reply
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import MAX_PIXELS, ImageHeader, identify

# Types under which images come; servers that declare nothing or "bytes" are believed if the magic is right.
_UNTYPED = ("", "application/octet-stream", "binary/octet-stream")
_PNG = b"\x89PNG\r\n\x1a\n"


def check_picture(reply: Reply) -> ImageHeader:
    """The header of the image in a reply, after everything about it was checked.

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
    if not declared.startswith("image/") and declared not in _UNTYPED:
        raise CaptchaLabError(f"sent as {declared}, not as an image")
    if body.startswith(_PNG) and len(body) >= 24:
        width, height = struct.unpack(">II", body[16:24])
        if not 0 < width * height <= MAX_PIXELS:  # said here, as PIL only calls such a file broken
            raise CaptchaLabError(f"a PNG of {width}x{height} pixels is not taken")
    header = identify(body)
    try:
        # Header and size are known to be harmless: now every pixel must be there.
        with Image.open(io.BytesIO(body)) as image:
            image.load()
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise CaptchaLabError(f"the image's pixels are damaged or cut short ({error})") from error
    return header
