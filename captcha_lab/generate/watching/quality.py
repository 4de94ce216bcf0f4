"""Judging samples with a recogniser or a reader while training, to keep the best weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from captcha_lab.generate.conditioning import TextCode
from captcha_lab.generate.pixels import scaled
from captcha_lab.metrics.samples.manifold import manifold
from captcha_lab.metrics.text import character_error_rate
from captcha_lab.recognise.contract import CaptchaJudge, GlyphClassifier

NEIGHBOURS = 5
# From this score on a generator deserves the word.
WORDS = ((0.9, "good"), (0.7, "usable"), (0.4, "weak"), (0.0, "poor"))
MEANINGS = {
    "gan_test": "{:.0%} of the samples are read as what was asked for",
    "precision": "{:.0%} of the samples look like real images",
    "recall": "the samples reach {:.0%} of the variety of real images",
    "coverage": "{:.0%} of real images have a sample near them",
}


class RecogniserQuality:
    """Figures of samples by the recogniser's features, beside real images (a `monitor.Quality`).

    The score is the harmonic mean of recall, coverage and, where classes were asked for, the share read as asked
    (GAN-test), else precision: a generator with one good image per class, or with all classes but no good image,
    scores near 0. The recogniser that selects must not be the judge that reports (`captcha-lab eval`).

    Args:
        recogniser: a trained one.
        real: uint8 [N, H, W] real images, at least 6.
    """

    def __init__(self, recogniser: GlyphClassifier, real: np.ndarray) -> None:
        self.recogniser = recogniser
        self.size = real.shape[1], real.shape[2]
        self.real = recogniser.features(real)

    def __call__(self, samples: np.ndarray, labels: np.ndarray | None) -> dict[str, float]:
        """gan_test (where labelled), precision, recall, density, coverage and score."""
        features, read = self.recogniser.examine(scaled(samples, self.size))
        compared = manifold(features, self.real, k=NEIGHBOURS)
        figures = {key: float(value) for key, value in compared._asdict().items()}
        right = figures["precision"]
        if labels is not None and labels.ndim == 1:
            right = figures["gan_test"] = float((read == labels).mean())
        figures["score"] = harmonic_mean(right, figures["recall"], figures["coverage"])
        return figures


class TextQuality:
    """Figures of whole captchas by a reader, beside real ones (a `monitor.Quality`); the score as for glyphs.

    Args:
        reader: reads whole captchas.
        real: uint8 [N, H, W(, 3)] real captchas, at least 6.
        code: how the texts that are asked for are written as conditions.
    """

    def __init__(self, reader: CaptchaJudge, real: np.ndarray, code: TextCode) -> None:
        self.reader, self.code = reader, code
        self.real = reader.features(real)

    def __call__(self, samples: np.ndarray, labels: np.ndarray | None) -> dict[str, float]:
        """gan_test (whole captchas), characters, precision, recall, density, coverage and score."""
        compared = manifold(self.reader.features(samples), self.real, k=NEIGHBOURS)
        figures = {key: float(value) for key, value in compared._asdict().items()}
        right = figures["precision"]
        if labels is not None:
            wanted = self.code.decode(labels)
            read = [reading.text for reading in self.reader.read(samples)]
            right = figures["gan_test"] = float(np.mean([a == b for a, b in zip(read, wanted, strict=True)]))
            figures["characters"] = max(0.0, 1 - character_error_rate(wanted, read))
        figures["score"] = harmonic_mean(right, figures["recall"], figures["coverage"])
        return figures


def harmonic_mean(*values: float) -> float:
    """n / sum(1 / v); 0 where any value is 0."""
    return 0.0 if min(values) <= 0 else len(values) / sum(1 / value for value in values)


def in_words(figures: Mapping[str, float]) -> str:
    """The figures of a generator as a sentence: one word for the score, then what the score is lowest for."""
    if "score" not in figures:
        return (
            "Not judged: no recogniser fits these images, so only a person can say how good the samples are."
        )
    word = next(word for least, word in WORDS if figures["score"] >= least)
    counted = {key: figures[key] for key in ("gan_test", "recall", "coverage") if key in figures}
    if "gan_test" not in counted and "precision" in figures:
        counted["precision"] = figures["precision"]
    weakest, *others = [
        MEANINGS[key].format(counted[key]) for key in sorted(counted, key=counted.__getitem__)
    ]
    return f"{word.capitalize()} ({figures['score']:.2f} of 1). Weakest: {weakest}. Besides: {'; '.join(others)}."
