"""From received bytes to pixels, looking at the header before anything is decoded."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from captcha_lab.errors import CaptchaLabError, UsageError

# What is wrong with an image is said once, by us, with its name.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

# Extensions by PIL's name of the format; what is not here is refused by name. The others are for faces and the like:
# browsers show none of them, so no captcha is one.
FORMATS = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "BMP": "bmp", "WEBP": "webp"}
OTHER_FORMATS = {"PPM": "pgm", "TIFF": "tif"}
# What TurboJPEG calls the colours of a JPEG, in our words; and what each is decoded to.
_JPEG_KINDS = {"Gray": "grey", "CMYK": "cmyk", "YCCK": "cmyk"}
_JPEG_PIXELS = {"grey": "GRAY", "rgb": "RGB", "cmyk": "CMYK"}
# A decoder's warning about numbers that some encoders leave empty and no decoder uses.
HARMLESS = "Invalid SOS parameters"
MAX_PIXELS = 4_000_000  # larger than any captcha or face; a small file can decode to gigabytes


@dataclass(frozen=True)
class ImageHeader:
    """What the header of an image file says; sizes in pixels."""

    extension: str
    width: int
    height: int


def identify(data: bytes, max_pixels: int = MAX_PIXELS, formats: Mapping[str, str] = FORMATS) -> ImageHeader:
    """Read an image's header without decoding it.

    Raises:
        CaptchaLabError: not an image, a format or an animation captcha-lab does not take, or impossible sizes.
    """
    if not data:
        raise CaptchaLabError("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MAX_PIXELS is stricter than its own; the rest ends as an error
            with Image.open(io.BytesIO(data)) as image:
                name, (width, height) = str(image.format), image.size
                animated = getattr(image, "n_frames", 1) > 1
    except UnidentifiedImageError:
        raise CaptchaLabError("not an image of a known format") from None
    except (OSError, ValueError, TypeError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise CaptchaLabError(f"the image's header is damaged or lies ({error})") from error
    if name not in formats:
        raise CaptchaLabError(f"{name} images are not taken (only {', '.join(formats)})")
    if animated:
        raise CaptchaLabError(f"an animated {name} is not taken: it must be one picture")
    if width < 1 or height < 1 or width * height > max_pixels:
        raise CaptchaLabError(f"{width}x{height} pixels: more than {max_pixels} or none are not taken")
    return ImageHeader(formats[name], width, height)


def decode(data: bytes, max_pixels: int = MAX_PIXELS, formats: Mapping[str, str] = FORMATS) -> np.ndarray:
    """Pixels of an image file: uint8 [H, W] grey or [H, W, 3] RGB; transparent pixels lie on white paper.

    Raises:
        CaptchaLabError: see `identify`; or the pixels are damaged or cut short.
    """
    header = identify(data, max_pixels, formats)
    jpeg = jpeg_header(data) if header.extension == "jpg" else None
    if jpeg is not None:
        return decode_jpeg(data, jpeg.kind)
    if header.extension in ("gif", "jpg", "pgm"):  # every GIF, every depth of PGM, and a JPEG that is odd
        return _decode_with_pil(data)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise CaptchaLabError("the image's pixels are damaged or cut short")
    if pixels.dtype == np.uint16:
        pixels = (pixels // 256).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise CaptchaLabError(f"{pixels.dtype} pixels are not taken")
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return _on_white(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA))


@dataclass(frozen=True)
class JpegHeader:
    """What a JPEG says before its pixels; sizes in pixels."""

    width: int
    height: int
    kind: str  # rgb, grey or cmyk


def jpeg_header(data: bytes) -> JpegHeader | None:
    """Read a JPEG's header; None where it is damaged, or its colours are sampled in a way only PIL knows."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    return JpegHeader(width, height, _JPEG_KINDS.get(colours, "rgb"))


def decode_jpeg(data: bytes, kind: str) -> np.ndarray:
    """Pixels of a JPEG of that `kind`, as they are stored: uint8 [H, W] grey, else [H, W, 3] RGB.

    Decoders fill what is damaged or missing with grey, and only warn; here a warning is an error. That notices
    every cut and nearly all damage of a disk sector or more; but a JPEG has no checksum, and a flipped bit most often
    gives other valid codes: of 1,500 faces it was noticed in one of eight, 200 random bytes in nine of ten.

    Raises:
        CaptchaLabError: the pixels are damaged or cut short.
    """
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(data, _JPEG_PIXELS[kind], strict=True)
    except ValueError as error:
        if HARMLESS not in str(error):
            raise CaptchaLabError("the JPEG is damaged or cut short") from error
        pixels = simplejpeg.decode_jpeg(data, _JPEG_PIXELS[kind], strict=False)
    if kind == "cmyk":
        return _decode_with_pil(data)  # it knows which of them are stored inverted
    return pixels[..., 0] if kind == "grey" else pixels


def read_image(path: Path) -> np.ndarray:
    """Pixels of a file (see `decode`).

    Raises:
        CaptchaLabError: the message names the file.
    """
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise CaptchaLabError(f"{path}: {error.strerror}.") from error
    except CaptchaLabError as error:
        raise CaptchaLabError(f"{path}: {error}.") from error


def check_target(path: Path) -> None:
    """Say that a picture can't be written to a path before the work that makes it.

    Raises:
        UsageError: the extension names no picture format, or a folder lies there.
    """
    if path.suffix.lower().lstrip(".") not in {*FORMATS.values(), "jpeg"}:
        raise UsageError(f"{path}: name a picture, for example {path.stem or 'picture'}.png.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file for the picture.")


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Write uint8 [H, W] or RGB [H, W, 3] as a picture, format by extension, whole or not at all.

    Raises:
        CaptchaLabError: the disk refuses, or the extension names no format.
    """
    from captcha_lab.store.files import write_bytes

    write_bytes(path, encode(pixels, path.suffix or ".png"))


def encode(pixels: np.ndarray, extension: str = ".png") -> bytes:
    """The bytes of a picture file; arguments and errors as in `write_image`."""
    image = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    try:
        done, data = cv2.imencode(extension, image)
    except cv2.error as error:
        raise CaptchaLabError(f"{extension!r} names no picture format: use .png or .jpg.") from error
    if not done:
        raise CaptchaLabError(f"The picture could not be written as {extension}.")
    return data.tobytes()


def _decode_with_pil(data: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode in ("L", "RGB"):
                return np.asarray(image)
            if image.mode == "I":  # what it makes of more than 8 bits
                return (np.asarray(image) // 257).astype(np.uint8)
            if image.mode == "CMYK":
                return np.asarray(image.convert("RGB"))
            return _on_white(np.asarray(image.convert("RGBA")))
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise CaptchaLabError(f"the image's pixels are damaged or cut short ({error})") from error


def _on_white(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
