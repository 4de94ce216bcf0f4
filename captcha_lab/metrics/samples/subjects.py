"""What measures are computed from: arrays of samples beside arrays of real images, and what was read of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from captcha_lab.metrics.neighbours import Neighbours, nearest

Ints = NDArray[np.integer]
Floats = NDArray[np.floating]
Pixels = NDArray[np.uint8]
T = TypeVar("T")


@dataclass(frozen=True, eq=False, kw_only=True)
class Subject:
    """Arrays, and what several measures need of them."""

    _known: dict[Callable[[Any], Any], Any] = field(default_factory=dict, repr=False)

    def once(self, function: Callable[[Any], T]) -> T:
        """The function of this subject, computed once for all measures that need it."""
        if function not in self._known:
            self._known[function] = function(self)
        value: T = self._known[function]
        return value


@dataclass(frozen=True, eq=False, kw_only=True)
class ReadSamples(Subject):
    """Samples as one reader reads them.

    Attributes:
        asked: int [N], the class each sample was conditioned on, -1 where there was none.
        read: int [M, N], the class that each of the reader's M networks reads.
        confidence: float [N], the first network's probability of what it reads.
        wanted: float64 [K], the share of the samples that each class should have.
    """

    asked: Ints
    read: Ints
    confidence: Floats
    wanted: NDArray[np.float64]

    @property
    def conditioned(self) -> bool:
        """Whether every sample was asked to show a class."""
        return bool((self.asked >= 0).all())


@dataclass(frozen=True, eq=False, kw_only=True)
class SampleStream(Subject):
    """A stream of samples as a whole.

    Attributes:
        independent: int [R, N], what each of R readers read that were trained on data the others never saw.
        exact_copies: samples that are a training image, pixel by pixel.
        distinct: different samples.
        total: N.
    """

    independent: Ints
    exact_copies: int
    distinct: int
    total: int


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldOutReadings(Subject):
    """Held-out real glyphs as a classifier trained on samples alone reads them: classes int [N] both."""

    truth: Ints
    read: Ints


@dataclass(frozen=True, eq=False, kw_only=True)
class AttributeReadings(Subject):
    """Attributes asked of samples and read off them: bool [N, A] both."""

    asked: NDArray[np.bool_]
    read: NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class TextReadings(Subject):
    """Texts asked of whole captchas and what is read: N of both."""

    asked: tuple[str, ...]
    read: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldOutTexts(Subject):
    """Held-out real captchas as a reader that was trained on samples alone reads them: N texts of both."""

    truth: tuple[str, ...]
    read: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class RealFeatures(Subject):
    """The real side of a comparison of features: made once, used for every set of samples.

    Attributes:
        reference: float [N, D], features of real training images, as many as samples are compared.
        labels: int [N], their classes, 0 where there are none.
        classes: K.
        held: gives the features of held-out images, [H, D]; called when first needed.
        train: gives those of all training images, [T, D].
        neighbours: k of precision, recall, density and coverage.
        modes: clusters sought.
        seed: of whatever is drawn.
    """

    reference: Floats
    labels: Ints
    classes: int
    held: Callable[[], Floats]
    train: Callable[[], Floats]
    neighbours: int
    modes: int
    seed: int


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureSets(Subject):
    """Samples' features float [N, D] and classes int [N] (0 where there are none), beside the real side's."""

    samples: Floats
    labels: Ints
    real: RealFeatures


@dataclass(frozen=True, eq=False, kw_only=True)
class RealPixels(Subject):
    """The real side of a comparison of pixels.

    Attributes:
        reference: uint8 [N, H, W(, 3)], real training images, as many as samples are compared.
        labels: int [N], their classes, 0 where there are none.
        classes: K.
        shrink: makes images small enough to seek neighbours among.
        train: all training images, shrunk.
        held: held-out images, shrunk.
        seed: of whatever is drawn.
    """

    reference: Pixels
    labels: Ints
    classes: int
    shrink: Callable[[Pixels], Pixels]
    train: Pixels
    held: Pixels
    seed: int


@dataclass(frozen=True, eq=False, kw_only=True)
class PixelSets(Subject):
    """Samples uint8 [N, H, W(, 3)] with their classes int [N] (0 where there are none), beside the real side's."""

    samples: Pixels
    labels: Ints
    real: RealPixels


def shrunk_samples(sets: PixelSets) -> Pixels:
    """The samples of a comparison of pixels, shrunk; ask for it by `once`."""
    return sets.real.shrink(sets.samples)


def nearest_training(sets: PixelSets) -> Neighbours:
    """The nearest training image of each sample, among shrunk images; ask for it by `once`."""
    return nearest(sets.once(shrunk_samples), sets.real.train)
