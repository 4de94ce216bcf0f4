"""DatasetPictures of captchas and glyphs by number, cut anew from the received bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.rows import ImageRow
from captcha_lab.store.workspace import DatasetFolder

if TYPE_CHECKING:
    import numpy as np

MOST_CELLS = 256  # of a captcha; further places are asked for by mistake or malice
KEPT = 512  # captchas whose pixels stay in memory; 80x20 RGB: 2.5 MB in all


class DatasetPictures:
    """PNG bytes of what lies in one dataset; None for numbers it doesn't have. Safe to share between threads."""

    def __init__(self, folder: DatasetFolder, catalog: Catalog) -> None:
        self._blobs = BlobStore(folder.blobs)
        self._catalog = catalog
        self._rows: dict[int, ImageRow] = {}
        self._pixels: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def has(self, image_id: int) -> bool:
        """Whether the dataset has this captcha."""
        return self._row(image_id) is not None

    def captcha(self, image_id: int) -> np.ndarray | None:
        """Pixels as received: uint8 [H, W] or [H, W, 3].

        Raises:
            CaptchaLabError: the blob is missing or damaged.
        """
        from captcha_lab.store.images import decode

        with self._lock:
            if image_id in self._pixels:
                self._pixels.move_to_end(image_id)
                return self._pixels[image_id]
        row = self._row(image_id)
        if row is None:
            return None
        pixels = decode(self._blobs.get(row.sha256, row.extension))
        with self._lock:
            self._pixels[image_id] = pixels
            if len(self._pixels) > KEPT:
                self._pixels.popitem(last=False)
        return pixels

    def glyph(self, image_id: int, position: int) -> np.ndarray | None:
        """One glyph as the segmenter cuts it: uint8 [size, size]."""
        from captcha_lab.datasets.cutting import segmenter_of

        pixels = self.captcha(image_id)
        box = None if pixels is None or position >= MOST_CELLS else self._catalog.box(image_id, position)
        if pixels is None or box is None:
            return None
        glyph: np.ndarray = segmenter_of(self._catalog).crop([pixels], [[box]])[0]
        return glyph

    def span(self, image_id: int, position: int | None) -> tuple[float, float] | None:
        """Where in its captcha a glyph stands: left end and width, as shares of the captcha's width."""
        row = self._row(image_id)
        box = None if position is None else self._catalog.box(image_id, position)
        return None if row is None or box is None else (box[0] / row.width, (box[2] - box[0]) / row.width)

    def _row(self, image_id: int) -> ImageRow | None:
        with self._lock:
            if image_id not in self._rows:
                self._rows = {row.id: row for row in self._catalog.images()}
            return self._rows.get(image_id)


def png(pixels: np.ndarray | None) -> bytes | None:
    """The PNG file of a picture."""
    from captcha_lab.store.images import encode

    return None if pixels is None else encode(pixels)
