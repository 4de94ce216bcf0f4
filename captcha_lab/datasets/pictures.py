"""From the bytes of a picture to one row of a packed set: decode, crop, resize; damaged ones say why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import cv2
import numpy as np

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import FORMATS, OTHER_FORMATS, identify

MAX_PIXELS = 50_000_000
PICTURE_EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".jfif",
    ".png",
    ".bmp",
    ".webp",
    ".gif",
    ".avif",
    ".pbm",
    ".pgm",
    ".ppm",
    ".tif",
    ".tiff",
)
_SHOWN = 8  # endings that a remark names


def left_alone(names: Iterable[str]) -> list[str]:
    """A remark on files that are no pictures, counted by their endings; none where all are."""
    endings = Counter(PurePosixPath(name).suffix.lower() for name in names)
    endings -= Counter({ending: count for ending, count in endings.items() if ending in PICTURE_EXTENSIONS})
    if not endings:
        return []
    count = endings.total()
    kinds = [f"{n} {ending or 'without an ending'}" for ending, n in endings.most_common(_SHOWN)]
    more = [f"{len(endings) - _SHOWN} other kinds"] if len(endings) > _SHOWN else []
    return [f"{count} other file{'s were' if count > 1 else ' was'} left alone: {', '.join(kinds + more)}."]


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
    picture = identify(data, MAX_PIXELS, FORMATS | OTHER_FORMATS)
    _check_size((picture.width, picture.height), framing)
    pixels, kind = picture.decode()
    _fit(pixels, framing, out)
    return kind


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
