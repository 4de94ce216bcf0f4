"""Bare shapes: what is left of a glyph without its grey level, its place in the cell, frames and fragments.

Glyphs of real captchas come in few shapes. Two that differ only by colour, by a pixel's shift, by the frame of the
picture or by a neighbour's overrunning stroke must look the same before anything is compared.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SIDE = 28  # pixels of a shape's square: a 20 x 20 glyph can be turned in it without losing ink
FRAME_SHARE = 0.8  # a pixel inked in so many of all glyphs at one position is part of the picture's frame
EDGE_SHARE = 0.05  # pixels inked in fewer glyphs don't say where the ink ends
FEWEST_FOR_FRAME = 60  # glyphs at a position below which nothing is taken for a frame
AT_ONCE = 500  # glyphs between two words of progress
PIECE_SHARE = 0.1  # a piece smaller than this share of the largest is a fragment or a speck


def ink_masks(
    glyphs: NDArray[np.uint8],
    positions: NDArray[np.int64] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[np.bool_]:
    """Where the glyph itself has ink.

    Args:
        glyphs: uint8 [N, H, W], dark ink on light paper.
        positions: int [N], position in the captcha, where a frame may differ by it.
        progress: told (glyphs done, all glyphs) now and then.

    Returns:
        bool [N, H, W]: ink darker than half way between the glyph's darkest pixel and white, without frame, specks and
        fragments. A glyph without ink gives an empty mask.
    """
    darkest = glyphs.reshape(len(glyphs), -1).min(axis=1).astype(np.int64)
    level = (darkest + 255) // 2
    masks = (glyphs <= level[:, None, None]) & (darkest < 250)[:, None, None]
    groups = np.zeros(len(glyphs), np.int64) if positions is None else positions
    for group in np.unique(groups):
        rows = groups == group
        if rows.sum() >= FEWEST_FOR_FRAME:
            masks[rows] &= ~_frame(masks[rows].mean(axis=0))
    for start in range(0, len(masks), AT_ONCE):
        for row in range(start, min(start + AT_ONCE, len(masks))):
            masks[row] = _main_pieces(masks[row])
        progress(min(start + AT_ONCE, len(masks)), len(masks))
    return np.asarray(masks)


def _frame(share: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Pixels of the picture's frame, bool [H, W], from the share of glyphs that ink each pixel.

    What nearly all glyphs share is frame only where it lies at the very edge of the ink: glyphs of few characters
    share pixels in their middle.
    """
    common, count = ndimage.label(share >= FRAME_SHARE, np.ones((3, 3)))
    inked = share >= EDGE_SHARE
    frame = np.zeros(share.shape, bool)
    if count == 0:
        return frame
    lines, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    edges = (common[lines[[0, -1]]].ravel(), common[:, columns[[0, -1]]].ravel())
    return np.isin(common, np.setdiff1d(np.concatenate(edges), [0]))


def _main_pieces(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected piece, and others nearly as large that don't touch the sides of the cell."""
    pieces, count = ndimage.label(mask, np.ones((3, 3)))
    if count <= 1:
        return mask
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    keep = sizes >= PIECE_SHARE * sizes.max()
    at_sides = np.union1d(pieces[:, 0], pieces[:, -1])
    keep[at_sides] = False
    keep[sizes.argmax()] = True
    keep[0] = False
    return np.asarray(keep[pieces])


def corner_shapes(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Masks moved to the upper left corner: equal shapes become equal arrays. bool [N, H, W] to the same."""
    moved = np.zeros_like(masks)
    for row, mask in enumerate(masks):
        lines, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(lines):
            part = mask[lines[0] : lines[-1] + 1, columns[0] : columns[-1] + 1]
            moved[row, : part.shape[0], : part.shape[1]] = part
    return moved


def centred(masks: NDArray[np.bool_] | NDArray[np.float32], side: int = SIDE) -> NDArray[np.float32]:
    """Shapes moved so that their centre of mass is the centre of a [side, side] square.

    Args:
        masks: ink between 0 and 1, [N, H, W].

    Returns:
        float32 [N, side, side], sub-pixel shifts interpolated linearly; empty masks stay empty.
    """
    result = np.zeros((len(masks), side, side), np.float32)
    middle = (side - 1) / 2
    for row, mask in enumerate(masks):
        ink = mask.astype(np.float32)
        if ink.sum() > 0:
            cy, cx = ndimage.center_of_mass(ink)
            ndimage.affine_transform(
                ink, np.eye(2), offset=(cy - middle, cx - middle), output=result[row], order=1
            )
    return result
