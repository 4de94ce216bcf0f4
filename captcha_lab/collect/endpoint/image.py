"""The `image` captcha style: the PyPI package `captcha`, made to repeat itself from a seed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import captcha.image
import numpy as np
from captcha.image import ImageCaptcha, random_color
from numpy.typing import NDArray
from PIL.Image import Image
from PIL.ImageFilter import SMOOTH

from captcha_lab.collect.endpoint.drawn import FONTS, MEDIA_TYPE, encode, font
from captcha_lab.collect.endpoint.traits import STYLES, Traits
from captcha_lab.errors import UsageError

__all__ = ["MEDIA_TYPE", "check_alphabet", "encode", "painted", "render"]

HEIGHT = 60
TRAITS = STYLES["image"].traits
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


def _painter(width: int, traits: Traits) -> ImageCaptcha:
    """The package's painter, changed in what the traits say."""
    own = None if traits.fonts == 1 else [str(font(k, 42).path) for k in range(min(traits.fonts, len(FONTS)))]
    painter = ImageCaptcha(width=width, height=HEIGHT, fonts=own)
    if not traits.touching:
        painter.word_offset_dx = 0.0
    if not traits.slanted:
        painter.character_rotate, painter.character_warp_dx = (0, 0), (0.0, 0.0)
    return painter


def check_alphabet(characters: str, traits: Traits = TRAITS) -> None:
    """Make sure that the package's font draws them all.

    Raises:
        UsageError: it does not; the message names the first such character.
    """
    for face in _painter(CELL, traits).truefonts:
        missing = bytes(face.getmask("\U0010ffff"))
        for character in characters:
            if bytes(face.getmask(character)) == missing:
                raise UsageError(
                    f"The font of the package captcha has no {character!r}: leave it out of --alphabet."
                )


def render(text: str, rng: np.random.Generator, traits: Traits = TRAITS) -> NDArray[np.uint8]:
    """Draw one captcha with the package's own fonts, noise dots and curve.

    Args:
        text: its characters.
        rng: where everything random comes from; the same state draws the same picture.
        traits: of the picture; the style's own unless one is changed.

    Returns:
        uint8 [60, 40 * len(text), 3] RGB, dark ink on pale paper.

    Raises:
        UsageError: the text is empty.
    """
    if not text:
        raise UsageError("A captcha needs at least one character: give --length 1 or more.")
    picture = painted(_painter(CELL * len(text), traits), text, rng, traits.strokes)
    pixels = np.array(picture.convert("RGB" if traits.coloured else "L").convert("RGB"))
    return 255 - pixels if traits.inverse else pixels


def painted(painter: ImageCaptcha, text: str, rng: np.random.Generator, strokes: int = 1) -> Image:
    """What the package's `create_captcha_image`, dots, curves and filter make of a text, from `rng` alone."""
    with _seeded(rng):
        paper = random_color(238, 255)
        ink = random_color(10, 200, int(rng.integers(36)) + 220)
        picture = painter.create_captcha_image(text, ink, paper)
        painter.create_noise_dots(picture, ink)
        for _ in range(strokes):
            painter.create_noise_curve(picture, ink)
    return picture.filter(SMOOTH)
