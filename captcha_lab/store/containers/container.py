"""What a walk through a picture file finds, and how it reads numbers without ever leaving the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from captcha_lab.errors import CaptchaLabError

CUT = "the image is damaged or cut short"
MAX_PARTS = 100_000  # blocks, segments, entries of a file; encoders make some hundreds
Part = TypeVar("Part")
Bytes = TypeVar("Bytes", bytes, memoryview)


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


def limited(parts: Iterable[Part], most: int = MAX_PARTS) -> Iterator[Part]:
    """The parts as they come: the work of a walk is bounded by their number, as each costs time however short it is.

    Raises:
        CaptchaLabError: there are more than `most`.
    """
    for count, part in enumerate(parts):
        if count >= most:
            raise damaged("it has more parts than any picture needs")
        yield part


def take(data: Bytes, start: int, count: int) -> Bytes:
    """Exactly `count` bytes from `start`.

    Raises:
        CaptchaLabError: the file ends before.
    """
    if start < 0 or count < 0 or start + count > len(data):
        raise CaptchaLabError(CUT)
    return data[start : start + count]


def big(data: Bytes, start: int, count: int) -> int:
    """A big-endian number of `count` bytes (see `take` for errors)."""
    return int.from_bytes(take(data, start, count), "big")


def little(data: Bytes, start: int, count: int) -> int:
    """A little-endian number of `count` bytes (see `take` for errors)."""
    return int.from_bytes(take(data, start, count), "little")
