"""WebP: the chunks of a RIFF file, and the size that its stream itself states."""

from __future__ import annotations

from itertools import count

from captcha_lab.store.containers.container import Container, damaged, limited, little, take
from captcha_lab.store.containers.orientation import orientation

_STREAMS = (b"VP8 ", b"VP8L")
_NEEDED = (b"VP8X", b"ALPH", *_STREAMS)


def matches(data: bytes) -> bool:
    """Whether the file begins as a WebP."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def walk(data: bytes) -> Container:
    """Every chunk of the file; what follows is left out.

    Raises:
        CaptchaLabError: a chunk is cut short, or two of them state different sizes.
    """
    end = 8 + little(data, 4, 4)
    data = take(data, 0, end)
    parts, sizes, frames, stands, streams, at = [], set(), 0, 1, 0, 12
    for _ in limited(count()):
        if at + 8 > end:
            break
        kind, length = data[at : at + 4], little(data, at + 4, 4)
        body = take(data, at + 8, length)
        if kind == b"VP8X":
            sizes.add((1 + little(body, 4, 3), 1 + little(body, 7, 3)))
        elif kind in _STREAMS:
            sizes.add(_lossy(body) if kind == b"VP8 " else _lossless(body))
            streams += 1
        elif kind == b"ANMF":
            frames += 1
        elif kind == b"EXIF":
            stands = orientation(body.removeprefix(b"Exif\0\0"))
        if kind in _NEEDED:
            parts.append(data[at : at + 8 + length] + b"\0" * (length & 1))
        at += 8 + length + (length & 1)
    if not frames and (streams != 1 or len(sizes) != 1):
        raise damaged("its parts do not make one picture")
    width, height = max(sizes, default=(0, 0))
    inside = b"WEBP" + b"".join(parts)
    return Container(
        "WEBP", width, height, b"RIFF" + len(inside).to_bytes(4, "little") + inside, max(frames, 1), stands
    )


def _lossy(body: bytes) -> tuple[int, int]:
    if take(body, 3, 3) != b"\x9d\x01\x2a":
        raise damaged("its stream does not begin as one")
    return little(body, 6, 2) & 0x3FFF, little(body, 8, 2) & 0x3FFF


def _lossless(body: bytes) -> tuple[int, int]:
    if take(body, 0, 1) != b"\x2f":
        raise damaged("its stream does not begin as one")
    bits = little(body, 1, 4)
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
