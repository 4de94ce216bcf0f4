"""The picture of a cut: captchas as received, and below each its glyphs as the network gets them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_lab.segment.method import Box
from captcha_lab.segment.segmenter import Segmenter

SCALE = 4  # each pixel of a captcha becomes so many
COLUMNS = 4
PAPER, SEAM, TROUBLE = (255, 255, 255), (60, 140, 220), (220, 60, 60)  # RGB; trouble marks flagged cells


def preview(
    images: Sequence[np.ndarray], segmenter: Segmenter, boxes: Sequence[Sequence[Box]]
) -> NDArray[np.uint8]:
    """Draw the cells over captchas, flagged ones in red with their flags, and the cut glyphs underneath.

    Args:
        images: uint8 [H, W] or RGB [H, W, 3] each, of any sizes; at least one.
        segmenter: how they are cut.
        boxes: the cells of each.

    Returns:
        uint8 RGB [h, w, 3].
    """
    tiles = [_tile(image, segmenter, own) for image, own in zip(images, boxes, strict=True)]
    height, width = max(t.shape[0] for t in tiles), max(t.shape[1] for t in tiles)
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (height + 10), columns * (width + 14), 3), PAPER, np.uint8)
    for k, tile in enumerate(tiles):
        y, x = k // columns * (height + 10), k % columns * (width + 14)
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return sheet


def _tile(image: np.ndarray, segmenter: Segmenter, boxes: Sequence[Box]) -> NDArray[np.uint8]:
    rgb = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    height, width = rgb.shape[:2]
    top = cv2.resize(rgb, (width * SCALE, height * SCALE), interpolation=cv2.INTER_NEAREST)
    for (x0, y0, x1, y1), flag in zip(boxes, segmenter.flags([image], [boxes])[0], strict=True):
        corners = (x0 * SCALE + 1, y0 * SCALE + 1), (x1 * SCALE - 2, y1 * SCALE - 2)
        colour = TROUBLE if flag else SEAM
        cv2.rectangle(top, *corners, colour, 1)
        cv2.putText(top, flag, (x0 * SCALE + 3, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.33, colour, 1, cv2.LINE_AA)
    glyphs = segmenter.crop([image], [boxes])
    if not len(glyphs):
        return top.astype(np.uint8, copy=False)
    scale = max(1, width * SCALE // (len(glyphs) * (segmenter.size + 1)))
    strip = np.concatenate([np.pad(g, ((1, 1), (0, 1)), constant_values=200) for g in glyphs], axis=1)
    strip = cv2.resize(strip, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    below = np.full((strip.shape[0], max(strip.shape[1], top.shape[1]), 3), PAPER, np.uint8)
    below[:, : strip.shape[1]] = strip[..., None]
    top = np.pad(top, ((0, 0), (0, below.shape[1] - top.shape[1]), (0, 0)), constant_values=255)
    return np.concatenate([top, below])
