"""Whether a reply's body is a captcha: what it is not is said first, then every pixel is decoded."""

from __future__ import annotations

from captcha_lab.collect.scrape.http import Reply
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import Picture, identify


def check_picture(reply: Reply) -> Picture:
    """The picture in a reply, after all of it was decoded by the function that later steps use.

    What it is says its bytes: servers send pictures as text/html or octet-stream.

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
    picture = identify(body)
    picture.decode()
    return picture
