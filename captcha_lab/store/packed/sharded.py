"""Packing more images than fit in memory: shard by shard, in parallel, resumable, never half.

The design's shards are stretches of rows of one file instead of files to be merged: the HDF5 file is laid out
in memory, all its space is claimed, and everything but pixels is written; pixels then go to the address that
HDF5 states for `/images`, which touches no HDF5 structure. So each pixel is written once, a killed process can't
damage the file's structure, and a journal beside it (one line with a checksum per finished shard) says where to
go on; a shard that a power cut kept from the disk fails its checksum and is packed again. Until its checked and
synced end the file has another name.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import threading
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path
from types import TracebackType

import numpy as np

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.packed.bare import Shard, checksum, lay_out, read_journal, runs
from captcha_lab.store.packed.packed import PackedSet, open_packed
from captcha_lab.store.packed.seal import seal
from captcha_lab.store.portable import BINARY, allocate, cores, pread, pwrite, sync_folder, try_lock

SHARD_BYTES = 4 << 20  # pixels a worker holds before it writes them
# Pixels after which the disk is told to take them, while others are packed: left to itself it begins at the very end.
FLUSH_BYTES = 64 << 20
BLOCK_BYTES = 1 << 20  # read at a time when checking: small enough to stay in the processor's cache
COPY_BYTES = 8 << 20  # moved at a time when gaps are closed


class ShardedWriter:
    """A packed set under construction; a context manager. `write` may be called from several threads.

    Args:
        target: where the finished file goes.
        columns: everything but the pixels, one row per picture; `images` only states the row's shape.
        fingerprint: names the job: what an interrupted job with another fingerprint left is discarded.
        shard_rows: rows of a shard; None: as many as `SHARD_BYTES` hold.

    Attributes:
        shard_rows: rows of every shard but the last.
        done: shards that are finished, those of an interrupted job included.

    Raises:
        CaptchaLabError: no space, no permission, or another process is at the same job.
    """

    def __init__(
        self, target: Path, columns: PackedSet, fingerprint: str, shard_rows: int | None = None
    ) -> None:
        self.target = target
        self.columns = columns
        self.rows = len(columns.split)
        self.row_shape = columns.images.shape[1:]
        self.row_bytes = int(np.prod(self.row_shape))
        self.shard_rows = shard_rows or max(1, SHARD_BYTES // self.row_bytes)
        self.done: dict[int, Shard] = {}
        self._layout = lay_out(columns, self.rows)
        self._partial = target.with_name(f".{target.name}.partial")
        self._journal_path = target.with_name(f".{target.name}.journal")
        self._lock = threading.Lock()
        self._descriptor = -1
        self._journal = -1
        self._full = False
        self._flusher = ThreadPoolExecutor(1, "flush")
        self._flush: Future[None] | None = None
        self._unflushed = 0
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._journal = os.open(self._journal_path, os.O_RDWR | BINARY | os.O_CREAT | os.O_APPEND, 0o644)
            if not try_lock(self._journal):
                self.close()
                raise CaptchaLabError(f"Another process is packing {target}: wait for it, or stop it.")
            self._resume_or_create(fingerprint)
        except OSError as error:
            refusal = self._refused(error)
            self.close()
            raise refusal from error

    def __enter__(self) -> ShardedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the job; what is finished stays for the next try, unless the disk was full."""
        self._flusher.shutdown()
        for name in ("_descriptor", "_journal"):
            if getattr(self, name) >= 0:
                os.close(getattr(self, name))
                setattr(self, name, -1)
        if self._full:
            self._discard()

    def shard(self, number: int) -> range:
        """The rows of a shard."""
        return range(number * self.shard_rows, min((number + 1) * self.shard_rows, self.rows))

    def pending(self) -> list[int]:
        """Numbers of the shards still to be written."""
        count = -(-self.rows // self.shard_rows)
        return [number for number in range(count) if number not in self.done]

    def write(
        self,
        number: int,
        pixels: np.ndarray,
        failed: dict[int, str],
        remarks: dict[str, int],
        digests: list[bytes],
    ) -> None:
        """Put a shard into its place and the journal.

        Args:
            number: which.
            pixels: uint8 [rows of the shard, *row_shape]; what stands in failed rows does not matter.
            failed: row of the file -> reason.
            remarks: what was noticed -> how often.
            digests: 8 bytes for each row, the same for the same source bytes.

        Raises:
            CaptchaLabError: the disk refuses.
        """
        data = pixels.reshape(-1).data
        sums = struct.pack(f"<{len(pixels)}I", *(zlib.crc32(row.tobytes()) for row in pixels))
        shard = Shard(checksum(data), failed, remarks, b"".join(digests).hex(), sums.hex())
        line = json.dumps([number, shard.checksum, failed, remarks, shard.digests, shard.sums]) + "\n"
        try:
            pwrite(self._descriptor, data, self._layout.images + number * self.shard_rows * self.row_bytes)
            with self._lock:
                os.write(self._journal, line.encode())
                self.done[number] = shard
                self._unflushed += len(data)
                if self._unflushed >= FLUSH_BYTES and (self._flush is None or self._flush.done()):
                    self._start_flush()
        except OSError as error:
            raise self._refused(error) from error

    def finish(self) -> np.ndarray:
        """Check what was written, give the file its name, and return int64 [M], the rows that it holds.

        Rows whose picture failed are left out.

        Raises:
            CaptchaLabError: no picture at all, the disk refuses, or what is read back differs.
        """
        failed = {row: reason for shard in self.done.values() for row, reason in shard.failed.items()}
        rows = np.setdiff1d(np.arange(self.rows), np.fromiter(failed, np.int64, len(failed)))
        if not len(rows):
            self._discard()
            raise CaptchaLabError(
                f"Not one picture could be packed (the first: {failed[0]}), so {self.target} was not written."
            )
        try:
            self._start_flush()
            if self._differing():
                raise self._spoilt()
            self._flushed()
            duplicate = self._duplicates(rows)
            if failed:
                self._compact(rows, duplicate)
            self._write_sums(rows, duplicate)
            os.fsync(self._descriptor)
            if not self._readable(len(rows) - 1):
                raise self._spoilt()
            self._partial.replace(self.target)
            self._journal_path.unlink()
            sync_folder(self.target.parent)
        except OSError as error:
            raise self._refused(error) from error
        return rows

    def _start_flush(self) -> None:
        self._flushed()
        self._flush = self._flusher.submit(os.fsync, self._descriptor)
        self._unflushed = 0

    def _flushed(self) -> None:
        """Wait for the last flush. Each has to be asked: a file's write error is told to one of them only."""
        if self._flush is not None:
            self._flush.result()

    # Beginning

    def _resume_or_create(self, fingerprint: str) -> None:
        head, shards = read_journal(self._journal_path)
        self._descriptor = os.open(self._partial, os.O_RDWR | BINARY | os.O_CREAT, 0o644)
        resumes = head.get("fingerprint") == fingerprint
        if not resumes:
            os.ftruncate(self._journal, 0)
        os.ftruncate(self._descriptor, self._layout.size if resumes else 0)
        # All space is claimed now: a disk that is too small is noticed before the work, not after it.
        allocate(self._descriptor, self._layout.size)
        pwrite(self._descriptor, memoryview(self._layout.head), 0)
        if resumes:
            os.write(self._journal, b"\n")  # ends a line that a kill may have cut off
            self.done = {
                n: s for n, s in shards.items() if n >= 0 and len(s.sums) == 8 * len(self.shard(n)) > 0
            }
            for number in self._differing():
                del self.done[number]
            return
        os.fsync(self._descriptor)
        os.write(self._journal, (json.dumps({"fingerprint": fingerprint}) + "\n").encode())

    # End

    def _differing(self) -> list[int]:
        """Finished shards whose pixels in the file are not those that were written."""

        def reread(number: int) -> int:
            rows = self.shard(number)
            start, end = (self._layout.images + row * self.row_bytes for row in (rows.start, rows.stop))
            value = 0
            for at in range(start, end, BLOCK_BYTES):
                value = checksum(pread(self._descriptor, min(BLOCK_BYTES, end - at), at), value)
            return value

        numbers = sorted(self.done)
        with ThreadPoolExecutor(min(4, cores())) as pool:
            found = list(pool.map(reread, numbers))
        return [n for n, value in zip(numbers, found, strict=True) if value != self.done[n].checksum]

    def _readable(self, row: int) -> bool:
        """Whether HDF5 finds a row where it was written."""
        with open_packed(self._partial) as (_, facts):
            return bool(facts.images[row].tobytes() == self._pread(row, 1))

    def _spoilt(self) -> CaptchaLabError:
        self._discard()
        return CaptchaLabError(
            f"{self.target}: the disk gave back other pixels than were written, so nothing was kept; "
            "check the disk and try again."
        )

    def _pread(self, row: int, count: int) -> bytes:
        return pread(self._descriptor, count * self.row_bytes, self._layout.images + row * self.row_bytes)

    def _duplicates(self, rows: np.ndarray) -> np.ndarray:
        """Uint8 [len(rows)]: 1 where the same source bytes stand in an earlier split or earlier row."""
        text = "".join(self.done[n].digests for n in range(len(self.done)))
        digests = np.frombuffer(bytes.fromhex(text), ">u8")[rows]
        order = np.argsort(self.columns.split[rows], kind="stable")
        duplicate = np.ones(len(rows), np.uint8)
        duplicate[order[np.unique(digests[order], return_index=True)[1]]] = 0
        return duplicate

    def _write_sums(self, rows: np.ndarray, duplicate: np.ndarray) -> None:
        """Put the columns that are known last into their places, duplicates and checksums of rows, and the seal."""
        text = "".join(self.done[n].sums for n in range(len(self.done)))
        crc = np.frombuffer(bytes.fromhex(text), "<u4")[rows].astype(np.uint32)
        pwrite(self._descriptor, duplicate.data, self._layout.duplicate)
        pwrite(self._descriptor, crc.data, self._layout.crc)
        head = pread(self._descriptor, self._layout.images, 0)
        pwrite(self._descriptor, memoryview(seal(head)), self._layout.end)

    def _compact(self, rows: np.ndarray, duplicate: np.ndarray) -> None:
        """Close the gaps of the failed rows, which needs no further space.

        A job that is killed meanwhile starts afresh: moved rows are not those that the journal's checksums mean.
        """
        os.ftruncate(self._journal, 0)
        os.fsync(self._journal)
        layout = lay_out(self.columns.take_columns(rows, duplicate), len(rows))
        step = max(1, COPY_BYTES // self.row_bytes)
        parts = (rows[start : start + step] for start in range(0, len(rows), step))
        blocks = (b"".join(self._pread(run[0], len(run)) for run in runs(part)) for part in parts)
        at = layout.images
        # One block is read ahead: HDF5 may put fewer rows some bytes further back than more of them.
        for block, _ in pairwise(chain(blocks, [b""])):
            pwrite(self._descriptor, memoryview(block), at)
            at += len(block)
        pwrite(self._descriptor, memoryview(layout.head), 0)
        os.ftruncate(self._descriptor, layout.size)
        self._layout = layout

    def _discard(self) -> None:
        for path in (self._partial, self._journal_path):
            path.unlink(missing_ok=True)

    def _refused(self, error: OSError) -> CaptchaLabError:
        """What the user hears; a full disk gets its space back, otherwise finished shards stay for a rerun."""
        left = "finished parts are kept for the next try."
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            self._full = True  # `close` gives the space back, when no other thread is writing any more
            left = f"it needs {self._layout.size / 1e6:,.1f} MB, and nothing was left behind."
        return CaptchaLabError(
            f"Can't write {self.target}: {error.strerror or error}. Free space or choose another workspace: {left}"
        )
