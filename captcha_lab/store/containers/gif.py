"""GIF (87a and 89a): the screen, its blocks and sub-blocks, up to the trailer."""

from __future__ import annotations

from itertools import count

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.containers.container import CUT, Container, damaged, limited, little, take

_EXTENSION, _CONTROL, _IMAGE, _TRAILER = 0x21, 0xF9, 0x2C, 0x3B


def matches(data: bytes) -> bool:
    """Whether the file begins as a GIF."""
    return data[:6] in (b"GIF87a", b"GIF89a")


def walk(data: bytes) -> Container:
    """Every block up to the trailer; notes, and what follows, are left out.

    Raises:
        CaptchaLabError: a block is cut short, or a picture lies outside of its screen.
    """
    width, height = little(data, 6, 2), little(data, 8, 2)
    at = 13 + _table(little(data, 10, 1))
    parts, frames = [take(data, 0, at)], 0
    for _ in limited(count()):
        kind = little(data, at, 1)
        if kind == _TRAILER:
            break
        if kind == _EXTENSION:
            end = _sub_blocks(data, at + 2)
            if data[at + 1] == _CONTROL:
                parts.append(data[at:end])
            at = end
        elif kind == _IMAGE:
            left, top, columns, rows = (little(data, at + k, 2) for k in (1, 3, 5, 7))
            if not columns or not rows or left + columns > width or top + rows > height:
                raise damaged("a picture lies outside of its screen")
            start = at
            at += 10 + _table(little(data, at + 9, 1))
            if not 2 <= little(data, at, 1) <= 8:
                raise damaged("its codes have an impossible size")
            if not little(data, at + 1, 1):
                raise damaged("a picture without pixels")
            at = _sub_blocks(data, at + 1)
            parts.append(data[start:at])
            frames += 1
        else:
            raise damaged("a block of no known kind")
    if not frames:
        raise damaged("it holds no picture")
    return Container("GIF", width, height, b"".join([*parts, b"\x3b"]), frames)


def _table(flags: int) -> int:
    """Bytes of the colour table that the flags state."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _sub_blocks(data: bytes, at: int) -> int:
    """The place after a chain of sub-blocks."""
    try:
        while size := data[at]:
            at += 1 + size
    except IndexError:
        raise CaptchaLabError(CUT) from None
    return at + 1
