"""Drawn glyphs of six classes, and the settings that evaluate them in seconds."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.judging.judge import Role

CLASSES = tuple("237AHX")
CONFIG = EvalConfig(
    samples=240, gan_train_epochs=5, neighbours=3, distance_samples=400, batch_size=100, sheet=4
)


def draw_glyph(character: str, rng: np.random.Generator) -> np.ndarray:
    """Uint8 [20, 20]: dark ink of one grey, slanted, turned, moved and scaled at random."""
    canvas = np.full((60, 60), 255, np.uint8)
    cv2.putText(
        canvas, character, (14, 44), cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(1.1, 1.5),
        int(rng.integers(0, 110)), int(rng.integers(3, 6)), cv2.LINE_AA,
    )  # fmt: skip
    turn = cv2.getRotationMatrix2D((30, 30), rng.uniform(-18, 18), 1.0)
    turn[0, 1] += rng.uniform(-0.25, 0.25)
    turn[:, 2] = turn[:, 2] + rng.uniform(-4, 4, 2)
    turned = cv2.warpAffine(canvas, turn, (60, 60), borderValue=255)
    return cv2.resize(turned, (20, 20), interpolation=cv2.INTER_AREA)


def draw_glyphs(labels: Any, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([draw_glyph(CLASSES[k], rng) for k in labels])


def quicker(role: Role, epochs: int) -> Role:
    """A judge or counter-reader with another length of training."""
    return replace(role, training=replace(role.training, epochs=epochs))
