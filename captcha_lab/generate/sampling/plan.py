"""Which samples are to be drawn, and the drawing of them block by block: millions need no more memory."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from captcha_lab.datasets.base import random_split
from captcha_lab.datasets.batches import attribute_columns
from captcha_lab.errors import UsageError
from captcha_lab.generate.sampling.options import KIND
from captcha_lab.generate.sampling.sample import BLOCK, Generator
from captcha_lab.store.packed.packed import PackedSet


@dataclass(frozen=True)
class SamplePlan:
    """Samples of a generator, as pictures: the same for the same seed, whichever blocks of them a process draws.

    Raises:
        UsageError: not one picture.
    """

    generator: Generator
    count: int
    """Pictures."""
    seed: int = 0
    wanted: np.ndarray | None = None
    """Conditions float32 [M, K] that the samples take in turn; None of an unlabelled generator."""
    texts: tuple[str, ...] = ("",)
    """What the pictures show, in turn: class or attribute names, or a captcha's text."""
    each: int = 1
    """Samples that follow each other with one condition."""
    cells: int = 1
    """Samples side by side in a picture."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError("Say how many samples to draw (at least 1).")

    @property
    def blocks(self) -> int:
        """Blocks of `BLOCK` pictures; the last may be smaller."""
        return -(-self.count // BLOCK)

    def text(self, picture: int) -> str:
        """What a picture shows; empty where nothing was asked for."""
        return self.texts[picture // self.each % len(self.texts)]

    def drawn(self, numbers: Container[int]) -> Iterator[tuple[int, np.ndarray]]:
        """The blocks of these numbers, in order: number, pictures uint8 [n, H, W] or [n, H, W, 3]."""
        noise = self.generator.noise_blocks(self.count * self.cells, self.seed)
        for number in range(self.blocks):
            own = list(islice(noise, self.cells))
            if number in numbers:
                yield number, self._made(number, torch.cat(own))

    def images(self) -> np.ndarray:
        """All pictures in memory, uint8 [N, H, W] or [N, H, W, 3]."""
        return np.concatenate([block for _, block in self.drawn(range(self.blocks))])

    def _made(self, number: int, noise: Tensor) -> np.ndarray:
        condition = None
        if self.wanted is not None:
            sample = number * BLOCK * self.cells + np.arange(len(noise))
            condition = torch.from_numpy(self.wanted[sample // self.each % len(self.wanted)])
        samples = self.generator.images(noise, condition)
        apart = samples.reshape(-1, self.cells, *samples.shape[1:])
        return apart.swapaxes(1, 2).reshape(-1, *self._picture_shape)

    @property
    def _picture_shape(self) -> tuple[int, ...]:
        height, width, *colours = self.generator.image_shape
        return (height, self.cells * width, *colours)

    def columns(self) -> PackedSet:
        """What is known of the pictures before they are drawn, split 80/10/10; single samples are labelled."""
        labels = attributes = None
        names = self.generator.classes
        if self.wanted is not None and self.cells == 1:
            which = np.arange(self.count) // self.each % len(self.wanted)
            if self.generator.places:
                raise UsageError(
                    "Whole captchas are written as pictures: name a folder with --out; `captcha-lab import FOLDER "
                    "--labels filename` makes a dataset of it."
                )
            if self.generator.exclusive:
                labels = self.wanted.argmax(1).astype(np.int16)[which]
            else:
                attributes = self.wanted.astype(np.int8)[which]
        return PackedSet(
            np.empty((0, *self._picture_shape), np.uint8),
            random_split(self.count, self.seed),
            labels=labels,
            attributes=attributes,
            classes=() if labels is None else names,
            attribute_names=() if attributes is None else names,
            info={"kind": KIND, "seed": self.seed, "texts": sorted(set(self.texts))},
        )

    def fingerprint(self) -> str:
        """The same for the same pictures: the generator's weights and all that is asked of it."""
        made_by = (self.generator.spec.as_json(), self.generator.spread)
        asked = (self.count, self.seed, self.texts, self.each, self.cells, *made_by)
        digest = hashlib.sha256(repr(asked).encode())
        digest.update(b"" if self.wanted is None else self.wanted.tobytes())
        for tensor in self.generator.network.state_dict().values():
            digest.update(tensor.cpu().numpy().tobytes())
        return digest.hexdigest()


def single_samples(generator: Generator, count: int, seed: int, *, per_class: bool = False) -> SamplePlan:
    """`count` samples of the classes in turn, or so many of every class, in class order; or random texts.

    Attributes are taken for classes: each sample has one of them alone, since how they mix is not known here.

    Raises:
        UsageError: classes of an unlabelled generator.
    """
    if generator.places:
        if per_class:
            raise UsageError(
                "This generator draws whole captchas: use --text or --count instead of --per-class."
            )
        texts = generator.texts.draw(count, generator.lengths, seed)
        return SamplePlan(generator, count, seed, generator.texts.encode(texts), tuple(texts))
    if generator.labelled:
        k = len(generator.classes)
        wanted = np.eye(k, dtype=np.float32)
        if per_class:
            return SamplePlan(generator, k * count, seed, wanted, generator.classes, each=count)
        return SamplePlan(generator, count, seed, wanted, generator.classes)
    if per_class:
        raise UsageError("This generator was trained without labels: use --count instead of --per-class.")
    return SamplePlan(generator, count, seed)


def attributed_samples(
    generator: Generator, attributes: tuple[str, ...], count: int, seed: int
) -> SamplePlan:
    """`count` samples that have the named attributes and no others.

    Raises:
        UsageError: the generator has no attributes, or none of that name.
    """
    chosen = attribute_numbers(generator, attributes)
    text = "+".join(generator.classes[k] for k in chosen)
    return SamplePlan(generator, count, seed, only(generator, chosen)[None], (text,))


def captcha_samples(generator: Generator, text: str, count: int, seed: int) -> SamplePlan:
    """Whole captchas: drawn as such by a generator that learned that, else the text's glyphs side by side.

    Raises:
        UsageError: the generator is unlabelled, or the text holds a character it does not know.
    """
    if not generator.labelled:
        raise UsageError("Only a generator trained with --label can write a text.")
    if generator.places:
        return SamplePlan(generator, count, seed, generator.texts.encode([text]), (text,))
    if not generator.exclusive:
        raise UsageError(
            "This generator knows attributes, not characters: use --attributes instead of --text."
        )
    unknown = sorted(set(text) - set(generator.classes))
    if unknown or not text:
        known = "".join(generator.classes)
        raise UsageError(f"The text {text!r} can't be written: the generator knows the characters {known}.")
    wanted = np.stack([only(generator, [generator.classes.index(character)]) for character in text])
    return SamplePlan(generator, count, seed, wanted, (text,), cells=len(text))


def attribute_numbers(generator: Generator, attributes: tuple[str, ...]) -> list[int]:
    """The columns of the named attributes."""
    if generator.exclusive or generator.places or not generator.labelled:
        raise UsageError("This generator has no attributes: leave --attributes away.")
    return attribute_columns(attributes, generator.classes)


def only(generator: Generator, columns: list[int]) -> np.ndarray:
    """The condition [K] that has these columns and no others."""
    condition = np.zeros(len(generator.classes), np.float32)
    condition[columns] = 1
    return condition
