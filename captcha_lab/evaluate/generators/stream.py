"""Many samples read one batch at a time: what they are read as, by whom, and which to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.generators.figures import Tally
from captcha_lab.evaluate.readers import Readers, SampleReader
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Images
from captcha_lab.metrics.accuracy import class_histogram
from captcha_lab.metrics.neighbours import fingerprints
from captcha_lab.metrics.samples.measure import compute
from captcha_lab.metrics.samples.subjects import ReadSamples, SampleStream
from captcha_lab.progress import PhaseProgress, no_progress


@dataclass
class Shown:
    """Samples kept for the contact sheet, row by row.

    Attributes:
        images: the samples.
        asked: class asked for, -1 where there was none.
        read: class read, by the name of the reader.
        confidence: the main reader's.
    """

    images: list[NDArray[np.uint8]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    read: list[dict[str, int]] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)


@dataclass
class Stream:
    """What reading a stream of samples found. Memory: a few bytes a sample, and the images shown.

    Attributes:
        asked: int16 [N], the class asked for, -1 where there was none.
        read: int16 [M, N] by the name of the reader: the class that each of its networks reads.
        confidence: float32 [N], the main reader's.
        exact_copies: samples that are a training image.
        distinct: different samples.
        shown: for the contact sheet.
    """

    asked: NDArray[np.int16]
    read: dict[str, NDArray[np.int16]]
    confidence: NDArray[np.float32]
    exact_copies: int
    distinct: int
    shown: Shown


def read_stream(
    candidate: Candidate,
    real: RealData,
    readers: Readers,
    config: EvalConfig,
    seed: int,
    progress: PhaseProgress = no_progress,
) -> Stream:
    """Draw `config.samples` images (or take all of a fixed set) and have them read, a batch in memory at a time."""
    known = set(fingerprints(real.train))
    total = candidate.capacity or config.samples
    asked, confidence = [], []
    read: dict[str, list[NDArray[np.int16]]] = {name: [] for name in readers}
    copies, seen, shown = 0, set[bytes](), Shown()
    room: dict[int, int] = {}
    done = 0
    for images, labels in candidate.stream(config.samples, real, seed, config.batch_size):
        wanted = np.full(len(images), -1) if labels is None else labels
        readings = {name: _read(reader, images) for name, reader in readers.items()}
        certain = next((sure for _, sure in readings.values()), np.zeros(len(images), np.float32))
        digests = fingerprints(images)
        copies += sum(digest in known for digest in digests)
        seen.update(digests)
        first = {name: classes[0] for name, (classes, _) in readings.items()}
        _keep(shown, room, images, wanted, first, certain, config.sheet)
        asked.append(wanted.astype(np.int16))
        for name, (classes, _) in readings.items():
            read[name].append(classes)
        confidence.append(certain)
        done += len(images)
        progress(f"{candidate.name}: reading samples", done, total)
    return Stream(
        asked=np.concatenate(asked),
        read={name: np.concatenate(parts, axis=1) for name, parts in read.items()},
        confidence=np.concatenate(confidence),
        exact_copies=copies,
        distinct=len(seen),
        shown=shown,
    )


def stream_figures(stream: Stream, real: RealData, readers: Readers) -> Tally:
    """Figures of what was read: by each reader, and of the stream as a whole."""
    independent = [stream.read[name][0] for name, reader in readers.items() if reader.independent]
    conditioned = bool((stream.asked >= 0).all())
    whole = SampleStream(
        independent=np.array(independent),
        exact_copies=stream.exact_copies,
        distinct=stream.distinct,
        total=len(stream.asked),
    )
    figures = compute(whole)
    if not real.labelled:
        return figures
    wanted = class_histogram(stream.asked, len(real.classes)) if conditioned else real.class_shares
    for number, (name, reader) in enumerate(readers.items()):
        view = ReadSamples(
            asked=stream.asked, read=stream.read[name], confidence=stream.confidence, wanted=wanted
        )
        figures |= compute(view, suffix=reader.suffix, first=number == 0)
    return figures


def _read(reader: SampleReader, images: Images) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Classes int16 [M, N] that each network reads, and the first one's confidence float32 [N]."""
    probabilities = [network.probabilities(images) for network in reader.networks]
    return np.stack([p.argmax(axis=1).astype(np.int16) for p in probabilities]), probabilities[0].max(axis=1)


def _keep(
    shown: Shown,
    room: dict[int, int],
    images: Images,
    asked: NDArray[np.integer],
    read: Mapping[str, NDArray[np.int16]],
    confidence: NDArray[np.float32],
    per_class: int,
) -> None:
    """Keep the first `per_class` images of each class: the one asked for, else the one the main reader reads."""
    by_main = next(iter(read.values()), np.full(len(images), -1, np.int16))
    for k, image in enumerate(images):
        group = int(asked[k]) if asked[k] >= 0 else int(by_main[k])
        limit = per_class if group >= 0 else 8 * per_class
        if room.get(group, 0) >= limit:
            continue
        room[group] = room.get(group, 0) + 1
        shown.images.append(image.copy())
        shown.asked.append(int(asked[k]))
        shown.read.append({name: int(classes[k]) for name, classes in read.items()})
        shown.confidence.append(float(confidence[k]))
