"""Memorisation: are samples copies of training images?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import UsageError
from captcha_lab.metrics.intervals import Share, wilson
from captcha_lab.metrics.neighbours import nearest
from captcha_lab.metrics.samples.measure import Measure
from captcha_lab.metrics.samples.subjects import (
    FeatureSets,
    PixelSets,
    RealFeatures,
    RealPixels,
    SampleStream,
    nearest_training,
)


class Memorisation(NamedTuple):
    """How near samples lie to training images, measured against held-out real images.

    `ratio` is the median nearest distance divided by the held-out median: well below 1 the generator has
    memorised, well above 1 its samples are speckled or blurred. `near_copies` is the share of samples nearer
    than the nearest 5 % of held-out images are: 0.05 is the baseline.
    """

    ratio: float
    near_copies: float


def memorisation(distance: NDArray[np.float64], held_out: NDArray[np.float64]) -> Memorisation:
    """Compare the samples' nearest distances [N] with those of held-out real images [M] to the same set.

    Raises:
        UsageError: one of the two is empty.

    >>> memorisation(np.array([0.0, 0.0, 3.0]), np.array([2.0, 2.0, 2.0]))  # two copies of three
    Memorisation(ratio=0.0, near_copies=0.6666666666666666)
    """
    if not len(distance) or not len(held_out):
        raise UsageError("Memorisation needs samples and held-out images.")
    usual = float(np.median(held_out))
    ratio = float(np.median(distance)) / usual if usual > 0 else float("nan")
    return Memorisation(ratio, float(np.mean(distance < np.quantile(held_out, 0.05))))


def _held_pixels(real: RealPixels) -> NDArray[np.float64]:
    return nearest(real.held, real.train).distance


def _pixels(sets: PixelSets) -> Memorisation:
    return memorisation(sets.once(nearest_training).distance, sets.real.once(_held_pixels))


def _train_features(real: RealFeatures) -> NDArray[np.floating]:
    return real.train()


def _held_features(real: RealFeatures) -> NDArray[np.float64]:
    return nearest(real.held(), real.once(_train_features)).distance


def _features(sets: FeatureSets) -> float:
    near = nearest(sets.samples, sets.real.once(_train_features)).distance
    return memorisation(near, sets.real.once(_held_features)).ratio


def _exact(stream: SampleStream) -> Share:
    return wilson(stream.exact_copies, stream.total)


MEASURES = (
    Measure(
        "neighbour", "Distance to training",
        "How far the nearest training image is, in pixels, over the same of held-out real images: well below 1 "
        "samples are memorised, well above 1 they are speckled.",
        PixelSets, lambda sets: sets.once(_pixels).ratio, "baseline", "ratio", "copies",
        brief="near", heading="distance from copies",
    ),
    Measure(
        "neighbour_features", "Distance to training (features)", "The same distance between features.",
        FeatureSets, _features, "baseline", "ratio", "copies",
    ),
    Measure(
        "near_copies", "Near copies",
        "Samples nearer to a training image than 95 % of held-out real images are (%); about 5 of real ones.",
        PixelSets, lambda sets: sets.once(_pixels).near_copies, "baseline", "share", "copies", high=1.0,
    ),
    Measure(
        "exact_copies", "Exact copies", "Samples that are a training image, pixel by pixel (%).",
        SampleStream, _exact, "low", "share", "copies", high=1.0,
    ),
    Measure(
        "distinct", "Distinct samples", "Different images among the samples (%).",
        SampleStream, lambda stream: stream.distinct / stream.total, "high", "share", "copies", high=1.0,
    ),
)  # fmt: skip
