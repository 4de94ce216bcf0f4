"""Candidates: generators and fixed sets of images that are measured beside real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.readers import SampleReader
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Images, Sampler


@dataclass(frozen=True)
class Training:
    """What a generator's training left behind."""

    sheets: list[tuple[int, NDArray[np.uint8]]]
    """Samples of the same noise, each sheet with its iteration, from the first to the last."""
    animation: bytes | None
    """All sheets one after the other, as a GIF."""
    curves: Callable[[], Figure | None]
    """Draws losses and scores over the iterations."""
    weights: Callable[[], Figure | None]
    """Draws histograms of the critic's weights by layer, where something holds them."""


@dataclass(frozen=True)
class Candidate:
    """Something that makes images: a generator's sampler, or a fixed set such as a printed grid.

    Attributes:
        name: as shown in tables.
        sampler: see `Sampler`; None for a fixed set.
        labelled: it is conditioned on a class (or attributes), or its fixed images have known classes.
        images: a fixed set's images.
        labels: a fixed set's classes int [N], or None.
        facts: whatever the report should show of it (recipe, iterations, seconds, configuration).
        attributes: those it is conditioned on, in the order of its condition; empty where that is a class.
        strips: draws walks from one sample to another, each uint8 [steps, …], for the report.
        training: what its training left behind, for the report.
    """

    name: str
    sampler: Sampler | None = None
    labelled: bool = False
    images: Images | None = None
    labels: NDArray[np.integer] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    strips: Callable[[], list[Images]] | None = None
    training: Callable[[], Training] | None = None

    @property
    def capacity(self) -> int | None:
        """How many images there are; None: as many as one asks for."""
        return None if self.images is None else len(self.images)

    def stream(
        self, count: int, real: RealData, seed: int, batch_size: int
    ) -> Iterator[tuple[Images, NDArray[np.integer] | None]]:
        """Batches of `count` images in all (or all of a fixed set), every class equally often where it takes one.

        Where it is conditioned on attributes, these are real images'.

        Yields:
            uint8 [n, …] and the classes asked for, int [n], or None.
        """
        if self.images is not None:
            for start in range(0, len(self.images), batch_size):
                rows = slice(start, start + batch_size)
                yield self.images[rows], None if self.labels is None else self.labels[rows]
            return
        asked = None
        if self.labelled:
            asked = self.conditions(real, real.some_conditions(count), count)
        for number, start in enumerate(range(0, count, batch_size)):
            size = min(batch_size, count - start)
            part = None if asked is None else asked[start : start + size]
            yield self.draw(part, size, (seed, 0, number)), part if real.labelled else None

    def conditions(
        self, real: RealData, rows: NDArray[np.integer] | None, count: int
    ) -> NDArray[np.integer] | None:
        """What to condition `count` samples on: classes in turn, or its attributes out of rows [count, A].

        Raises:
            CaptchaLabError: it wants attributes that the data has not.
        """
        if real.labelled:
            return np.arange(count) % len(real.classes)
        return real.attributes(rows, self.attributes) if self.attributes else rows

    def matched(
        self, conditions: NDArray[np.integer] | None, count: int, seed: int, batch_size: int
    ) -> Images:
        """`count` images whose conditions are the given ones, where it takes any.

        A fixed set gives a random subset: nothing can be asked of it.
        """
        if self.images is not None:
            rows = np.random.default_rng((seed, 1)).choice(len(self.images), count, replace=False)
            return self.images[np.sort(rows)]
        parts = []
        for number, start in enumerate(range(0, count, batch_size)):
            size = min(batch_size, count - start)
            part = conditions[start : start + size] if self.labelled and conditions is not None else None
            parts.append(self.draw(part, size, (seed, 1, number)))
        return np.concatenate(parts)

    def draw(self, conditions: NDArray[np.integer] | None, count: int, seeds: tuple[int, ...]) -> Images:
        """One batch from the sampler, checked.

        Raises:
            CaptchaLabError: it gave something else than `count` 8-bit images.
        """
        if self.sampler is None:
            raise CaptchaLabError(f"{self.name} is a fixed set of images: it can't draw more.")
        seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
        images = self.sampler(conditions, count, seed)
        if images.dtype != np.uint8 or len(images) != count:
            raise CaptchaLabError(
                f"{self.name} gave {len(images)} images of type {images.dtype}, not {count} of type uint8."
            )
        return images


def check_candidate(candidate: Candidate, real: RealData, seed: int) -> None:
    """Draw one image and compare its size, and the classes, with the data's.

    Raises:
        CaptchaLabError: they differ.
    """
    images = candidate.images
    if images is None:
        asked = None
        if candidate.labelled:
            asked = candidate.conditions(real, real.some_conditions(1), 1)
        images = candidate.draw(asked, 1, (seed,))
    if images.shape[1:] != real.image_shape:
        raise CaptchaLabError(
            f"{candidate.name} makes images of {size_text(images.shape[1:])}, but the data's are "
            f"{size_text(real.image_shape)}: choose the dataset it was trained on with --dataset."
        )
    classes = tuple(candidate.facts.get("classes") or ())
    if candidate.labelled and real.labelled and classes and classes != real.classes:
        raise CaptchaLabError(
            f"{candidate.name} makes the classes {_brief(classes)}, but the data has "
            f"{_brief(real.classes)}: choose the dataset it was trained on with --dataset."
        )


def check_reader(reader: SampleReader, real: RealData, name: str) -> None:
    """Compare a reader's classes and size with the data's.

    Raises:
        CaptchaLabError: they differ.
    """
    for network in reader.networks:
        if real.labelled and tuple(network.classes) != real.classes:
            raise CaptchaLabError(
                f"The {name} reads the classes {_brief(tuple(network.classes))}, but the data has "
                f"{_brief(real.classes)}: train one on this dataset with `captcha-lab train`."
            )
        if network.size != real.image_shape[0]:
            raise CaptchaLabError(
                f"The {name} reads images of {network.size}x{network.size}, but the data's are "
                f"{size_text(real.image_shape)}: train one on this dataset with `captcha-lab train`."
            )


def _brief(classes: tuple[str, ...]) -> str:
    text = "".join(classes) if all(len(c) == 1 for c in classes) else ", ".join(classes)
    return text if len(text) <= 40 else text[:37] + "…"


def size_text(shape: tuple[int, ...]) -> str:
    """The size of images as people say it: `20x20 grey`."""
    return f"{shape[1]}x{shape[0]} {'RGB' if len(shape) == 3 else 'grey'}"
