"""Damages to a picture, each at several strengths: what a reader still reads of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_lab.metrics.intervals import Share, share_of
from captcha_lab.progress import PhaseProgress, no_progress

Picture = NDArray[np.uint8]  # [H, W] grey or [H, W, 3] RGB


@dataclass(frozen=True)
class Damage:
    """One way to damage a picture.

    Attributes:
        name: of the damage.
        unit: what its levels count.
        levels: tried, from none on.
        remedy: the level tried as a change to the captcha itself: one at which people still read it.
        apply: picture, level and generator to the damaged picture.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    remedy: float
    apply: Callable[[Picture, float, np.random.Generator], Picture]


@dataclass(frozen=True)
class DamageCurve:
    """Share read right as a damage grows: `unit` says what the levels count."""

    name: str
    unit: str
    levels: tuple[float, ...]
    shares: tuple[Share, ...]


def blur(picture: Picture, sigma: float, rng: np.random.Generator) -> Picture:
    """Gaussian blur of `sigma` pixels."""
    return picture if sigma == 0 else np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def noise(picture: Picture, deviation: float, rng: np.random.Generator) -> Picture:
    """Gaussian noise of `deviation` grey levels (of 255), clipped."""
    noisy = picture + rng.normal(0, deviation, picture.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def rotate(picture: Picture, degrees: float, rng: np.random.Generator) -> Picture:
    """Turned about the middle by `degrees` to a random side; paper comes in."""
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees * rng.choice([-1, 1]), 1.0)
    return np.asarray(cv2.warpAffine(picture, turn, (width, height), borderValue=_paper(picture)), np.uint8)


def shift(picture: Picture, pixels: float, rng: np.random.Generator) -> Picture:
    """Moved by `pixels` in a random one of eight directions; paper comes in."""
    x, y = _DIRECTIONS[rng.integers(0, len(_DIRECTIONS))]
    height, width = picture.shape[:2]
    move: Any = np.array([[1, 0, x * int(pixels)], [0, 1, y * int(pixels)]], np.float32)
    return np.asarray(
        cv2.warpAffine(picture, move, (width, height), flags=cv2.INTER_NEAREST, borderValue=_paper(picture)),
        np.uint8,
    )


_DIRECTIONS = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]

DAMAGES = (
    Damage("blur", "standard deviation in pixels", (0, 0.5, 1, 1.5, 2, 3), 1.0, blur),
    Damage("noise", "standard deviation in grey levels", (0, 16, 32, 64, 96, 128), 64.0, noise),
    Damage("rotation", "degrees", (0, 5, 10, 20, 30, 45), 30.0, rotate),
    Damage("shift", "pixels", (0, 1, 2, 3, 4, 6), 3.0, shift),
)


def damaged(
    pictures: Sequence[Picture] | NDArray[np.uint8], damage: Damage, level: float, seed: int
) -> list[Picture]:
    """Every picture damaged at one level; the same for the same seed."""
    rng = np.random.default_rng(seed)
    return [damage.apply(picture, level, rng) for picture in pictures]


def damage_curves(
    pictures: Sequence[Picture] | NDArray[np.uint8],
    right: Callable[[list[Picture]], NDArray[np.bool_]],
    *,
    seed: int,
    progress: PhaseProgress = no_progress,
) -> list[DamageCurve]:
    """Share read right under each damage at each level.

    Args:
        pictures: undamaged, of any sizes; not empty.
        right: which of these pictures, damaged, are read right: bool [N].
        seed: of the damages.
        progress: told which damage is at work.
    """
    curves = []
    for number, damage in enumerate(DAMAGES):
        progress("reading damaged pictures", number, len(DAMAGES))
        shares = [share_of(right(damaged(pictures, damage, level, seed))) for level in damage.levels]
        curves.append(DamageCurve(damage.name, damage.unit, damage.levels, tuple(shares)))
    return curves


def _paper(picture: Picture) -> tuple[float, ...]:
    """What the picture is drawn on: the median of its edge, channel by channel."""
    planes = picture.reshape(*picture.shape[:2], -1)
    edge = np.concatenate([planes[0], planes[-1], planes[:, 0], planes[:, -1]])
    return tuple(float(value) for value in np.median(edge, axis=0))
