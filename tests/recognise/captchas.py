"""Captchas drawn for the sequence reader's tests: touching digits of one font, in any number."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_lab.store.packed.texts import TextSet


def draw_text(text: str, rng: np.random.Generator, height: int = 40) -> NDArray[np.uint8]:
    """RGB uint8 [height, W, 3]: the text in one dark colour with a line through it."""
    image = np.full((40, 16 + 19 * max(len(text), 2), 3), 245, np.uint8)
    ink = rng.integers(0, 110, 3).tolist()
    for k, character in enumerate(text):
        at = 6 + 19 * k + int(rng.integers(-1, 2)), 30 + int(rng.integers(-3, 4))
        cv2.putText(image, character, at, cv2.FONT_HERSHEY_DUPLEX, 1.0, ink, 2, cv2.LINE_AA)
    if text:
        ends = (0, int(rng.integers(5, 35))), (image.shape[1], int(rng.integers(5, 35)))
        cv2.line(image, *ends, ink, 1, cv2.LINE_AA)
    return np.asarray(cv2.resize(image, (round(image.shape[1] * height / 40), height)), np.uint8)


def draw_set(texts: list[str], seed: int = 0) -> TextSet:
    """A captcha of every text; every fifth held out for validation, every fifth for the test."""
    rng = np.random.default_rng(seed)
    rows = np.arange(len(texts))
    return TextSet(
        images=[draw_text(text, rng) for text in texts],
        texts=tuple(texts),
        split=np.select([rows % 5 == 0, rows % 5 == 1], [2, 1], 0).astype(np.uint8),
        image_ids=rows,
        duplicate=np.zeros(len(texts), np.uint8),
    )


def random_texts(count: int, alphabet: str, lengths: tuple[int, ...], seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(alphabet), rng.choice(lengths))) for _ in range(count)]
