"""Many samples read one batch at a time: what they are read as, by whom, and which to show."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Images, Progress, Reader, silent
from captcha_lab.metrics.neighbours import fingerprints


@dataclass
class Shown:
    """Samples kept for the contact sheet, row by row: image, class asked for (-1 none), readings, confidence."""

    images: list[NDArray[np.uint8]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
    judged: list[int] = field(default_factory=list)
    countered: list[int] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)


@dataclass
class Stream:
    """What reading a stream of samples found. Memory: a few bytes a sample, and the images shown.

    `asked`, `read` (by the recogniser), `judged` (by the judge) and `countered` (by the counter-reader) are
    int16 [N], -1 where there is no such thing; `confidence`, the recogniser's, is float32 [N].
    """

    asked: NDArray[np.int16]
    read: NDArray[np.int16]
    judged: NDArray[np.int16]
    countered: NDArray[np.int16]
    confidence: NDArray[np.float32]
    exact_copies: int
    distinct: int
    shown: Shown


def read_stream(
    candidate: Candidate,
    real: RealData,
    reader: Reader | None,
    judge: Reader | None,
    counter: Reader | None,
    config: EvalConfig,
    seed: int,
    progress: Progress = silent,
) -> Stream:
    """Draw `config.samples` images (or take all of a fixed set) and have them read, a batch in memory at a time."""
    known = set(fingerprints(real.train))
    total = candidate.capacity or config.samples
    asked, read, judged, countered, confidence = [], [], [], [], []
    copies, seen, shown = 0, set[bytes](), Shown()
    room: dict[int, int] = {}
    done = 0
    for images, labels in candidate.stream(config.samples, real, seed, config.batch_size):
        told = np.full(len(images), -1) if labels is None else labels
        certain, first = _read(reader, images)
        _, second = _read(judge, images)
        _, third = _read(counter, images)
        digests = fingerprints(images)
        copies += sum(digest in known for digest in digests)
        seen.update(digests)
        _keep(shown, room, images, (told, first, second, third, certain), config.sheet)
        asked.append(told.astype(np.int16))
        read.append(first)
        judged.append(second)
        countered.append(third)
        confidence.append(certain)
        done += len(images)
        progress(f"{candidate.name}: reading samples", done, total)
    return Stream(
        asked=np.concatenate(asked),
        read=np.concatenate(read),
        judged=np.concatenate(judged),
        countered=np.concatenate(countered),
        confidence=np.concatenate(confidence),
        exact_copies=copies,
        distinct=len(seen),
        shown=shown,
    )


def _read(reader: Reader | None, images: Images) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """Confidence float32 [N] and class int16 [N]; zeros and -1 where nobody reads."""
    if reader is None:
        return np.zeros(len(images), np.float32), np.full(len(images), -1, np.int16)
    probabilities = reader.probabilities(images)
    return probabilities.max(axis=1), probabilities.argmax(axis=1).astype(np.int16)


def _keep(
    shown: Shown,
    room: dict[int, int],
    images: Images,
    facts: tuple[
        NDArray[np.integer], NDArray[np.int16], NDArray[np.int16], NDArray[np.int16], NDArray[np.float32]
    ],
    per_class: int,
) -> None:
    """Keep the first `per_class` images of each class: the one asked for, else the one read."""
    told, first, second, third, certain = facts
    for k, image in enumerate(images):
        group = int(told[k]) if told[k] >= 0 else int(first[k])
        limit = per_class if group >= 0 else 8 * per_class
        if room.get(group, 0) >= limit:
            continue
        room[group] = room.get(group, 0) + 1
        shown.images.append(image.copy())
        shown.asked.append(int(told[k]))
        shown.read.append(int(first[k]))
        shown.judged.append(int(second[k]))
        shown.countered.append(int(third[k]))
        shown.confidence.append(float(certain[k]))
