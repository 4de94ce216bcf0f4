"""What a cut did to the ink: empty cells, glyphs cut at a seam, pieces of a neighbour."""

from __future__ import annotations

import itertools

import numpy as np
from skimage.measure import label

from captcha_lab.segment.quarter import boundaries

EMPTY, SEAM, FRAGMENT = "empty", "seam", "fragment"
FLAGS = (EMPTY, SEAM, FRAGMENT)
MIN_INK = 4  # pixels; fewer is a speck, not a glyph
SMALL_SHARE = 0.25  # a piece at a seam smaller than this share of the cell's ink is a neighbour's fragment


def flags(ink: np.ndarray, cells: int) -> list[str]:
    """The flags of each cell of one captcha, space-separated, in the order of `FLAGS`.

    `empty`: fewer than `MIN_INK` pixels of ink. `seam`: a connected piece of ink (8-neighbourhood) crosses
    into the next cell and most of it lies here. `fragment`: a small piece touches a seam, or the smaller
    part of a piece that crosses one lies here.

    Args:
        ink: bool [H, W].
        cells: number of equal cells.
    """
    pieces = label(ink, connectivity=2)
    edges = boundaries(ink.shape[1], cells)
    spans = list(itertools.pairwise(edges))
    area = np.stack([np.bincount(pieces[:, a:b].ravel(), minlength=pieces.max() + 1) for a, b in spans])
    area[:, 0] = 0  # the paper
    home = area.argmax(axis=0)
    crosses = (area > 0).sum(axis=0) > 1
    result = []
    for k, (a, b) in enumerate(spans):
        total = int(area[k].sum())
        here = np.flatnonzero(area[k])
        at_seam = set(pieces[:, a].tolist() if k > 0 else []) | set(
            pieces[:, b - 1].tolist() if k < cells - 1 else []
        )
        found = {
            EMPTY: total < MIN_INK,
            SEAM: any(crosses[p] and home[p] == k for p in here),
            FRAGMENT: any(
                (crosses[p] and home[p] != k) or (p in at_seam and area[k, p] < SMALL_SHARE * total)
                for p in here
            ),
        }
        result.append(" ".join(name for name in FLAGS if found[name]))
    return result
