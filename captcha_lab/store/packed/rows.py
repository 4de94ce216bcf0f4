"""Random rows of a packed set's images without reading the rest.

Rows that lie bare in the file (contiguous layout, no filter: how large sets are packed) are read with `pread`
at the address HDF5 states for them: no chunk cache, no library lock, one descriptor shared by all threads, and
the interpreter runs on meanwhile. Any other layout goes through h5py.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.packed.packed import PackedSet, check_rows, open_packed, row_sums
from captcha_lab.store.portable import BINARY, expect_random_reads, pread_into


class RowReader:
    """An open packed set; a context manager; `read` may be called from several threads.

    Attributes:
        facts: everything but the images, in memory (`facts.images` is empty, of the right row shape).
        row_shape: shape of one image, (H, W) or (H, W, 3).

    Raises:
        CaptchaLabError: the file is absent or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._context = open_packed(path)
        file, lazy = self._context.__enter__()
        self._sums = row_sums(file)
        self._checked = np.zeros(0 if self._sums is None else len(self._sums), bool)
        self._lock = threading.Lock()
        images: Any = lazy.images  # an h5py dataset
        self._images = images
        self.row_shape: tuple[int, ...] = tuple(int(n) for n in self._images.shape[1:])
        self.row_bytes = int(np.prod(self.row_shape))
        self.facts: PackedSet = lazy.without_images()
        # An address is stated only for bare rows; None for chunked, compressed or empty datasets.
        self._address: int | None = images.id.get_offset() if images.chunks is None else None
        self._descriptor = os.open(path, os.O_RDONLY | BINARY)
        if self._address is not None:
            expect_random_reads(self._descriptor)

    def __len__(self) -> int:
        return int(self._images.shape[0])

    def __enter__(self) -> RowReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._context.__exit__(None, None, None)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Images uint8 [len(rows), H, W(, 3)] of the given row numbers, in their order, repeats allowed.

        Raises:
            CaptchaLabError: the file is cut short or the disk fails.
        """
        out = np.empty((len(rows), *self.row_shape), np.uint8)
        try:
            if self._address is None:
                self._read_through_library(rows, out)
            else:
                self._read_bare(rows, out)
        except OSError as error:
            raise self._damaged(str(error)) from error
        try:
            self._check(rows, out)
        except CaptchaLabError as error:
            raise self._damaged(str(error)) from error
        return out

    def _check(self, rows: np.ndarray, out: np.ndarray) -> None:
        """Compare each row once while the file is open: a checksum costs twice what reading from memory does."""
        if self._sums is None:
            return
        fresh = ~self._checked[rows]
        if fresh.any():
            check_rows(out[fresh], self._sums[rows[fresh]])
            self._checked[rows] = True

    def _read_bare(self, rows: np.ndarray, out: np.ndarray) -> None:
        flat = out.reshape(-1).data
        size, base = self.row_bytes, self._address or 0
        for k, row in enumerate(rows.tolist()):
            got = pread_into(self._descriptor, flat[k * size : (k + 1) * size], base + row * size)
            if got != size:
                raise self._damaged(f"row {row} is cut short")

    def _read_through_library(self, rows: np.ndarray, out: np.ndarray) -> None:
        # h5py selects increasing, distinct rows only.
        distinct, places = np.unique(rows, return_inverse=True)
        with self._lock:
            out[:] = self._images[distinct][places] if len(rows) else out

    def _damaged(self, reason: str) -> CaptchaLabError:
        return CaptchaLabError(
            f"The packed set {self.path} can't be read ({reason}). It is rebuildable: delete it and prepare it again."
        )
