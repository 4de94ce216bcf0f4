"""Augmentation of captchas: what their endpoint might have drawn as well, and nothing that changes a character."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # [H, W, 3]


@dataclass(frozen=True)
class Augmentation:
    """How far a captcha is changed; geometry as shares of its height, probabilities per picture.

    No mirror image and no large turn is among them: b and d, 6 and 9, N and Z would change places.
    """

    shift: float = 0.12
    scale: float = 0.12
    shear: float = 0.15
    turn: float = 0.05  # radians
    contrast: float = 0.5  # probability of another contrast and brightness
    colours: float = 0.3  # probability that the colour channels change places
    invert: float = 0.0  # probability that dark and light change places
    noise: float = 0.3
    blur: float = 0.1
    occlusions: float = 0.2  # probability of one to three specks of up to 3x3 pixels or a thin line

    def __call__(self, picture: Pixels, rng: np.random.Generator) -> Pixels:
        """A changed copy of one picture, uint8 [H, W, 3], of the same size."""
        changed = self._move(picture, rng)
        if rng.random() < self.occlusions:
            _occlude(changed, rng)
        if rng.random() < self.colours:
            changed = changed[..., rng.permutation(3)]
        if rng.random() < self.blur:
            changed = np.asarray(cv2.GaussianBlur(changed, (0, 0), rng.uniform(0.3, 0.9)), np.uint8)
        if rng.random() < self.invert:
            changed = 255 - changed
        return self._expose(changed, rng)

    def _move(self, picture: Pixels, rng: np.random.Generator) -> Pixels:
        height, width = picture.shape[:2]
        scale_x, scale_y = 1 + self.scale * rng.uniform(-1, 1, 2)
        shear, turn = self.shear * rng.uniform(-1, 1), self.turn * rng.uniform(-1, 1)
        turn *= min(1.0, 3 * height / width)  # the ends of a wide picture would leave it
        form = np.array([[scale_x, shear - turn], [turn, scale_y]])
        centre = np.array([width / 2, height / 2])
        offset = centre - form @ centre + height * self.shift * rng.uniform(-1, 1, 2) * (1, 0.7)
        matrix = np.column_stack([form, offset])
        moved = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved, np.uint8)

    def _expose(self, picture: Pixels, rng: np.random.Generator) -> Pixels:
        noisy, contrast = rng.random() < self.noise, rng.random() < self.contrast
        if not (noisy or contrast):
            return np.ascontiguousarray(picture)
        values = picture.astype(np.float32)
        if contrast:
            values = (values - 128) * rng.uniform(0.5, 1.3) + 128 + rng.uniform(-30, 30)
        if noisy:
            values += rng.standard_normal(values.shape[:2], np.float32)[..., None] * rng.uniform(2, 16)
        return np.clip(values, 0, 255).astype(np.uint8)


def _occlude(picture: Pixels, rng: np.random.Generator) -> None:
    """Cover a few pixels, in place: specks, or one line of a pixel's width."""
    height, width = picture.shape[:2]
    colour = picture[rng.integers(height), rng.integers(width)].tolist()  # one that the picture has
    if rng.random() < 0.3:
        a, b = (rng.uniform(0, 1, 2) * (width, height) for _ in range(2))
        cv2.line(picture, a.astype(int).tolist(), b.astype(int).tolist(), colour, 1)
        return
    for _ in range(int(rng.integers(1, 4))):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        w, h = rng.integers(1, 4, 2).tolist()
        cv2.rectangle(picture, (x, y), (x + w - 1, y + h - 1), colour, -1)
