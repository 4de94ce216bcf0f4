"""Colours of practice captchas: paper, ink, and traits that only some pictures have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.floating[Any]]  # [H, W, 3], 0 … 255
Rng = np.random.Generator


def some(rng: Rng, share: float, low: float, high: float, otherwise: float = 0.0) -> float:
    """A trait that a share of the pictures have: uniform between two bounds there, a constant elsewhere."""
    return float(rng.uniform(low, high)) if rng.random() < share else otherwise


def _luminance(colour: NDArray[np.float32]) -> float:
    return float(colour @ np.array([0.3, 0.59, 0.11], np.float32))


def _colour(rng: Rng, low: float, high: float, grey: float = 0.35) -> NDArray[np.float32]:
    """A colour with its luminance between two bounds; grey in a share of cases."""
    for _ in range(12):
        colour = rng.uniform(0, 255, 3).astype(np.float32)
        if rng.random() < grey:
            colour[:] = rng.uniform(low, high)
        if low <= _luminance(colour) <= high:
            return colour
    return np.full(3, rng.uniform(low, high), np.float32)


@dataclass(frozen=True)
class Ink:
    """Where ink colours come from: luminance bounds, and whether each character has its own."""

    low: float
    high: float
    each: bool
    colour: NDArray[np.float32]

    def draw(self, rng: Rng) -> NDArray[np.float32]:
        return _colour(rng, self.low, self.high, 0.15) if self.each else self.colour


def paper_and_ink(rng: Rng) -> tuple[NDArray[np.float32], Ink]:
    """Paper and ink, dark on light in most pictures; a tenth with little contrast."""
    each = rng.random() < 0.35
    paper = np.full(3, 255, np.float32) if rng.random() < 0.35 else _colour(rng, 150, 255)
    contrast = rng.uniform(35, 80) if rng.random() < 0.2 else rng.uniform(80, 200)
    high = max(_luminance(paper) - contrast, 15.0)
    low = 0.0 if rng.random() < 0.7 else high * 0.7
    if each and rng.random() < 0.5:  # pale and dark characters beside each other
        low, high = 0.0, max(_luminance(paper) - rng.uniform(25, 60), 15.0)
    if rng.random() < 0.18:  # light on dark
        paper = 255 - paper
        low, high = 255 - high, 255 - low
    ink = _colour(rng, low, high)
    return paper, Ink(low, high, each, ink)
