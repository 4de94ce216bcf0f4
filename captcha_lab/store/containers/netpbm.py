"""PBM, PGM and PPM (netpbm): a header in text, then bits, bytes or numbers in text."""

from __future__ import annotations

import re

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.containers.container import CUT, Container, damaged

_SPACE = rb"(?:\s|#[^\r\n]{0,1000}[\r\n]){1,50}"
_HEADER = re.compile(rb"P([1-6])" + _SPACE + rb"(\d{1,6})" + _SPACE + rb"(\d{1,6})")
_MOST = re.compile(_SPACE + rb"(\d{1,6})\s")
_BITS, _COLOURED, _IN_TEXT = (1, 4), (3, 6), (1, 2, 3)


def matches(data: bytes) -> bool:
    """Whether the file begins as one of them."""
    return re.match(rb"P[1-6][\s#]", data) is not None


def walk(data: bytes) -> Container:
    """The header, and the room that the values need at least.

    Raises:
        CaptchaLabError: values are missing, or the header is none.
    """
    found = _HEADER.match(data[:8192])
    if found is None:
        raise damaged("its header is none")
    kind, width, height = (int(group) for group in found.groups())
    end, most = found.end(), 1
    if kind not in _BITS:
        stated = _MOST.match(data[:8192], end)
        if stated is None or not 0 < int(stated[1]) < 1 << 16:
            raise damaged("its header states no possible greatest value")
        end, most = stated.end(), int(stated[1])
    values = width * height * (3 if kind in _COLOURED else 1)
    needed = values if most < 256 else 2 * values
    if kind == 4:
        needed = -(-width // 8) * height
    elif kind in _IN_TEXT:
        needed = values  # a digit each; the spaces between bits may be left out
    if end + needed > len(data):
        raise CaptchaLabError(CUT)
    return Container("PPM", width, height, data)
