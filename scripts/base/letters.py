"""Characters of practice captchas, each in a form of its own, set beside each other."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from scripts.base.fonts import Face, Fonts
from scripts.base.inks import Picture, Rng, some

WIDEST = 420  # pixels; a text that does not fit loses its end


@dataclass(frozen=True)
class Glyph:
    alpha: Picture  # [h, w], 0 … 1
    x: int
    y: int


@dataclass(frozen=True)
class Letters:
    glyphs: list[Glyph]
    width: int


def place(text: str, height: int, fonts: Fonts, rng: Rng) -> Letters:
    """Draw each character in its own form and set them beside each other."""
    em = height * rng.uniform(0.55, 1.15)
    faces = fonts.mix(rng, any(c.islower() for c in text))
    traits = {
        "turn": some(rng, 0.6, 2, 35),
        "lean": some(rng, 0.4, 0.05, 0.4),
        "slant": some(rng, 0.25, -0.35, 0.35),
        "size": some(rng, 0.5, 0.03, 0.3),
        "rise": some(rng, 0.5, 0.02, 0.2),
        "squeeze": float(rng.uniform(0.75, 1.25)),
        "corners": some(rng, 0.35, 0.05, 0.5),
        "jagged": float(rng.random() < 0.12),
    }
    gap = em * float(rng.choice([rng.uniform(0.02, 0.25), rng.uniform(-0.28, 0.02), rng.uniform(0.25, 1.2)],
                                p=[0.48, 0.34, 0.18]))  # fmt: skip
    uneven = em * some(rng, 0.3, 0.05, 0.3)
    cell = em * some(rng, 0.25, 0.7, 1.4)
    weight = int(rng.integers(-1, 3)) if rng.random() < 0.2 else 0
    hollow = rng.random() < 0.05
    cut = max(1.0, height * some(rng, 0.15, 0.02, 0.1))  # pixels that may be beyond the upper or lower edge
    left = em * (rng.uniform(0.3, 2.5) if rng.random() < 0.15 else rng.uniform(0.0, 0.5))
    pen = left
    glyphs = []
    for k, character in enumerate(text):
        alpha, top = _form(faces(rng), character, em, traits, rng)
        alpha = _reweigh(alpha, weight, hollow)
        x = left + k * cell + (cell - alpha.shape[1]) / 2 if cell else pen
        y = height / 2 + 0.36 * em + top + traits["rise"] * height * rng.uniform(-1, 1)
        y = float(np.clip(y, min(0, height - alpha.shape[0]) - cut, max(height - alpha.shape[0], 0) + cut))
        if max(x, 0) + alpha.shape[1] > WIDEST:
            break
        glyphs.append(Glyph(alpha, round(max(x, 0)), round(y)))
        pen += (
            alpha.shape[1] + gap * (rng.uniform(0.6, 1.4) if gap > 0 else 1) + uneven * max(rng.normal(), 0)
        )
    right = em * (rng.uniform(0.3, 2.5) if rng.random() < 0.15 else rng.uniform(0.0, 0.5))
    end = max((g.x + g.alpha.shape[1] for g in glyphs), default=int(em * rng.uniform(1, 5)))
    return Letters(glyphs, int(np.clip(end + right, 12, WIDEST)))


def _form(face: Face, character: str, em: float, traits: dict[str, float], rng: Rng) -> tuple[Picture, float]:
    """Ink of one character, turned, slanted, scaled and warped: float32 [h, w], and its top above the baseline."""
    mask = face.mask(character, em)
    scale = em / mask.em * (1 + traits["size"] * rng.uniform(-1, 1))
    across = scale * traits["squeeze"]
    shear = traits["slant"] + traits["lean"] * rng.uniform(-1, 1)
    turn = np.deg2rad(traits["turn"] * rng.uniform(-1, 1))
    h, w = mask.ink.shape
    form = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.array(
        [[across, -shear * scale], [0, scale]]
    )
    square = np.array([[0, w, 0, w], [0, 0, h, h]])
    corners = form @ square + traits["corners"] * scale * np.array([[w], [h]]) * rng.uniform(
        -0.5, 0.5, (2, 4)
    )
    low, high = corners.min(1), corners.max(1)
    size = np.maximum(np.ceil(high - low).astype(int), 1)
    map_ = cv2.getPerspectiveTransform(
        square.T.astype(np.float32), (corners - low[:, None]).T.astype(np.float32)
    )
    jagged = traits["jagged"] > 0
    ink = cv2.warpPerspective(
        mask.ink, map_, size.tolist(), flags=cv2.INTER_NEAREST if jagged else cv2.INTER_LINEAR
    )
    alpha = (ink > 110).astype(np.float32) if jagged else ink.astype(np.float32) / 255
    middle = (mask.top + h / 2) * scale
    return alpha, float(middle - size[1] / 2)


def _reweigh(alpha: Picture, weight: int, hollow: bool) -> Picture:
    """Bolder (weight > 0), thinner (< 0) or only the outline."""
    if hollow:
        return np.pad(alpha, 1) - 0.9 * cv2.erode(np.pad(alpha, 1), np.ones((2, 2)))
    if weight > 0:
        return np.asarray(cv2.dilate(np.pad(alpha, 1), np.ones((2, weight + 1))), np.float32)
    if weight < 0 and min(alpha.shape) > 14:
        return np.asarray(cv2.erode(alpha, np.ones((1, 2))), np.float32)
    return alpha
