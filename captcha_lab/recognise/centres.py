"""Where the characters of captchas stand, as a reader of whole captchas finds them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from captcha_lab.recognise.contract import CaptchaReader

EVEN = 0.1  # of the distance between evenly spread characters, up to which they count as spread evenly
LEAST = 8  # captchas of a length that are read right, below which nothing is said of that length


def mean_centres(
    reader: CaptchaReader, images: Sequence[np.ndarray], texts: Sequence[str]
) -> tuple[tuple[float, ...], ...]:
    """The mean centre of each place of a text, for each length of texts.

    Only captchas that are read right count, in capitals or not.

    Args:
        reader: says where each character stands.
        images: captchas, uint8 [H, W] or [H, W, 3] each.
        texts: what is written on them.

    Returns:
        Row n - 1 is for texts of n characters: n shares of the picture's width, rising; or nothing, where they are
        spread evenly to within a tenth of their distance, and where fewer than eight such captchas are read right.
        As many rows as the longest text has characters.
    """
    found: dict[int, list[list[float]]] = defaultdict(list)
    for image, text, reading in zip(images, texts, reader.read(images), strict=True):
        boxes = reading.boxes
        if reading.text.casefold() == text.casefold() and boxes and len(boxes) == len(text):
            width = image.shape[1]
            found[len(text)].append([(left + right) / 2 / width for left, _, right, _ in boxes])
    rows: list[tuple[float, ...]] = []
    for length in range(1, max(map(len, texts), default=0) + 1):
        known = found[length]
        even = (np.arange(length) + 0.5) / length
        means = np.mean(known, axis=0) if len(known) >= LEAST else even
        # Exactly even places are better than measured ones: every character is at the same place in its window.
        beside = np.abs(means - even).max() * length > EVEN
        rows.append(tuple(round(float(x), 4) for x in means) if beside else ())
    return tuple(rows)
