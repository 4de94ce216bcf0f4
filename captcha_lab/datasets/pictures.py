"""From the bytes of a picture to one row of a packed set: decode, crop, resize; damaged ones say why not."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import decode

MAX_PIXELS = 50_000_000
PICTURE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif")
# JPEG markers that carry a frame header: all SOFn but DHT (C4), JPG (C8) and DAC (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_COMPONENTS = {1: "grey", 3: "rgb", 4: "cmyk"}


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


@dataclass(frozen=True)
class JpegHeader:
    """What a JPEG says before its pixels; sizes in pixels."""

    width: int
    height: int
    kind: str  # rgb, grey or cmyk


def frame(data: bytes, framing: Framing, out: np.ndarray) -> str:
    """Decode, crop and resize a picture into `out` (uint8 of `framing.row_shape`); returns rgb, grey or cmyk.

    Raises:
        CaptchaLabError: it can't be; the message gives the reason only.
    """
    if data[:2] == b"\xff\xd8":
        header = read_jpeg_header(data)
        _check_size((header.width, header.height), framing)
        kind = header.kind
        if kind == "cmyk":
            pixels = decode(data)  # PIL knows which CMYK files are stored inverted
        else:
            how = cv2.IMREAD_COLOR_RGB if kind == "rgb" else cv2.IMREAD_GRAYSCALE
            decoded = cv2.imdecode(np.frombuffer(data, np.uint8), how)
            if decoded is None:
                raise CaptchaLabError("the picture's pixels are damaged")
            pixels = decoded
    else:
        pixels = decode(data, MAX_PIXELS)
        _check_size((pixels.shape[1], pixels.shape[0]), framing)
        kind = "grey" if pixels.ndim == 2 else "rgb"
    _fit(pixels, framing, out)
    return kind


def read_jpeg_header(data: bytes) -> JpegHeader:
    """Size and colours of a JPEG, and the certainty that its end is there.

    A decoder fills what is missing of a cut file with grey and warns at most, so the end marker is looked for
    behind the last header; markers inside an embedded preview don't count.

    Raises:
        CaptchaLabError: the file is cut short, or no JPEG this program knows.
    """
    header: JpegHeader | None = None
    at, end = 2, len(data)
    while at + 4 <= end and data[at] == 0xFF:
        marker = data[at + 1]
        if (
            marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD7
        ):  # fill byte, or a marker without length
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _FRAMES and at + 10 <= end:
            height, width = (int.from_bytes(data[at + k : at + k + 2], "big") for k in (5, 7))
            header = JpegHeader(width, height, _COMPONENTS.get(data[at + 9], "unknown"))
        at += 2 + length
        if marker == 0xDA:  # start of scan: pixels follow
            break
    if header is None or at >= end or data.rfind(b"\xff\xd9", at) < 0:
        raise CaptchaLabError("the JPEG is cut short")
    if header.kind == "unknown" or not 0 < header.width * header.height <= MAX_PIXELS:
        raise CaptchaLabError(f"the JPEG's header is impossible ({header.width}x{header.height})")
    return header


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
