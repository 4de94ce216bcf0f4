"""JPEG (ITU-T T.81): segments and scans, up to the marker that ends the picture."""

from __future__ import annotations

import re
from itertools import count

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.containers.container import CUT, Container, big, damaged, limited, take
from captcha_lab.store.containers.orientation import orientation

MAGIC = b"\xff\xd8\xff"
# Baseline, extended and progressive, the last two also with arithmetic codes: what decoders read.
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}
_NEXT = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # a marker other than those that a scan may hold
_MARKER = re.compile(rb"\xff+([^\xff])", re.DOTALL)  # fill bytes may stand before it
_ADOBE, _EXIF = 0xEE, b"Exif\0\0"
MAX_SCANS = 100  # each costs a pass over all pixels, however few bytes it has; encoders make some ten


def matches(data: bytes) -> bool:
    """Whether the file begins as a JPEG."""
    return data.startswith(MAGIC)


def walk(data: bytes) -> Container:
    """Every segment and scan up to the end marker; what follows is left out.

    Raises:
        CaptchaLabError: a segment is cut short, the end is missing, or they make no picture.
    """
    parts, stands, size, scans, at = [b"\xff\xd8"], 0, (0, 0), 0, 2
    for _ in limited(count()):
        found = _MARKER.match(data, at)
        if found is None:
            raise (
                damaged("bytes between its segments")
                if data[at : at + 1] != b"\xff"
                else CaptchaLabError(CUT)
            )
        at, marker = found.end() - 2, found[1][0]
        if marker == 0xD9:
            break
        length = big(data, at + 2, 2)
        if marker <= 0x01 or 0xD0 <= marker <= 0xD8 or length < 2:
            raise damaged("a marker where none may be")
        body = take(data, at + 4, length - 2)
        if marker in _OTHER_FRAMES:
            raise damaged("it is packed in a way that decoders do not read")
        if marker in _FRAMES:
            if size != (0, 0):
                raise damaged("it has two headers")
            if body[0:1] != b"\x08":
                raise damaged("its colours have other than 8 bits")
            size = big(body, 3, 2), big(body, 1, 2)
        end = at + 2 + length
        if marker == 0xDA:
            scans += 1
            found = _NEXT.search(data, end)
            if found is None:
                raise CaptchaLabError(CUT)
            end = found.start()
        if marker == 0xE1 and body.startswith(_EXIF) and not stands:
            stands = orientation(body[len(_EXIF) :])
        if not (0xE0 <= marker <= 0xFE and marker != _ADOBE):  # notes are not for the decoder
            parts.append(data[at:end])
        at = end
    if not scans or scans > MAX_SCANS or size == (0, 0):
        raise damaged(f"it has {scans} scans" if size != (0, 0) else "it has no header")
    return Container("JPEG", *size, b"".join([*parts, b"\xff\xd9"]), orientation=stands or 1)
