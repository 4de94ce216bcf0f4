"""BMP: its headers, and whether all the rows that they state are there."""

from __future__ import annotations

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.containers.container import CUT, Container, damaged, little, take

_PLAIN, _RLE8, _RLE4, _MASKS = 0, 1, 2, 3


def matches(data: bytes) -> bool:
    """Whether the file begins as a BMP."""
    return data[:2] == b"BM"


def walk(data: bytes) -> Container:
    """The headers, and the room that the rows need.

    Raises:
        CaptchaLabError: rows are missing, or the headers ask for what no BMP has.
    """
    pixels, size = little(data, 10, 4), little(data, 14, 4)
    take(data, 14, size)
    if size == 12:
        width, height, planes, bits = (little(data, k, 2) for k in (18, 20, 22, 24))
        packing = _PLAIN
    elif size >= 40:
        width = int.from_bytes(take(data, 18, 4), "little", signed=True)
        height = abs(int.from_bytes(take(data, 22, 4), "little", signed=True))
        planes, bits, packing = little(data, 26, 2), little(data, 28, 2), little(data, 30, 4)
        if bits <= 8 and little(data, 46, 4) > 1 << bits:
            raise damaged("it states more colours than it can have")
    else:
        raise damaged("its header is of no known kind")
    if planes != 1 or bits not in (1, 4, 8, 16, 24, 32) or packing > _MASKS or pixels < 14 + size:
        raise damaged("its header asks for what no BMP has")
    if packing in (_RLE8, _RLE4):
        if bits != (8 if packing == _RLE8 else 4) or pixels >= len(data):
            raise damaged("its rows are packed in an impossible way")
    elif pixels + (width * bits + 31) // 32 * 4 * height > len(data):
        raise CaptchaLabError(CUT)
    return Container("BMP", width, height, data)
