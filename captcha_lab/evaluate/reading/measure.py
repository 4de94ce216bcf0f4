"""How well a recogniser reads: accuracy, where it errs, whether its confidence is honest, what throws it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.subject import Images, Progress, Reader, silent
from captcha_lab.metrics.accuracy import captcha_accuracy, confusion_matrix, glyph_accuracy, per_class
from captcha_lab.metrics.calibration import Reliability, reliability
from captcha_lab.metrics.intervals import Share
from captcha_lab.store.packed.packed import PackedSet

Damage = Callable[[Images, float, np.random.Generator], Images]


@dataclass(frozen=True)
class DamageCurve:
    """Accuracy on test glyphs as a damage grows: `unit` says what the levels count."""

    name: str
    unit: str
    levels: tuple[float, ...]
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class ReadingResult:
    """Figures of a recogniser on the test split.

    Attributes:
        glyphs: share of all labelled test glyphs read right.
        glyphs_distinct: the same without glyphs whose pixels occur in training or earlier in the test.
        captchas: share of captchas read whole, or None where images stand alone.
        duplicates: labelled test glyphs left out of `glyphs_distinct`.
        confusion: int64 [K, K] true class, class read; on the distinct glyphs, as everything below.
        per_class: share of each class read right.
        calibration: reliability over 15 bins of confidence.
        speed: glyphs read per CPU-second, from arrays.
        damages: one curve for each kind of damage.
        classes: names of the K classes.
    """

    glyphs: Share
    glyphs_distinct: Share
    captchas: Share | None
    duplicates: int
    confusion: NDArray[np.int64]
    per_class: list[Share]
    calibration: Reliability
    speed: float
    damages: list[DamageCurve]
    classes: tuple[str, ...]


def blur(images: Images, sigma: float, rng: np.random.Generator) -> Images:
    """Gaussian blur of `sigma` pixels."""
    if sigma == 0:
        return images
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma) for image in images])


def noise(images: Images, deviation: float, rng: np.random.Generator) -> Images:
    """Gaussian noise of `deviation` grey levels (of 255), clipped."""
    noisy = images + rng.normal(0, deviation, images.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def rotate(images: Images, degrees: float, rng: np.random.Generator) -> Images:
    """Turned about the middle by `degrees` to a random side; paper comes in."""
    side = images.shape[1]
    centre = (images.shape[2] - 1) / 2, (side - 1) / 2
    turned = [
        cv2.warpAffine(
            image,
            cv2.getRotationMatrix2D(centre, degrees * sign, 1.0),
            (images.shape[2], side),
            borderValue=(255, 255, 255),
        )
        for image, sign in zip(images, rng.choice([-1, 1], len(images)), strict=True)
    ]
    return np.stack(turned)


def shift(images: Images, pixels: float, rng: np.random.Generator) -> Images:
    """Moved by `pixels` in a random one of eight directions; paper comes in."""
    directions = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y])
    moves = directions[rng.integers(0, 8, len(images))] * int(pixels)
    moved = np.full_like(images, 255)
    height, width = images.shape[1:3]
    for image, target, (x, y) in zip(images, moved, moves, strict=True):
        rows, columns = slice(max(y, 0), height + min(y, 0)), slice(max(x, 0), width + min(x, 0))
        from_rows = slice(max(-y, 0), height + min(-y, 0))
        from_columns = slice(max(-x, 0), width + min(-x, 0))
        target[rows, columns] = image[from_rows, from_columns]
    return moved


DAMAGES: tuple[tuple[str, str, tuple[float, ...], Damage], ...] = (
    ("blur", "standard deviation in pixels", (0, 0.5, 1, 1.5, 2, 3), blur),
    ("noise", "standard deviation in grey levels", (0, 16, 32, 64, 96, 128), noise),
    ("rotation", "degrees", (0, 5, 10, 20, 30, 45), rotate),
    ("shift", "pixels", (0, 1, 2, 3, 4, 6), shift),
)


def measure_reading(
    reader: Reader, data: PackedSet, *, seed: int = 0, progress: Progress = silent
) -> ReadingResult:
    """All figures of a recogniser on the labelled test glyphs of a packed set.

    Raises:
        CaptchaLabError: the set has no labelled test glyphs.
    """
    test = data.part("test", labelled=True)
    if data.labels is None or test.labels is None or not len(test):
        raise CaptchaLabError(
            "No labelled test glyphs to read: label more captchas (`captcha-lab label`), a tenth of them are for tests."
        )
    labels = np.asarray(test.labels, np.int64)
    started = time.process_time()
    probabilities = reader.probabilities(test.images)
    speed = len(test) / max(time.process_time() - started, 1e-9)
    read = probabilities.argmax(axis=1)
    distinct = np.ones(len(test), bool) if test.duplicate is None else test.duplicate == 0
    captchas = None
    if test.image is not None:
        captchas = captcha_accuracy(labels, read, test.image)
    confusion = confusion_matrix(labels[distinct], read[distinct], len(data.classes))
    return ReadingResult(
        glyphs=glyph_accuracy(labels, read),
        glyphs_distinct=glyph_accuracy(labels[distinct], read[distinct]),
        captchas=captchas,
        duplicates=int((~distinct).sum()),
        confusion=confusion,
        per_class=per_class(confusion),
        calibration=reliability(probabilities[distinct], labels[distinct]),
        speed=speed,
        damages=damage_curves(reader, test.images[distinct], labels[distinct], seed=seed, progress=progress),
        classes=data.classes,
    )


def damage_curves(
    reader: Reader,
    images: Images,
    labels: NDArray[np.integer],
    *,
    seed: int,
    progress: Progress = silent,
    most: int = 2000,
) -> list[DamageCurve]:
    """Accuracy under each damage at each level, on at most `most` glyphs."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(images))[:most])
    images, labels = images[rows], labels[rows]
    curves = []
    for number, (name, unit, levels, damage) in enumerate(DAMAGES):
        progress("reading damaged glyphs", number, len(DAMAGES))
        shares = [
            _accuracy(reader, damage(images, level, np.random.default_rng(seed)), labels) for level in levels
        ]
        curves.append(DamageCurve(name, unit, levels, tuple(shares)))
    return curves


def _accuracy(reader: Reader, images: Images, labels: Sequence[int] | NDArray[np.integer]) -> Share:
    return glyph_accuracy(np.asarray(labels), reader.probabilities(images).argmax(axis=1))
