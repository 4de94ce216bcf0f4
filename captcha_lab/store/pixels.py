"""Pictures as people have them in Python (paths, bytes, PIL images, arrays of many kinds) to pixels."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import decode, read_image


def pictures(given: Iterable[Any]) -> list[np.ndarray]:
    """The pixels of each picture (see `pixels_of`): a list, or one array of equally large ones.

    Raises:
        CaptchaLabError: a single picture was given, or one is none; the message says which.
    """
    if isinstance(given, str | bytes | bytearray | Path | Image.Image | io.IOBase):
        raise CaptchaLabError(f"One {type(given).__name__} was given: give a list of pictures, [picture].")
    found = []
    for k, picture in enumerate(given):
        try:
            found.append(pixels_of(picture))
        except CaptchaLabError as error:
            raise CaptchaLabError(f"Picture {k}: {error}") from error
    return found


def pixels_of(picture: Any) -> np.ndarray:
    """Pixels of one picture, uint8 [H, W] grey or [H, W, 3] RGB; what is transparent lies on white paper.

    Args:
        picture: a path, the bytes of a file or an open one, a PIL image, or an array (or tensor) [H, W], [H, W, 1],
            [H, W, 3] or [H, W, 4] of uint8, bool, uint16, whole numbers from 0 to 255, or floats from 0 to 1.

    Raises:
        CaptchaLabError: it is nothing of that kind, or damaged.
    """
    if isinstance(picture, str | Path):
        return read_image(Path(picture))
    if isinstance(picture, bytes | bytearray | memoryview):
        return decode(bytes(picture))
    if isinstance(picture, Image.Image):
        return _of_pil(picture)
    if hasattr(picture, "read"):
        return decode(picture.read())
    try:
        array = np.asarray(picture)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CaptchaLabError(f"a {type(picture).__name__} is no picture ({error})") from error
    return _of_array(array)


def _of_pil(image: Image.Image) -> np.ndarray:
    if image.mode in ("L", "RGB"):
        return np.array(image)
    if image.mode.startswith("I;16"):
        return _of_array(np.asarray(image).astype(np.uint16))
    if image.mode in ("I", "F"):
        return _of_array(np.asarray(image))
    return _of_array(
        np.asarray(image.convert("RGB" if image.mode in ("CMYK", "YCbCr", "LAB", "HSV") else "RGBA"))
    )


def _of_array(array: np.ndarray) -> np.ndarray:
    shape = list(array.shape)
    if array.ndim not in (2, 3) or 0 in shape or (array.ndim == 3 and shape[2] not in (1, 3, 4)):
        hint = "; put the channels last" if array.ndim == 3 and shape[0] in (1, 3, 4) else ""
        raise CaptchaLabError(
            f"an array of shape {shape} is no picture: it must be [H, W] or [H, W, 3]{hint}"
        )
    pixels = _as_bytes(array)
    if pixels.ndim == 3 and shape[2] == 1:
        return np.ascontiguousarray(pixels[..., 0])
    if pixels.ndim == 3 and shape[2] == 4:
        alpha = pixels[..., 3:].astype(np.uint16)
        return ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return pixels


def _as_bytes(array: np.ndarray) -> np.ndarray:
    """The values as uint8, 0 black and 255 full."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    if array.dtype == np.uint16:
        return (array // 257).astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise CaptchaLabError(f"an array of {array.dtype} is no picture: give uint8, or floats from 0 to 1")
    low, high = array.min(), array.max()
    most = 1 if array.dtype.kind == "f" else 255
    if not 0 <= low <= high <= most:  # NaN fails too
        raise CaptchaLabError(
            f"its values go from {low:g} to {high:g}: {array.dtype} must lie from 0 to {most}"
        )
    return np.rint(array * 255.0).astype(np.uint8) if most == 1 else array.astype(np.uint8)
