"""Exif's orientation, read and applied in one place for every format and command."""

from __future__ import annotations

from typing import Literal

import numpy as np

Order = Literal["little", "big"]
TAG = 274
# Orientation -> quarter turns to the left, and whether it is mirrored sideways after them.
_TURNS = {
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (-1, True),
    6: (-1, False),
    7: (1, True),
    8: (1, False),
}


def orientation(exif: bytes) -> int:
    """The orientation (1 to 8) that an Exif block states; 1 where it states none, or is damaged.

    Read here because decoders warn of, or refuse, a damaged block of a sound picture.
    """
    if exif[:2] not in (b"II", b"MM"):
        return 1
    order: Order = "little" if exif[:2] == b"II" else "big"
    start = int.from_bytes(exif[4:8], order)
    count = int.from_bytes(exif[start : start + 2], order)
    for at in range(start + 2, min(start + 2 + 12 * count, len(exif)), 12):
        if int.from_bytes(exif[at : at + 2], order) == TAG:
            value = int.from_bytes(exif[at + 8 : at + 10], order)
            return value if value in _TURNS else 1
    return 1


def turns_sideways(value: int) -> bool:
    """Whether this orientation exchanges width and height."""
    return _TURNS.get(value, (0, False))[0] % 2 == 1


def upright(pixels: np.ndarray, value: int) -> np.ndarray:
    """Pixels [H, W(, 3)] turned as the orientation says."""
    if value not in _TURNS:
        return pixels
    quarters, mirrored = _TURNS[value]
    turned = np.rot90(pixels, quarters)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)
