"""Samples in bulk: per class, as whole captchas, as grids and walks, to folders and packed files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captcha_lab.datasets.base import random_split
from captcha_lab.datasets.batches import attribute_index
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.generate.conditioning import one_hot
from captcha_lab.generate.parallel import Group
from captcha_lab.generate.pictures import grid, save_picture
from captcha_lab.generate.request import Produced
from captcha_lab.generate.sample import Generator
from captcha_lab.store.packed import PackedSet, write_packed

GRID_PER_CLASS = 8  # the thesis's grids: eight samples of each class, two classes a row
MAX_WALKS = 32  # rows of a picture, one for each class or attribute


@dataclass(frozen=True)
class Samples:
    """Generated images and what they were asked to be."""

    images: np.ndarray
    """uint8 [N, H, W] or [N, H, W, 3]."""
    texts: tuple[str, ...]
    """Class names or captcha texts, one per image; all empty where nothing was asked."""
    labels: np.ndarray | None = None
    """Class numbers int16 [N] of single glyphs."""


def single(
    generator: Generator, count: int, seed: int, group: Group | None = None, *, per_class: bool = False
) -> Samples:
    """`count` samples of the classes in turn, or so many of every class, in class order; this process's share of them.

    Attributes are taken for classes: each sample has one of them alone, since how they mix is not known here.

    Raises:
        UsageError: classes of an unlabelled generator.
    """
    group = group or Group()
    if not generator.labelled:
        if per_class:
            raise UsageError("This generator was trained without labels: use --count instead of --per-class.")
        rows = group.share(count)
        images = generator.sample(None, count, seed, rows=rows)
        return Samples(images, ("",) * len(images))
    k = len(generator.classes)
    labels = np.repeat(np.arange(k), count) if per_class else np.arange(count) % k
    rows = group.share(len(labels))
    images = generator.sample(one_hot(labels, k), None, seed, rows=rows)
    mine = labels[rows]
    texts = tuple(generator.classes[j] for j in mine)
    return Samples(images, texts, mine.astype(np.int16) if generator.exclusive else None)


def attributed(
    generator: Generator, attributes: tuple[str, ...], count: int, seed: int, group: Group | None = None
) -> Samples:
    """`count` samples that have the named attributes and no others; this process's share of them.

    Raises:
        UsageError: the generator has no attributes, or none of that name.
    """
    chosen = _chosen(generator, attributes)
    condition = np.tile(_with(generator, chosen), (count, 1))
    images = generator.sample(condition, None, seed, rows=(group or Group()).share(count))
    return Samples(images, ("+".join(generator.classes[k] for k in chosen),) * len(images))


def captchas(generator: Generator, text: str, count: int, seed: int, group: Group | None = None) -> Samples:
    """Whole captchas: the text's glyphs, drawn anew for each, side by side (this process's share).

    Raises:
        UsageError: the generator is unlabelled, or the text holds a character it does not know.
    """
    if not generator.labelled:
        raise UsageError("Only a generator trained with --label can write a text.")
    if not generator.exclusive:
        raise UsageError(
            "This generator knows attributes, not characters: use --attributes instead of --text."
        )
    unknown = sorted(set(text) - set(generator.classes))
    if unknown or not text:
        known = "".join(generator.classes)
        raise UsageError(f"The text {text!r} can't be written: the generator knows the characters {known}.")
    group = group or Group()
    labels = np.tile([generator.classes.index(c) for c in text], count)
    rows = group.share(count)
    glyphs = generator.sample(labels, None, seed, rows=slice(rows.start * len(text), rows.stop * len(text)))
    cells = glyphs.reshape(-1, len(text), *glyphs.shape[1:])
    joined = np.concatenate([cells[:, k] for k in range(len(text))], axis=2)
    return Samples(joined, (text,) * len(joined))


def sheet(generator: Generator, seed: int, cells: int = 256) -> np.ndarray:
    """A grid in the thesis's layout: 16 columns; 8 of each class in class order, or `cells` samples of any.

    Attributes: a row of eight for each, with that one alone.

    Returns:
        uint8 [H, W] or [H, W, 3].
    """
    if generator.labelled:
        columns = GRID_PER_CLASS * (2 if generator.exclusive else 1)
        return grid(single(generator, GRID_PER_CLASS, seed, per_class=True).images, columns)
    return grid(generator.sample(None, cells, seed), 2 * GRID_PER_CLASS)


def walks(
    generator: Generator, seed: int, steps: int, text: str = "", attributes: tuple[str, ...] = ()
) -> np.ndarray:
    """Interpolations as rows of a grid.

    With nothing named, one row per class (at most 32) from one noise to another, one row per attribute (at most 32)
    from none of them to that one alone, or eight rows of noises where the generator is unlabelled. With two classes
    or attributes named, from the first to the second, and with one attribute, from none to it: eight noises.

    Raises:
        UsageError: what is named is not what the generator knows; too few steps.
    """
    if text or attributes:
        ends = _between_attributes(generator, attributes) if attributes else _between_classes(generator, text)
        rows = [generator.walk(seed + k, seed + k, steps, ends) for k in range(GRID_PER_CLASS)]
    elif generator.labelled:
        last = np.eye(len(generator.classes), dtype=np.float32)[:MAX_WALKS]
        first, goal = (last, seed + 1) if generator.exclusive else (np.zeros_like(last), seed)
        rows = [generator.walk(seed, goal, steps, np.stack(pair)) for pair in zip(first, last, strict=True)]
    else:
        rows = [generator.walk(seed + 2 * k, seed + 2 * k + 1, steps) for k in range(GRID_PER_CLASS)]
    return grid(np.concatenate(rows), steps)


def _between_classes(generator: Generator, text: str) -> np.ndarray:
    """Conditions [2, K] of a text's two characters."""
    if generator.labelled and not generator.exclusive:
        raise UsageError(
            "This generator knows attributes, not characters: use --attributes A,B instead of --text."
        )
    if len(text) != 2 or not set(text) <= set(generator.classes):
        raise UsageError(
            f"A walk between classes needs two of {''.join(generator.classes) or 'a labelled generator'}, "
            f"for example --text AB, not {text!r}."
        )
    return np.stack([_with(generator, [generator.classes.index(name)]) for name in text])


def _between_attributes(generator: Generator, attributes: tuple[str, ...]) -> np.ndarray:
    """Conditions [2, K]: from the first attribute to the second, or from none to the only one."""
    chosen = _chosen(generator, attributes)
    if len(chosen) > 2:
        raise UsageError(f"A walk goes from one attribute to another: name two, not {len(chosen)}.")
    return np.stack([_with(generator, chosen[:-1]), _with(generator, chosen[-1:])])


def _chosen(generator: Generator, attributes: tuple[str, ...]) -> list[int]:
    """The columns of the named attributes."""
    if generator.exclusive or not generator.labelled:
        raise UsageError("This generator has no attributes: leave --attributes away.")
    return [attribute_index(name, generator.classes) for name in attributes]


def _with(generator: Generator, columns: list[int]) -> np.ndarray:
    """The condition [K] that has these columns and no others."""
    condition = np.zeros(len(generator.classes), np.float32)
    condition[columns] = 1
    return condition


def write_samples(
    samples: Samples, out: Path, first: int, total: int, seed: int, names: tuple[str, ...]
) -> None:
    """Write samples to a folder of PNGs named `TEXT_number.png`, or to a packed HDF5 file.

    A packed file is split 80/10/10 into training, validation and test, so that a recogniser can train on it.

    Args:
        samples: all of them for a file, this process's share for a folder.
        out: a folder, or a path that ends in .h5.
        first: number of the first sample.
        total: samples over all processes (for the width of the numbers).
        seed: of the split.
        names: the generator's classes.

    Raises:
        CaptchaLabError: the folder can't be written, or is a file.
    """
    if out.suffix == ".h5":
        info = {"kind": "generated", "seed": seed, "texts": sorted(set(samples.texts))}
        split = random_split(len(samples.images), seed)
        classes = names if samples.labels is not None else ()
        write_packed(out, PackedSet(samples.images, split, labels=samples.labels, classes=classes, info=info))
        return
    if out.exists() and not out.is_dir():
        raise CaptchaLabError(f"{out} is a file: name a folder or a path that ends in .h5 with --out.")
    digits = len(str(max(total - 1, 0)))
    for k, (image, text) in enumerate(zip(samples.images, samples.texts, strict=True), first):
        stem = f"{text}_{k:0{digits}d}" if text else f"{k:0{digits}d}"
        save_picture(out / f"{stem}.png", image)


def write_shares(
    samples: Samples, out: Path, seed: int, names: tuple[str, ...], group: Group, run: str, texts: bool
) -> Produced | None:
    """Write what the processes made: each its own PNGs, or the first one file for all (see `write_samples`)."""
    counts = group.gather(len(samples.images))
    if out.suffix == ".h5":
        parts = group.gather(samples)
        if parts:
            write_samples(_joined(parts), out, 0, sum(counts), seed, names)
    else:
        first, total = group.place(len(samples.images))
        write_samples(samples, out, first, total, seed, names)
        group.wait()
    return Produced("captchas" if texts else "samples", sum(counts), out, run) if group.leads else None


def _joined(parts: list[Samples]) -> Samples:
    labels = [part.labels for part in parts if part.labels is not None]
    return Samples(
        np.concatenate([part.images for part in parts]),
        tuple(text for part in parts for text in part.texts),
        np.concatenate(labels) if labels else None,
    )
