"""From the bytes of a picture to one row of a packed set: decode, crop, resize; damaged ones say why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import FORMATS, OTHER_FORMATS, decode, decode_jpeg, jpeg_header

MAX_PIXELS = 50_000_000
PICTURE_EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".bmp",
    ".webp",
    ".gif",
    ".pgm",
    ".ppm",
    ".tif",
    ".tiff",
)
_EXIF, _ORIENTATION = b"Exif\0\0", 0x112
# Exif orientation -> quarter turns to the left, and whether it is mirrored sideways after them.
_TURNS = {
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (-1, True),
    6: (-1, False),
    7: (1, True),
    8: (1, False),
}


@dataclass(frozen=True)
class Framing:
    """How a picture becomes a row.

    Attributes:
        size: side of the result in pixels.
        crop: side of the centred square that is kept; "square": the largest one; "none": the whole picture,
            squeezed to a square.
        grey: [size, size] instead of [size, size, 3].
        expected: (width, height) that every picture must have, or None.
    """

    size: int
    crop: int | str
    grey: bool = False
    expected: tuple[int, int] | None = None

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of a row."""
        return (self.size, self.size) if self.grey else (self.size, self.size, 3)


def frame(data: bytes, framing: Framing, out: np.ndarray) -> str:
    """Decode, crop and resize a picture into `out` (uint8 of `framing.row_shape`); returns rgb, grey or cmyk.

    Raises:
        CaptchaLabError: it can't be; the message gives the reason only.
    """
    header = jpeg_header(data) if data[:2] == b"\xff\xd8" else None
    if header is not None:
        if header.width * header.height > MAX_PIXELS:
            raise CaptchaLabError(f"{header.width}x{header.height} pixels: more than {MAX_PIXELS}")
        _check_size((header.width, header.height), framing)
        pixels = upright(decode_jpeg(data, header.kind), data)
        kind = header.kind
    else:
        pixels = upright(decode(data, MAX_PIXELS, FORMATS | OTHER_FORMATS), data)
        _check_size((pixels.shape[1], pixels.shape[0]), framing)
        kind = "grey" if pixels.ndim == 2 else "rgb"
    _fit(pixels, framing, out)
    return kind


def upright(pixels: np.ndarray, data: bytes) -> np.ndarray:
    """Pixels turned as the Exif header of the picture `data` says, if there is one."""
    start = data.find(_EXIF)
    turn = _TURNS.get(_orientation(data[start + len(_EXIF) :])) if start >= 0 else None
    if turn is None:
        return pixels
    quarters, mirrored = turn
    turned = np.rot90(pixels, quarters)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


def _orientation(exif: bytes) -> int:
    """The orientation that an Exif header (a TIFF directory) states; 0 where it states none.

    Read here because PIL warns of or refuses a damaged header of a sound picture.
    """
    order: Literal["little", "big"] = "little" if exif[:2] == b"II" else "big"
    start = int.from_bytes(exif[4:8], order)
    count = int.from_bytes(exif[start : start + 2], order)
    for at in range(start + 2, min(start + 2 + 12 * count, len(exif)), 12):
        if int.from_bytes(exif[at : at + 2], order) == _ORIENTATION:
            return int.from_bytes(exif[at + 8 : at + 10], order)
    return 0


def _check_size(size: tuple[int, int], framing: Framing) -> None:
    if framing.expected is not None and size != framing.expected:
        raise CaptchaLabError(
            f"is {size[0]}x{size[1]} pixels, not {framing.expected[0]}x{framing.expected[1]}"
        )
    if isinstance(framing.crop, int) and min(size) < framing.crop:
        raise CaptchaLabError(f"is {size[0]}x{size[1]} pixels, smaller than the crop of {framing.crop}")


def _fit(pixels: np.ndarray, framing: Framing, out: np.ndarray) -> None:
    """Crop and resize uint8 [H, W] or [H, W, 3] into `out`, changing colours last, when there is least of it."""
    height, width = pixels.shape[:2]
    if framing.crop != "none":
        side = min(height, width) if framing.crop == "square" else int(framing.crop)
        top, left = (height - side) // 2, (width - side) // 2
        pixels = pixels[top : top + side, left : left + side]
    shrinks = min(pixels.shape[:2]) >= framing.size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    same = pixels.shape[:2] == (framing.size, framing.size)
    if pixels.ndim == out.ndim:
        if same:
            out[...] = pixels
        else:
            cv2.resize(pixels, (framing.size, framing.size), dst=out, interpolation=how)
        return
    small = pixels if same else cv2.resize(pixels, (framing.size, framing.size), interpolation=how)
    out[...] = small[..., None] if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
