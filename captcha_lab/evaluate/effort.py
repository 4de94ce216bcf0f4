"""How much work a stranger has until a captcha is read, and what would make that harder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.audit_config import AuditConfig
from captcha_lab.evaluate.reading import DAMAGES
from captcha_lab.evaluate.subject import Progress, silent
from captcha_lab.metrics.accuracy import captcha_accuracy, glyph_accuracy
from captcha_lab.metrics.intervals import Share
from captcha_lab.recognise.config import TrainConfig
from captcha_lab.recognise.train import build_lenet, fit, readings
from captcha_lab.store.packed import PackedSet

TARGETS = (0.5, 0.9, 0.99)
# The strength at which each damage is tried as a remedy: one at which people still read the glyphs.
REMEDY_LEVELS = {"blur": 1.0, "noise": 64.0, "rotation": 30.0, "shift": 3.0}


@dataclass(frozen=True)
class EffortPoint:
    """So many captchas typed by hand, with so many keystrokes (Enter included), read so many others."""

    captchas: int
    keystrokes: int
    accuracy: Share  # whole captchas of the test split


@dataclass(frozen=True)
class Milestone:
    """The first measured effort that reads `target` of the captchas; None where none did."""

    target: float
    keystrokes: int | None
    minutes: float | None


@dataclass(frozen=True)
class Remedy:
    """A change to the glyphs, and what it does to a reader that has not, and has, trained on it."""

    name: str
    level: float
    unit: str
    unprepared: Share
    prepared: Share


def effort_curve(
    data: PackedSet, length: int, config: AuditConfig, *, progress: Progress = silent
) -> list[EffortPoint]:
    """Type 10, 20, 40, … training captchas, train the thesis's LeNet on them, read the test captchas.

    This is the plainest way to label, and an upper bound: see `guided_curve`.

    Args:
        data: labelled packed set of captchas.
        length: characters of a captcha.
        config: see `AuditConfig`.
        progress: told which point is being measured.
    """
    train, test = data.part("train", labelled=True), data.part("test", labelled=True)
    source = _source(train) // 256
    order = np.random.default_rng(config.seed).permutation(np.unique(source))
    sizes = [config.first * 2**k for k in range(20) if config.first * 2**k < len(order)] + [len(order)]
    points: list[EffortPoint] = []
    for number, size in enumerate(sizes):
        progress("effort curve", number, len(sizes))
        rows = np.isin(source, order[:size])
        read = _train_and_read(
            train.images[rows],
            _labels(train)[rows],
            test.images,
            len(data.classes),
            config.epochs,
            config.seed,
        )
        share = captcha_accuracy(_labels(test), read, _source(test) // 256)
        points.append(EffortPoint(size, size * (length + 1), share))
        if share.value >= TARGETS[-1]:
            break
    return points


def guided_curve(
    data: PackedSet,
    sessions: Iterable[tuple[int, NDArray[np.integer]]],
    config: AuditConfig,
    *,
    progress: Progress = silent,
) -> list[EffortPoint]:
    """The same with a labelling that asks only what is doubtful: few keys label every training glyph.

    Args:
        data: labelled packed set of captchas.
        sessions: (keystrokes so far, class given to each labelled training glyph [N]), one per point.
        config: see `AuditConfig`.
        progress: told which point is being measured.
    """
    train, test = data.part("train", labelled=True), data.part("test", labelled=True)
    captchas = len(np.unique(_source(train) // 256))
    points: list[EffortPoint] = []
    for keystrokes, given in sessions:
        progress("guided effort curve", keystrokes, keystrokes)
        read = _train_and_read(
            train.images, given, test.images, len(data.classes), config.epochs, config.seed
        )
        share = captcha_accuracy(_labels(test), read, _source(test) // 256)
        points.append(EffortPoint(captchas, keystrokes, share))
        if share.value >= TARGETS[-1]:
            break
    return points


def milestones(points: Sequence[EffortPoint], config: AuditConfig) -> list[Milestone]:
    """Keystrokes and minutes until 50, 90 and 99 % of the captchas are read whole."""
    found = []
    for target in TARGETS:
        needed = next((p.keystrokes for p in points if p.accuracy.value >= target), None)
        minutes = None if needed is None else needed * config.seconds_per_keystroke / 60
        found.append(Milestone(target, needed, minutes))
    return found


def try_remedies(data: PackedSet, config: AuditConfig, *, progress: Progress = silent) -> list[Remedy]:
    """Damage the test glyphs, and read them with a recogniser trained on clean and on damaged glyphs.

    A remedy that throws only the unprepared reader buys its owner the hour it takes to train again.
    """
    train, test = data.part("train", labelled=True), data.part("test", labelled=True)
    labels, size = _labels(test), len(data.classes)
    clean = build_lenet(size, train.images.shape[1], 3 if train.images.ndim == 4 else 1, config.seed)
    fit(clean, train.images, _labels(train), None, _training(config.remedy_epochs, config.seed))
    remedies = []
    for number, (name, unit, _, damage) in enumerate(DAMAGES):
        progress("trying remedies", number, len(DAMAGES))
        level, rng = REMEDY_LEVELS[name], np.random.default_rng(config.seed)
        harder = damage(test.images, level, rng)
        read = _train_and_read(
            damage(train.images, level, rng), _labels(train), harder, size, config.remedy_epochs, config.seed
        )
        remedies.append(
            Remedy(
                name,
                level,
                unit,
                glyph_accuracy(labels, readings(clean, harder)),
                glyph_accuracy(labels, read),
            )
        )
    return remedies


def _train_and_read(
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    unseen: NDArray[np.uint8],
    classes: int,
    epochs: int,
    seed: int,
) -> NDArray[np.int64]:
    network = build_lenet(classes, images.shape[1], 3 if images.ndim == 4 else 1, seed)
    fit(network, images, labels, None, _training(epochs, seed))
    return readings(network, unseen)


def _training(epochs: int, seed: int) -> TrainConfig:
    return TrainConfig(epochs=epochs, patience=4, seed=seed, batch_size=32)


def _labels(part: PackedSet) -> NDArray[np.integer]:
    return np.empty(0, np.int64) if part.labels is None else np.asarray(part.labels, np.int64)


def _source(part: PackedSet) -> NDArray[np.integer]:
    return np.arange(len(part)) * 256 if part.source is None else part.source
