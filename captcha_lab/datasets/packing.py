"""Packing many pictures: in parallel, in bounded memory, resumable; what can't be packed is reported."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from captcha_lab.datasets.archive import Archive
from captcha_lab.datasets.base import PrepareOptions, PrepareReport, Progress, count_splits
from captcha_lab.datasets.pictures import Framing, frame
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.packed.bare import row_digest
from captcha_lab.store.packed.packed import PackedSet
from captcha_lab.store.packed.sharded import ShardedWriter
from captcha_lab.store.portable import cores

# Each worker holds one shard of `sharded.SHARD_BYTES`. One more than there are cores by default: while one waits
# for the disk, the others decode.
MAX_WORKERS = 16
NAMED = 3  # skipped pictures per reason that are named in full


@dataclass
class PictureJob:
    """What to pack: pictures and all that is known of them before they are opened.

    Attributes:
        dataset: the module's name.
        archive: where the pictures are.
        names: [N] of the pictures, in the order of their rows.
        split: uint8 [N].
        framing: how a picture becomes a row.
        labels: int16 [N] or None.
        attributes: int8 [N, A] or None.
        source: int64 [N], what the makers number the pictures by.
        info: facts kept with the file.
        skipped: (name, reason) of pictures already known not to fit.
        notes: remarks for the user.
    """

    dataset: str
    archive: Archive
    names: Sequence[str]
    split: np.ndarray
    framing: Framing
    labels: np.ndarray | None = None
    attributes: np.ndarray | None = None
    source: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    attribute_names: tuple[str, ...] = ()
    info: dict[str, Any] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def columns(self) -> PackedSet:
        """Everything but the pixels."""
        return PackedSet(
            np.empty((0, *self.framing.row_shape), np.uint8),
            self.split,
            labels=self.labels,
            attributes=self.attributes,
            source=np.arange(len(self.names), dtype=np.int64) if self.source is None else self.source,
            classes=self.classes,
            attribute_names=self.attribute_names,
            info={"dataset": self.dataset, "crop": self.framing.crop, **self.info},
        )

    def fingerprint(self) -> str:
        """Names the job: the same pictures, columns and framing, and no others."""
        digest = hashlib.sha256(
            repr((self.framing, self.classes, self.attribute_names, self.info)).encode(
                errors="surrogateescape"
            )
        )
        for name in self.names:
            digest.update(f"{name}\0{self.archive.stamp(name)}\0".encode(errors="surrogateescape"))
        for column in (self.split, self.labels, self.attributes, self.source):
            digest.update(b"-" if column is None else np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()


def pack_pictures(
    job: PictureJob, target: Path, options: PrepareOptions, progress: Progress
) -> PrepareReport:
    """Pack a job's pictures into `target`; an interrupted one goes on where it stopped.

    Raises:
        CaptchaLabError: no picture can be packed, or the disk refuses.
    """
    if not job.names:
        first = f": {job.skipped[0][0]}: {job.skipped[0][1]}" if job.skipped else ""
        raise CaptchaLabError(f"{job.archive.path} holds no picture that can be packed{first}.")
    started = time.perf_counter()
    columns = job.columns()
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # pictures are small: whole ones in parallel, not the parts of one
    try:
        with ShardedWriter(target, columns, job.fingerprint()) as writer:
            resumed = sum(len(writer.shard(number)) for number in writer.done)
            _work(job, writer, options.workers or min(cores() + 1, MAX_WORKERS), progress)
            rows = writer.finish()
            shards = list(writer.done.values())
    finally:
        cv2.setNumThreads(threads)
    failed = {row: reason for shard in shards for row, reason in shard.failed.items()}
    skipped = job.skipped + [(job.names[row], reason) for row, reason in sorted(failed.items())]
    seen = sum((Counter(shard.remarks) for shard in shards), Counter[str]())
    notes = job.notes + [f"{count} {kind} pictures were converted." for kind, count in sorted(seen.items())]
    return PrepareReport(
        target,
        job.dataset,
        len(rows),
        job.framing.row_shape,
        count_splits(job.split[rows]),
        classes=len(job.classes),
        attributes=job.attribute_names,
        skipped=tuple(skipped),
        notes=tuple(notes),
        resumed=resumed,
        seconds=time.perf_counter() - started,
        info=columns.info,
    )


def _work(job: PictureJob, writer: ShardedWriter, workers: int, progress: Progress) -> None:
    pending = writer.pending()
    done = writer.rows - sum(len(writer.shard(number)) for number in pending)
    with ThreadPoolExecutor(workers, "pack") as pool:
        tasks = {pool.submit(_pack_shard, job, writer, number): number for number in pending}
        try:
            for task in as_completed(tasks):
                task.result()
                done += len(writer.shard(tasks[task]))
                progress(done, writer.rows)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _pack_shard(job: PictureJob, writer: ShardedWriter, number: int) -> None:
    rows = writer.shard(number)
    pixels = np.empty((len(rows), *job.framing.row_shape), np.uint8)
    failed: dict[int, str] = {}
    remarks: Counter[str] = Counter()
    digests = []
    usual = "grey" if job.framing.grey else "rgb"
    for out, row in zip(pixels, rows, strict=True):
        try:
            data = job.archive.read(job.names[row])
            kind = frame(data, job.framing, out)
            digests.append(row_digest(data))
            if kind != usual:
                remarks[kind] += 1
        except CaptchaLabError as error:
            failed[row] = str(error)
            digests.append(bytes(8))
            out[...] = 0
    writer.write(number, pixels, failed, dict(remarks), digests)


def summarise_skipped(skipped: Sequence[tuple[str, str]]) -> list[str]:
    """One line per reason: how many pictures, and the names of the first few."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in skipped:
        by_reason.setdefault(reason, []).append(name)
    return [
        f"{len(names)} skipped ({reason}): {', '.join(names[:NAMED])}{', …' if len(names) > NAMED else ''}"
        for reason, names in by_reason.items()
    ]
