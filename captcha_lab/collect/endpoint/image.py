"""The `image` captcha style: the PyPI package `captcha`, made to repeat itself from a seed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import captcha.image
import numpy as np
from captcha.image import ImageCaptcha
from numpy.typing import NDArray
from PIL import Image

from captcha_lab.errors import UsageError

HEIGHT = 60
CELL = 40  # pixels of width per character: the package's own 160x60 for four

_LOCK = threading.Lock()


class _Seeded:
    """Stands in for the module `secrets`, which the package draws from and which can't be seeded."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def randbelow(self, bound: int) -> int:
        return int(self._rng.integers(bound))

    def randbits(self, bits: int) -> int:
        return int(self._rng.integers(1 << bits))

    def choice(self, values: Sequence[Any]) -> Any:
        return values[self.randbelow(len(values))]


@contextmanager
def _seeded(rng: np.random.Generator) -> Iterator[None]:
    """Within the block the package draws from `rng`; one block at a time, as the module is shared."""
    with _LOCK:
        package: Any = captcha.image
        original = package.secrets
        package.secrets = _Seeded(rng)
        try:
            yield
        finally:
            package.secrets = original


def check_alphabet(characters: str) -> None:
    """Make sure that the package's font draws them all.

    Raises:
        UsageError: it does not; the message names the first such character.
    """
    font = ImageCaptcha().truefonts[0]
    missing = bytes(font.getmask("\U0010ffff"))
    for character in characters:
        if bytes(font.getmask(character)) == missing:
            raise UsageError(
                f"The font of the package captcha has no {character!r}: leave it out of --alphabet."
            )


def render(text: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one captcha with the package's own fonts, noise dots and curve.

    Args:
        text: its characters.
        rng: where everything random comes from; the same state draws the same picture.

    Returns:
        uint8 [60, 40 * len(text), 3] RGB, dark ink on pale paper.

    Raises:
        UsageError: the text is empty.
    """
    if not text:
        raise UsageError("A captcha needs at least one character: give --length 1 or more.")
    painter = ImageCaptcha(width=CELL * len(text), height=HEIGHT)
    with _seeded(rng):
        return np.array(painter.generate_image(text).convert("RGB"))


def encode(picture: NDArray[np.uint8]) -> bytes:
    """PNG bytes of a uint8 [H, W, 3] picture."""
    out = BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()
