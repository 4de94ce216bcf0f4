"""What a walk through a picture file finds, and how it reads numbers without ever leaving the file."""

from __future__ import annotations

from dataclasses import dataclass

from captcha_lab.errors import CaptchaLabError

CUT = "the image is damaged or cut short"


@dataclass(frozen=True)
class Container:
    """A picture file whose structure was found whole.

    Attributes:
        format: its usual name (`PNG`, `JPEG`, …).
        width: in pixels, as stored.
        height: in pixels, as stored.
        data: what the decoder gets: the parts that pixels are made of, without the rest.
        frames: pictures in the file.
        orientation: how it stands, 1 to 8 as in Exif.
    """

    format: str
    width: int
    height: int
    data: bytes
    frames: int = 1
    orientation: int = 1


def damaged(what: str) -> CaptchaLabError:
    """The refusal of a file whose structure contradicts itself."""
    return CaptchaLabError(f"the image is damaged ({what})")


def take(data: bytes, start: int, count: int) -> bytes:
    """Exactly `count` bytes from `start`.

    Raises:
        CaptchaLabError: the file ends before.
    """
    if start < 0 or count < 0 or start + count > len(data):
        raise CaptchaLabError(CUT)
    return data[start : start + count]


def big(data: bytes, start: int, count: int) -> int:
    """A big-endian number of `count` bytes (see `take` for errors)."""
    return int.from_bytes(take(data, start, count), "big")


def little(data: bytes, start: int, count: int) -> int:
    """A little-endian number of `count` bytes (see `take` for errors)."""
    return int.from_bytes(take(data, start, count), "little")
