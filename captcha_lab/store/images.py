"""The one gate for pictures: from received bytes to pixels, or a refusal that says why.

The file is walked block by block first (`containers`): what is cut short, or claims more than it has, never reaches
a decoder, and a decoder gets no more of a file than its pixels are made of. So its memory is bounded by the size in the
header, which is checked.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.containers import png
from captcha_lab.store.containers.container import CUT, Container
from captcha_lab.store.containers.orientation import turns_sideways, upright
from captcha_lab.store.containers.walk import walk
from captcha_lab.store.files import read_file, write_bytes

# What is wrong with an image is said once, by us, with its name.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

# Extensions by the name of the format; what is not here is refused by name. The others are for faces and the like:
# browsers show none of them, so no captcha is one.
FORMATS = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "BMP": "bmp", "WEBP": "webp", "AVIF": "avif"}
OTHER_FORMATS = {"PPM": "pgm", "TIFF": "tif"}
_WITH_CV2 = ("PNG", "BMP", "WEBP", "TIFF")
# What TurboJPEG calls the colours of a JPEG, in our words; and what each is decoded to.
_JPEG_KINDS = {"Gray": "grey", "CMYK": "cmyk", "YCCK": "cmyk"}
_JPEG_PIXELS = {"grey": "GRAY", "rgb": "RGB", "cmyk": "CMYK"}
# A decoder's warning about numbers that some encoders leave empty and no decoder uses.
HARMLESS = "Invalid SOS parameters"
MAX_SIDE = 65_535  # pixels; what most formats can state
MAX_PIXELS = 4_000_000  # larger than any captcha or face; a small file can decode to gigabytes


@dataclass(frozen=True)
class Picture:
    """A picture file that was walked whole and not decoded yet; sizes in pixels, as it stands upright."""

    container: Container
    extension: str
    width: int
    height: int

    def decode(self) -> tuple[np.ndarray, str]:
        """Pixels, uint8 [H, W] grey or [H, W, 3] RGB, and the kind of their colours: grey, rgb or cmyk.

        Transparent pixels lie on white paper; the picture is turned as its Exif block says.

        Raises:
            CaptchaLabError: the pixels are damaged or cut short.
        """
        try:
            pixels, kind = _pixels(self.container)
        except CaptchaLabError:
            raise
        except Exception as error:  # decoders raise nearly anything
            raise CaptchaLabError(f"{CUT} ({str(error)[:100] or type(error).__name__})") from error
        pixels = upright(pixels, self.container.orientation)
        if pixels.shape[:2] != (self.height, self.width):
            raise CaptchaLabError("the image's pixels are not as many as its header says")
        return pixels, kind


def identify(data: bytes, max_pixels: int = MAX_PIXELS, formats: Mapping[str, str] = FORMATS) -> Picture:
    """Walk through a picture file without decoding it.

    Raises:
        CaptchaLabError: not an image, a format or an animation captcha-lab does not take, impossible sizes, or a file
            that is cut short or damaged.
    """
    container = walk(data)
    name, width, height = container.format, container.width, container.height
    if name not in formats:
        raise CaptchaLabError(f"{name} images are not taken (only {', '.join(formats)})")
    if container.frames > 1:
        raise CaptchaLabError(f"an animated {name} is not taken: it must be one picture")
    check_size(width, height, max_pixels)
    if turns_sideways(container.orientation):
        width, height = height, width
    return Picture(container, formats[name], width, height)


def check_size(width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """See that a picture of this size in pixels is taken.

    Raises:
        CaptchaLabError: it is empty or too large.
    """
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= max_pixels):
        raise CaptchaLabError(f"{width}x{height} pixels: more than {max_pixels} or none are not taken")


def decode(data: bytes, max_pixels: int = MAX_PIXELS, formats: Mapping[str, str] = FORMATS) -> np.ndarray:
    """Pixels of a picture file (see `Picture.decode`, and `identify` for errors)."""
    return identify(data, max_pixels, formats).decode()[0]


def _pixels(container: Container) -> tuple[np.ndarray, str]:
    if container.format == "JPEG":
        return _decode_jpeg(container.data)
    if container.format not in _WITH_CV2:  # every GIF and AVIF, every depth of PGM
        return _named(_decode_with_pil(container))
    data = png.check_pixels(container) if container.format == "PNG" else container.data
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise CaptchaLabError(CUT)
    if pixels.dtype == np.uint16:
        np.right_shift(pixels, 8, out=pixels)  # in place: these are the largest that there are
        pixels = pixels.astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise CaptchaLabError(f"{pixels.dtype} pixels are not taken")
    if pixels.ndim == 3:
        coloured = pixels.shape[2] == 3
        pixels = (
            cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
            if coloured
            else _on_white(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA))
        )
    return _named(pixels)


def _named(pixels: np.ndarray) -> tuple[np.ndarray, str]:
    return pixels, "grey" if pixels.ndim == 2 else "rgb"


def _decode_jpeg(data: bytes) -> tuple[np.ndarray, str]:
    """Pixels of a JPEG and the kind of its colours.

    Decoders fill what is damaged or missing with grey, and only warn; here a warning is an error. That notices
    every cut and nearly all damage of a disk sector or more; but a JPEG has no checksum, and a flipped bit most often
    gives other valid codes: of 1,500 faces it was noticed in one of eight, 200 random bytes in nine of ten.
    """
    try:
        kind = _JPEG_KINDS.get(simplejpeg.decode_jpeg_header(data)[2], "rgb")
    except ValueError:  # its colours are sampled in a way only PIL knows
        return _named(_decode_with_pil(Container("JPEG", 0, 0, data)))
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(data, _JPEG_PIXELS[kind], strict=True)
    except ValueError as error:
        if HARMLESS not in str(error):
            raise CaptchaLabError(CUT) from error
        pixels = simplejpeg.decode_jpeg(data, _JPEG_PIXELS[kind], strict=False)
    if kind == "cmyk":  # PIL knows which of them are stored inverted
        return _decode_with_pil(Container("JPEG", 0, 0, data)), kind
    return (pixels[..., 0] if kind == "grey" else pixels), kind


def read_image(path: Path) -> np.ndarray:
    """Pixels of a file (see `decode`).

    Raises:
        CaptchaLabError: the message names the file.
    """
    try:
        return decode(read_file(path))
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


def _decode_with_pil(container: Container) -> np.ndarray:
    with Image.open(io.BytesIO(container.data), formats=[container.format]) as image:
        if image.mode in ("L", "RGB"):
            return np.asarray(image)
        if image.mode == "I":  # what it makes of more than 8 bits
            return (np.asarray(image) // 257).astype(np.uint8)
        if image.mode == "CMYK":
            return np.asarray(image.convert("RGB"))
        return _on_white(np.asarray(image.convert("RGBA")))


def _on_white(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
