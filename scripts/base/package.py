"""Practice captchas by the package `captcha`, which many sites draw theirs with."""

from __future__ import annotations

import numpy as np
from captcha.image import ImageCaptcha
from numpy.typing import NDArray

from captcha_lab.collect.endpoint.image import CELL, HEIGHT, painted
from scripts.base.fonts import Fonts
from scripts.base.inks import Rng

SIZES = 42, 50, 56  # the package's own, pixels of em at its own height
WIDTH = 160  # the package's own, pixels; a longer text is squeezed into it
MOST = 7  # characters that can still be read there
# Probabilities that the package's own font is used, its own height, and, at that height, its own width.
OWN_FONT, OWN_HEIGHT, OWN_WIDTH = 0.6, 0.6, 0.3


def captcha(text: str, fonts: Fonts, rng: Rng) -> NDArray[np.uint8]:
    """One captcha of a text of at least one character, RGB uint8 [H, W, 3]."""
    height, width = HEIGHT, CELL * len(text)
    if rng.random() > OWN_HEIGHT:
        height = int(rng.integers(36, 81))
        width = max(1, int(rng.integers(26, 48)) * height // HEIGHT) * len(text)
    elif rng.random() < OWN_WIDTH and len(text) <= MOST:
        width = WIDTH
    faces = None
    if rng.random() > OWN_FONT:
        small = any(c.islower() for c in text)
        faces = [str(fonts.choose(rng, small).path) for _ in range(int(rng.integers(1, 4)))]
    sizes = tuple(max(8, size * height // HEIGHT) for size in SIZES)
    painter = ImageCaptcha(width=width, height=height, fonts=faces, font_sizes=sizes)
    return np.array(painted(painter, text, rng).convert("RGB"))
