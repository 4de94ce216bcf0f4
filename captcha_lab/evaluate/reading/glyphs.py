"""How well a recogniser reads glyphs: accuracy, where it errs, whether its confidence is honest, what throws it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.glyphs import captcha_of
from captcha_lab.evaluate.reading.damage import DamageCurve, Picture, damage_curves
from captcha_lab.metrics.accuracy import captcha_accuracy, confusion_matrix, glyph_accuracy, per_class
from captcha_lab.metrics.calibration import Reliability, class_reliability
from captcha_lab.metrics.intervals import Share
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.contract import GlyphClassifier
from captcha_lab.store.packed.packed import UNLABELLED, PackedSet

MOST_DAMAGED = 2000  # glyphs damaged and read again


@dataclass(frozen=True)
class GlyphResult:
    """Figures of a recogniser on the glyphs of the test split.

    Attributes:
        glyphs: share of all labelled test glyphs read right.
        glyphs_distinct: the same without glyphs whose pixels occur in training or earlier in the test; nothing tried
            where every test glyph repeats one.
        captchas: share of fully labelled captchas read whole, or None where images stand alone.
        duplicates: labelled test glyphs left out of `glyphs_distinct`.
        confusion: int64 [K, K] true class, class read; on the distinct glyphs, as everything below, or on all of
            them where none is distinct.
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

    @property
    def repeats(self) -> bool:
        """Whether every test glyph repeats a training glyph, so that a table of them reads the captcha."""
        return self.glyphs_distinct.trials == 0

    @property
    def main(self) -> Share:
        """Accuracy on glyphs that are new to the reader; on all of them where none is new."""
        return self.glyphs if self.repeats else self.glyphs_distinct


def measure_glyphs(
    reader: GlyphClassifier, data: PackedSet, *, seed: int = 0, progress: PhaseProgress = no_progress
) -> GlyphResult:
    """All figures of a recogniser on the labelled test glyphs of a packed set.

    Raises:
        CaptchaLabError: the set has no labelled test glyphs.
    """
    everything = data.part("test")
    test = data.part("test", labelled=True)
    if everything.labels is None or test.labels is None or not len(test):
        raise CaptchaLabError(
            "No labelled test glyphs to read: label more captchas (`captcha-lab label`), a tenth of them are for tests."
        )
    labels = np.asarray(test.labels, np.int64)
    started = time.process_time()
    probabilities = reader.probabilities(test.images)
    speed = len(test) / max(time.process_time() - started, 1e-9)
    read = probabilities.argmax(axis=1)
    captchas = None
    if data.image is not None and data.info.get("kind") == "captcha":
        of_all = np.zeros(len(everything), np.int64)
        of_all[everything.labels != UNLABELLED] = read
        captchas = captcha_accuracy(everything.labels, of_all, captcha_of(everything))
    distinct = np.ones(len(test), bool) if test.duplicate is None else test.duplicate == 0
    used = distinct if distinct.any() else np.ones(len(test), bool)
    confusion = confusion_matrix(labels[used], read[used], len(data.classes))
    return GlyphResult(
        glyphs=glyph_accuracy(labels, read),
        glyphs_distinct=glyph_accuracy(labels[distinct], read[distinct]),
        captchas=captchas,
        duplicates=int((~distinct).sum()),
        confusion=confusion,
        per_class=per_class(confusion),
        calibration=class_reliability(probabilities[used], labels[used]),
        speed=speed,
        damages=_damages(reader, test.images[used], labels[used], seed, progress),
        classes=data.classes,
    )


def _damages(
    reader: GlyphClassifier,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    seed: int,
    progress: PhaseProgress,
) -> list[DamageCurve]:
    rows = np.sort(np.random.default_rng(seed).permutation(len(images))[:MOST_DAMAGED])

    def right(pictures: list[Picture]) -> NDArray[np.bool_]:
        return np.asarray(reader.probabilities(np.stack(pictures)).argmax(axis=1) == labels[rows])

    return damage_curves(images[rows], right, seed=seed, progress=progress)
