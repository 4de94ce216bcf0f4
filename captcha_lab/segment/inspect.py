"""What a cut did to the ink: empty cells, glyphs cut at a seam, pieces of a neighbour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from captcha_lab.segment.method import Box

EMPTY, SEAM, FRAGMENT = "empty", "seam", "fragment"
FLAGS = (EMPTY, SEAM, FRAGMENT)
MIN_INK = 4  # pixels; fewer is a speck, not a glyph
SMALL_SHARE = 0.25  # a piece at a seam smaller than this share of the cell's ink is a neighbour's fragment


def flags(ink: NDArray[np.bool_], cells: Sequence[Box]) -> list[str]:
    """The flags of each cell of one captcha, space-separated, in the order of `FLAGS`.

    `empty`: fewer than `MIN_INK` pixels of ink. `seam`: a connected piece of ink (8-neighbourhood) crosses
    into another cell and most of it lies here. `fragment`: a small piece touches the edge between two cells, or the
    smaller part of a piece that crosses one lies here.

    Args:
        ink: bool [H, W].
        cells: their boxes, from left to right.
    """
    if not cells:
        return []
    pieces = label(ink, connectivity=2)
    parts = [pieces[y0:y1, x0:x1] for x0, y0, x1, y1 in cells]
    area = np.stack([np.bincount(part.ravel(), minlength=pieces.max() + 1) for part in parts])
    area[:, 0] = 0  # the paper
    home = area.argmax(axis=0)
    crosses = (area > 0).sum(axis=0) > 1
    result = []
    for k, part in enumerate(parts):
        total = int(area[k].sum())
        here = np.flatnonzero(area[k])
        at_seam = set(part[:, 0].tolist() if k > 0 and part.size else []) | set(
            part[:, -1].tolist() if k < len(cells) - 1 and part.size else []
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
