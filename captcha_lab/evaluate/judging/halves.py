"""The labelled training glyphs as two halves that share neither a captcha nor a picture."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.glyphs import captcha_of
from captcha_lab.metrics.neighbours import fingerprints
from captcha_lab.store.packed.packed import SPLITS, UNLABELLED, PackedSet


def two_halves(data: PackedSet, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rows [N] of either half; a row may be in neither.

    Captchas are dealt out whole. A picture that got into both halves stays in the one that has more of it, and its rows
    in the other are left out. Only pictures are parted, not shapes: there are few shapes, each in many captchas, and a
    judge that never saw a third of them reads 96 % of real glyphs, too few to judge generators by.
    """
    labelled = data.split == SPLITS.index("train")
    if data.labels is not None:
        labelled &= data.labels != UNLABELLED
    rows, rng = np.flatnonzero(labelled), np.random.default_rng(seed)
    names = captcha_of(data)[rows]
    known = np.unique(names)
    first = np.isin(names, rng.permutation(known)[: (len(known) + 1) // 2])
    pictures = fingerprints(data.images[rows])
    here = Counter(key for key, mine in zip(pictures, first, strict=True) if mine)
    there = Counter(key for key, mine in zip(pictures, first, strict=True) if not mine)
    toss = {key: rng.random() < 0.5 for key in sorted(here.keys() & there.keys())}
    stays = np.array(
        [here[key] > there[key] or (here[key] == there[key] and toss[key]) for key in pictures], dtype=bool
    )
    one, other = np.zeros(len(data), bool), np.zeros(len(data), bool)
    one[rows[first & stays]] = True
    other[rows[~first & ~stays]] = True
    return one, other
