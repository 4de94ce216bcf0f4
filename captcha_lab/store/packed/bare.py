"""The parts under a sharded writer: a file whose rows lie bare, and the journal of its shards."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from captcha_lab.store.packed.packed import PackedSet, write_attributes
from captcha_lab.store.packed.seal import SIZE as SEAL_BYTES


@dataclass(frozen=True)
class Shard:
    """A finished stretch of rows: its checksum, rows without a picture and why, and a digest of each source."""

    checksum: int
    failed: dict[int, str]  # row of the file -> reason
    remarks: dict[str, int]  # what was noticed -> how often
    digests: str  # hex, 16 characters a row
    sums: str  # hex, 8 characters a row: CRC-32 of its pixels


class Layout(NamedTuple):
    """A packed file whose pixels are still to be written; addresses and size in bytes."""

    head: bytes  # all that comes before the pixels
    images: int  # address of `/images`
    duplicate: int  # address of `/duplicate`
    crc: int  # address of `/crc`, uint32 [rows]: CRC-32 of each row
    end: int  # address of the seal

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self.end + SEAL_BYTES


def lay_out(columns: PackedSet, rows: int) -> Layout:
    """A packed file whose `/images` [rows, ...] lies bare at its end; built in memory (see `new_hdf5`)."""
    head = io.BytesIO()
    with h5py.File(head, "w") as file:
        for name in ("split", "labels", "attributes", "source"):
            column = getattr(columns, name)
            if column is not None:
                file.create_dataset(name, data=column)
        duplicate = columns.duplicate if columns.duplicate is not None else np.zeros(rows, np.uint8)
        marks = file.create_dataset("duplicate", data=duplicate)
        crc = file.create_dataset("crc", data=np.zeros(rows, np.uint32))
        write_attributes(file, columns)
        space = h5py.h5s.create_simple((rows, *columns.images.shape[1:]))
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_layout(h5py.h5d.CONTIGUOUS)
        layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        layout.set_obj_track_times(False)  # the same pictures give the same file
        layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        images = h5py.h5d.create(file.id, b"images", h5py.h5t.NATIVE_UINT8, space, layout)
        file.flush()
        at, size = int(images.get_offset()), int(file.id.get_filesize())
        if rows and at + rows * int(np.prod(columns.images.shape[1:])) != size:
            raise RuntimeError(
                "HDF5 did not put the pixels last"
            )  # more names than a group's first heap holds
        addresses = int(marks.id.get_offset()), int(crc.id.get_offset())
    return Layout(head.getvalue(), at, *addresses, size)


def read_journal(path: Path) -> tuple[dict[str, Any], dict[int, Shard]]:
    """Head and finished shards; a line that a kill cut off, or that is damaged, counts for nothing."""
    head: dict[str, Any] = {}
    shards: dict[int, Shard] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            value = json.loads(line)
            if isinstance(value, dict):
                head = value
            else:
                number, shard = _shard(value)
                shards[number] = shard
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
    return head, shards


def _shard(value: Any) -> tuple[int, Shard]:
    number, total, failed, remarks, digests, sums = value
    bytes.fromhex(digests), bytes.fromhex(sums)
    if type(number) is not int or type(total) is not int or len(digests) != 2 * len(sums):
        raise ValueError("no shard")
    seen = {str(kind): int(count) for kind, count in remarks.items()}
    return number, Shard(
        total, {int(row): str(reason) for row, reason in failed.items()}, seen, digests, sums
    )


def row_digest(data: bytes) -> bytes:
    """What a row's source is known by, 8 bytes: equal sources are duplicates."""
    return hashlib.blake2b(data, digest_size=8).digest()


def checksum(data: bytes | memoryview, value: int = 0) -> int:
    """Sum of the bytes read as 64-bit words, modulo 2^64, on top of `value`.

    It notices stretches that were not written, written elsewhere or spoilt, at a third of the cost of a CRC.
    """
    whole = len(data) // 8 * 8
    words = int(np.frombuffer(data, "<u8", whole // 8).sum(dtype=np.uint64))
    return (value + words + int.from_bytes(data[whole:], "little")) % 2**64


def runs(rows: np.ndarray) -> list[np.ndarray]:
    """Increasing row numbers cut into stretches of neighbours."""
    return np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
