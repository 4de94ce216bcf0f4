"""Pictures of many samples: grids in the thesis's layout, and walks between noises, classes or attributes."""

from __future__ import annotations

import numpy as np

from captcha_lab.errors import UsageError
from captcha_lab.generate.sampling.plan import attribute_numbers, only, single_samples
from captcha_lab.generate.sampling.sample import Generator
from captcha_lab.generate.watching.pictures import grid

GRID_PER_CLASS = 8  # the thesis's grids: eight samples of each class, two classes a row
MAX_WALKS = 32  # rows of a picture, one for each class or attribute


def sheet(generator: Generator, seed: int, cells: int = 256) -> np.ndarray:
    """A grid in the thesis's layout: 16 columns; 8 of each class in class order, or `cells` samples of any.

    Attributes: a row of eight for each, with that one alone. Whole captchas: random texts, eight in a row.

    Returns:
        uint8 [H, W] or [H, W, 3].
    """
    if generator.places:
        return grid(single_samples(generator, cells // 4, seed).images(), GRID_PER_CLASS)
    if generator.labelled:
        columns = GRID_PER_CLASS * (2 if generator.exclusive else 1)
        return grid(single_samples(generator, GRID_PER_CLASS, seed, per_class=True).images(), columns)
    return grid(generator.sample(None, cells, seed), 2 * GRID_PER_CLASS)


def walks(
    generator: Generator, seed: int, steps: int, text: str = "", attributes: tuple[str, ...] = ()
) -> np.ndarray:
    """Interpolations as rows of a grid.

    With nothing named, one row per class (at most 32) from one noise to another, one row per attribute (at most 32)
    from none of them to that one alone, or eight rows of noises where the generator is unlabelled. With two classes
    or attributes named, from the first to the second, and with one attribute, from none to it: eight noises. Whole
    captchas: one text a row (eight of that text where one is named), from one noise to another.

    Raises:
        UsageError: what is named is none of the generator's; too few steps.
    """
    if generator.places and not attributes:
        texts = (
            [text] * GRID_PER_CLASS if text else generator.texts.draw(GRID_PER_CLASS, generator.lengths, seed)
        )
        rows = [
            generator.walk(seed + 2 * k, seed + 2 * k + 1, steps, generator.texts.encode([own, own]))
            for k, own in enumerate(texts)
        ]
    elif text or attributes:
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
    return np.stack([only(generator, [generator.classes.index(name)]) for name in text])


def _between_attributes(generator: Generator, attributes: tuple[str, ...]) -> np.ndarray:
    """Conditions [2, K]: from the first attribute to the second, or from none to the only one."""
    chosen = attribute_numbers(generator, attributes)
    if len(chosen) > 2:
        raise UsageError(f"A walk goes from one attribute to another: name two, not {len(chosen)}.")
    return np.stack([only(generator, chosen[:-1]), only(generator, chosen[-1:])])
