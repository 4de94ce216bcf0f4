"""Drawn captchas: real segmenting, real training, no data from outside."""

import numpy as np
import pytest

from captcha_lab.segment import Segmenter
from captcha_lab.store.packed.packed import PackedSet, mark_duplicates

ALPHABET = "ACE7"


def draw_captcha(text: str, rng: np.random.Generator) -> np.ndarray:
    """uint8 [20, 80]: one character per quarter, jittered."""
    import cv2

    image = np.full((20, 80), 255, np.uint8)
    for k, character in enumerate(text):
        at = (20 * k + 3 + int(rng.integers(3)), 16 - int(rng.integers(3)))
        cv2.putText(image, character, at, cv2.FONT_HERSHEY_SIMPLEX, 0.55, int(rng.integers(80)), 1)
    return image


@pytest.fixture(scope="session")
def drawn() -> tuple[list[str], list[np.ndarray]]:
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list(ALPHABET), 4)) for _ in range(120)]
    return texts, [draw_captcha(text, rng) for text in texts]


@pytest.fixture(scope="session")
def drawn_set(drawn: tuple[list[str], list[np.ndarray]]) -> PackedSet:
    texts, images = drawn
    glyphs = np.concatenate(Segmenter().cut(images))
    captcha = np.repeat(np.arange(len(texts)), 4)
    split = np.select([captcha % 5 == 0, captcha % 5 == 1], [2, 1], 0).astype(np.uint8)
    return PackedSet(
        glyphs,
        split,
        labels=np.array([ALPHABET.index(c) for text in texts for c in text], np.int16),
        image=captcha,
        position=np.tile(np.arange(4), len(texts)),
        duplicate=mark_duplicates(glyphs < 255, split),
        classes=tuple(ALPHABET),
        info={"kind": "captcha", "segmenter": Segmenter().to_dict()},
    )
