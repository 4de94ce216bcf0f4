"""Judging samples with the recogniser while training, to keep the best weights."""

from __future__ import annotations

import numpy as np

from captcha_lab.generate.pixels import scaled
from captcha_lab.metrics.samples.manifold import manifold
from captcha_lab.recognise.contract import GlyphClassifier

NEIGHBOURS = 5


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


def harmonic_mean(*values: float) -> float:
    """n / sum(1 / v); 0 where any value is 0."""
    return 0.0 if min(values) <= 0 else len(values) / sum(1 / value for value in values)
