"""Distances between a set of samples and a set of real images of one size, in every extractor's features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.generators.figures import Tally
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Extractor, Images, in_batches, shrink
from captcha_lab.metrics.neighbours import Neighbours
from captcha_lab.metrics.samples.measure import compute
from captcha_lab.metrics.samples.subjects import (
    FeatureSets,
    PixelSets,
    RealFeatures,
    RealPixels,
    nearest_training,
)
from captcha_lab.recognise.contract import GlyphClassifier

NEIGHBOUR_SIDE = 32  # pixels: larger images are shrunk to this side before neighbours are sought


@dataclass(frozen=True)
class Comparison:
    """The figures of one sample set, by key, and its nearest neighbours."""

    figures: Tally
    samples: Images
    neighbours: Neighbours  # nearest training image of each sample, in pixels


class RealSide:
    """Everything of the real side that is computed once and serves every candidate of one sample size.

    Args:
        real: the data.
        extractors: feature extractors, the main one first.
        count: images on each side of a distance.
        config: see `EvalConfig`.
        seed: of the choice of real images.
        reader: tells the class of unlabelled samples; None where nobody can.
    """

    def __init__(
        self,
        real: RealData,
        extractors: Sequence[Extractor],
        count: int,
        config: EvalConfig,
        seed: int,
        reader: GlyphClassifier | None,
    ) -> None:
        rng = np.random.default_rng((seed, 2))
        self.real, self.config, self.seed, self.reader, self.count = real, config, seed, reader, count
        held = np.sort(rng.permutation(len(real.held))[:count])
        rows = np.sort(rng.permutation(len(real.train))[:count])
        self.held = real.held[held]
        self.conditions = None if real.held_conditions is None else real.held_conditions[held]
        reference = real.train[rows]
        known = real.train_conditions if real.labelled else None
        labels = np.zeros(len(rows), np.int64) if known is None else known[rows]
        self.pixels = RealPixels(
            reference=reference, labels=labels, classes=max(len(real.classes), 1), shrink=_small,
            train=_small(real.train), held=_small(self.held), seed=seed,
        )  # fmt: skip
        self.features = [
            (extractor, self._real_features(extractor, reference, labels)) for extractor in extractors
        ]

    def _real_features(
        self, extractor: Extractor, reference: Images, labels: NDArray[np.integer]
    ) -> RealFeatures:
        total = max(len(self.real.classes), 8) * self.config.modes_per_class
        return RealFeatures(
            reference=in_batches(extractor.features, reference),
            labels=labels,
            classes=max(len(self.real.classes), 1),
            held=lambda: in_batches(extractor.features, self.held),
            train=lambda: in_batches(extractor.features, self.real.train),
            neighbours=self.config.neighbours,
            modes=min(total, self.count // 4),
            seed=self.seed,
        )

    def measure_held(self) -> Comparison:
        """The baseline: held-out real images taken for samples."""
        return self.measure(self.held, self.conditions)

    def measure_candidate(self, candidate: Candidate) -> Comparison:
        """As many samples as the real side has, conditioned on the same classes."""
        asked = self.conditions
        if candidate.attributes:
            asked = self.real.attributes(asked, candidate.attributes)
        samples = candidate.matched(asked, self.count, self.seed, self.config.batch_size)
        known = self.conditions if candidate.labelled and candidate.capacity is None else None
        return self.measure(samples, known)

    def measure(self, samples: Images, conditions: NDArray[np.integer] | None) -> Comparison:
        """Every distance of [count, …] samples from the real side."""
        labels = self._labels_of(samples, conditions)
        figures: Tally = {}
        for number, (extractor, real) in enumerate(self.features):
            sets = FeatureSets(samples=in_batches(extractor.features, samples), labels=labels, real=real)
            figures |= compute(sets, kind=extractor.kind, suffix=extractor.suffix, first=number == 0)
        pixels = PixelSets(samples=samples, labels=labels, real=self.pixels)
        figures |= compute(pixels)
        return Comparison(figures, samples, pixels.once(nearest_training))

    def _labels_of(self, images: Images, conditions: NDArray[np.integer] | None) -> NDArray[np.integer]:
        """Classes int [N]: those asked for, those read, or one class for all."""
        if self.real.labelled and conditions is not None:
            return conditions
        if self.real.labelled and self.reader is not None:
            return np.asarray(in_batches(self.reader.probabilities, images).argmax(axis=1))
        return np.zeros(len(images), np.int64)


def _small(images: Images) -> Images:
    return shrink(images, NEIGHBOUR_SIDE)
