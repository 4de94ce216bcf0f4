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
    """`count` samples, or so many of every class, in class order; this process's share of them.

    Raises:
        UsageError: classes of an unlabelled generator, or of one that knows attributes.
    """
    group = group or Group()
    if not generator.labelled:
        if per_class:
            raise UsageError("This generator was trained without labels: use --count instead of --per-class.")
        rows = group.share(count)
        images = generator.sample(None, count, seed, rows=rows)
        return Samples(images, ("",) * len(images))
    if not generator.exclusive:
        raise UsageError("This generator knows attributes, not classes: name them with --attributes.")
    k = len(generator.classes)
    labels = np.repeat(np.arange(k), count) if per_class else np.arange(count) % k
    rows = group.share(len(labels))
    images = generator.sample(labels, None, seed, rows=rows)
    mine = labels[rows]
    return Samples(images, tuple(generator.classes[j] for j in mine), mine.astype(np.int16))


def attributed(
    generator: Generator, attributes: tuple[str, ...], count: int, seed: int, group: Group | None = None
) -> Samples:
    """`count` samples that have the named attributes and no others; this process's share of them.

    Raises:
        UsageError: the generator has no attributes, or none of that name.
    """
    if generator.exclusive or not generator.labelled:
        raise UsageError("This generator has no attributes: leave --attributes away.")
    condition = np.zeros((count, len(generator.classes)), np.float32)
    chosen = [attribute_index(name, generator.classes) for name in attributes]
    condition[:, chosen] = 1
    images = generator.sample(condition, None, seed, rows=(group or Group()).share(count))
    return Samples(images, ("+".join(generator.classes[k] for k in chosen),) * len(images))


def captchas(generator: Generator, text: str, count: int, seed: int, group: Group | None = None) -> Samples:
    """Whole captchas: the text's glyphs, drawn anew for each, side by side (this process's share).

    Raises:
        UsageError: the generator is unlabelled, or the text holds a character it does not know.
    """
    if not generator.labelled or not generator.exclusive:
        raise UsageError("Only a generator trained with --label can write a text.")
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
    if generator.labelled and not generator.exclusive:
        k = len(generator.classes)
        condition = one_hot(np.repeat(np.arange(k), GRID_PER_CLASS), k)
        return grid(generator.sample(condition, None, seed), GRID_PER_CLASS)
    if generator.labelled:
        return grid(single(generator, GRID_PER_CLASS, seed, per_class=True).images, 2 * GRID_PER_CLASS)
    return grid(generator.sample(None, cells, seed), 2 * GRID_PER_CLASS)


def walks(generator: Generator, seed: int, steps: int, between: str = "") -> np.ndarray:
    """Interpolations as rows of a grid.

    Without `between`, from one noise to another: one row per class (at most 32), or eight rows where the generator
    is unlabelled. With `between`, two characters: from the first class to the second, eight noises.

    Raises:
        UsageError: `between` is not two classes of the generator; too few steps.
    """
    if between:
        names = tuple(between)
        if len(names) != 2 or not set(names) <= set(generator.classes):
            raise UsageError(
                f"A walk between classes needs two of {''.join(generator.classes) or 'a labelled generator'}, "
                f"for example --text AB, not {between!r}."
            )
        pair = generator.classes.index(names[0]), generator.classes.index(names[1])
        rows = [generator.walk(seed + k, seed + k, steps, classes=pair) for k in range(GRID_PER_CLASS)]
    elif generator.labelled:
        known = range(min(len(generator.classes), 32))
        rows = [generator.walk(seed, seed + 1, steps, classes=(k, k)) for k in known]
    else:
        rows = [generator.walk(seed + 2 * k, seed + 2 * k + 1, steps) for k in range(GRID_PER_CLASS)]
    return grid(np.concatenate(rows), steps)


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
