"""Rows of a packed set of glyphs: which captcha each was cut from, and which show the same shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from captcha_lab.metrics.neighbours import fingerprints
from captcha_lab.store.packed.packed import PackedSet

INK = 255  # glyphs of captchas are whitened: whatever is darker is ink


def captcha_of(data: PackedSet) -> NDArray[np.integer]:
    """The captcha each row [N] was cut from; where images stand alone, each is its own."""
    if data.image is None or data.info.get("kind") != "captcha":
        return np.arange(len(data))
    return np.asarray(data.image)


def shape_keys(data: PackedSet, rows: NDArray[np.integer]) -> list[bytes]:
    """What rows of the same shape have in common: the ink's place in captchas, whose ink is grainy, else the pixels."""
    images = data.images[rows]
    if data.info.get("kind") == "captcha":
        images = (images < INK).astype(np.uint8)
    return fingerprints(images)
