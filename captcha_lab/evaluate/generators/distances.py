"""Distances between a set of samples and a set of real images of one size, in one extractor's features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Extractor, Images, Reader, shrink
from captcha_lab.metrics.diversity import class_variance, find_modes, modes, variance_ratio
from captcha_lab.metrics.frechet import frechet_distance
from captcha_lab.metrics.kernel import kernel_distance
from captcha_lab.metrics.manifold import manifold
from captcha_lab.metrics.neighbours import Neighbours, memorisation, nearest
from captcha_lab.metrics.similarity import pair_similarity, scales_for
from captcha_lab.metrics.sliced import sliced_wasserstein
from captcha_lab.metrics.texture import roughness

NEIGHBOUR_SIDE = 32  # pixels: larger images are shrunk to this side before neighbours are sought
_BATCH = 1000


@dataclass(frozen=True)
class Comparison:
    """The scalar figures of one sample set, by key (see `measures.MEASURES`), and its nearest neighbours."""

    figures: dict[str, float]
    samples: Images
    neighbours: Neighbours  # nearest training image of each sample, in pixels


class Yardstick:
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
        extractors: list[Extractor],
        count: int,
        config: EvalConfig,
        seed: int,
        reader: Reader | None,
    ) -> None:
        rng = np.random.default_rng((seed, 2))
        self.real, self.extractors, self.config, self.seed = real, extractors, config, seed
        self.reader, self.count = reader, count
        held = np.sort(rng.permutation(len(real.held))[:count])
        self.reference_rows = np.sort(rng.permutation(len(real.train))[:count])
        self.held = real.held[held]
        self.conditions = None if real.held_conditions is None else real.held_conditions[held]
        self.reference = real.train[self.reference_rows]
        self.roughness = roughness(self.reference)
        self.features = [in_batches(e.features, self.reference) for e in extractors]
        self.train_pixels = shrink(real.train, NEIGHBOUR_SIDE)
        self.train_features = in_batches(extractors[0].features, real.train)
        self.held_pixels = nearest(shrink(self.held, NEIGHBOUR_SIDE), self.train_pixels)
        self.held_features = nearest(in_batches(extractors[0].features, self.held), self.train_features)
        total = max(len(real.classes), 8) * config.modes_per_class
        self.centres = find_modes(self.features[0], min(total, count // 4), seed=seed)
        self.variance = [self._variances(values, self._labels_of(self.reference, None, reference=True))
                         for values in (shrink(self.reference, NEIGHBOUR_SIDE), self.features[0])]  # fmt: skip

    def measure_held(self) -> Comparison:
        """The floor: held-out real images taken for samples."""
        return self.measure(self.held, self.conditions)

    def measure_candidate(self, candidate: Candidate) -> Comparison:
        """As many samples as the real side has, told the same classes."""
        told = self.conditions
        if candidate.attributes:
            told = self.real.attributes(told, candidate.attributes)
        samples = candidate.matched(told, self.count, self.seed, self.config.batch_size)
        told = self.conditions if candidate.labelled and candidate.capacity is None else None
        return self.measure(samples, told)

    def measure(self, samples: Images, conditions: NDArray[np.integer] | None) -> Comparison:
        """Every distance of [count, …] samples from the reference."""
        figures: dict[str, float] = {}
        for number, (extractor, real) in enumerate(zip(self.extractors, self.features, strict=True)):
            values = in_batches(extractor.features, samples)
            suffix = "" if number == 0 else "_judge"
            figures[f"{extractor.frechet}{suffix}"] = frechet_distance(values, real)
            figures[f"kernel{suffix}"] = kernel_distance(values, real, seed=self.seed).value
            figures |= {
                f"{key}{suffix}": figure
                for key, figure in manifold(values, real, self.config.neighbours)._asdict().items()
            }
            if number == 0:
                features = values
        reached = modes(features, self.features[0], self.centres)
        figures |= {"modes_reached": reached.reached / reached.total, "mode_variation": reached.variation}
        labels = self._labels_of(samples, conditions)
        figures["variance_pixels"] = variance_ratio(
            self._variances(shrink(samples, NEIGHBOUR_SIDE), labels), self.variance[0]
        )
        figures["variance"] = variance_ratio(self._variances(features, labels), self.variance[1])
        figures["roughness"] = roughness(samples) / self.roughness if self.roughness > 0 else float("nan")
        figures["sliced"] = sliced_wasserstein(samples, self.reference, seed=self.seed)
        near = nearest(shrink(samples, NEIGHBOUR_SIDE), self.train_pixels)
        pixels = memorisation(near.distance, self.held_pixels.distance)
        figures |= {"neighbour": pixels.ratio, "near_copies": pixels.near_copies}
        near_features = nearest(features, self.train_features).distance
        figures["neighbour_features"] = memorisation(near_features, self.held_features.distance).ratio
        if scales_for(*samples.shape[1:3]) >= 3:  # large pictures only: on glyphs it says nothing
            figures["similarity"] = pair_similarity(samples, seed=self.seed)
        return Comparison(figures, samples, near)

    def _labels_of(
        self, images: Images, conditions: NDArray[np.integer] | None, *, reference: bool = False
    ) -> NDArray[np.integer]:
        """Classes int [N]: the real ones, those asked for, those read, or one class for all."""
        if self.real.labelled:
            if reference and self.real.train_conditions is not None:
                return self.real.train_conditions[self.reference_rows]
            if conditions is not None:
                return conditions
            if self.reader is not None:
                return in_batches(self.reader.probabilities, images).argmax(axis=1)
        return np.zeros(len(images), np.int64)

    def _variances(self, values: NDArray[np.generic], labels: NDArray[np.integer]) -> NDArray[np.float64]:
        return class_variance(values, labels, max(len(self.real.classes), 1))


def in_batches(function: Callable[[Images], NDArray[np.floating]], images: Images) -> NDArray[np.floating]:
    """Apply a function of images to a thousand at a time and join what it gives."""
    return np.concatenate([function(images[i : i + _BATCH]) for i in range(0, len(images), _BATCH)])
