"""One walk for every format, found by how the file begins."""

from __future__ import annotations

from typing import Protocol

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.containers import avif, bmp, gif, jpeg, netpbm, png, tiff, webp
from captcha_lab.store.containers.container import Container, damaged


class _Format(Protocol):
    """What a module for a format has."""

    def matches(self, data: bytes) -> bool:
        """Whether the file begins as one."""

    def walk(self, data: bytes) -> Container:
        """Its structure."""


_FORMATS: tuple[_Format, ...] = (png, jpeg, gif, webp, bmp, netpbm, tiff, avif)
# Formats that are named in the refusal, by how they begin.
_REFUSED = {
    b"DDS ": "DDS",
    b"%PDF": "PDF",
    b"\x00\x00\x01\x00": "ICO",
    b"\x00\x00\x00\x0cjP  ": "JPEG 2000",
    b"\x00\x00\x00\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"8BPS": "Photoshop",
    b"<svg": "SVG",
    b"<?xml": "SVG",
}


def walk(data: bytes) -> Container:
    """The file's structure, after all of it was found whole.

    Raises:
        CaptchaLabError: it is empty, of no known format, cut short or damaged.
    """
    if not data:
        raise CaptchaLabError("the file is empty")
    for module in _FORMATS:
        if module.matches(data):
            try:
                return module.walk(data)
            except (ArithmeticError, LookupError, ValueError) as error:
                raise damaged(str(error) or type(error).__name__) from error
    name = next((name for start, name in _REFUSED.items() if data.startswith(start)), None)
    if name is None:
        raise CaptchaLabError("not an image of a known format")
    raise CaptchaLabError(f"{name} images are not taken")
