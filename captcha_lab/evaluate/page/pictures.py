"""Pictures on a page: inline PNG, each with what is said of it."""

from __future__ import annotations

import base64
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.subject import shrink

LARGE = 48  # pixels: square images from this side on are shown larger
MOST = 128  # pixels: larger images are shrunk before they are put into the page
MARKS = {"": "", "bad": "✗ ", "doubt": "? "}  # said beside the colour, for those who don't see it


def png_uri(image: NDArray[np.uint8]) -> str:
    """An image uint8 [H, W] or RGB [H, W, 3] as a `data:` address."""
    data = image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])
    encoded = cv2.imencode(".png", data, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    return data_uri(encoded.tobytes(), "png")


def data_uri(encoded: bytes, kind: str) -> str:
    """A picture file's bytes as a `data:` address; `kind` is png or gif."""
    return f"data:image/{kind};base64," + base64.b64encode(encoded).decode()


def cell(image: NDArray[np.uint8], caption: str = "", mark: str = "", title: str = "") -> str:
    """One image, square or wide, with a caption; `mark` is a key of `MARKS`."""
    height, width = image.shape[:2]
    size = "wide" if width > height else "big" if height >= LARGE else ""
    below = escape(MARKS[mark] + caption) or "&nbsp;"
    return (
        f'<span class="cell {mark} {size}" title="{escape(title)}">'
        f'<img src="{png_uri(shrink(image[None], MOST)[0])}" alt="{escape(title)}">{below}</span>'
    )


def captcha(image: NDArray[np.uint8], caption: str, mark: str = "", title: str = "") -> str:
    """One captcha of any width with a caption that is already HTML."""
    return (
        f'<figure class="captcha {mark}"><img src="{png_uri(shrink(image[None], 3 * MOST)[0])}" '
        f'alt="{escape(title)}"><figcaption>{MARKS[mark]}{caption}</figcaption></figure>'
    )
