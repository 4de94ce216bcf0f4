"""How much work a stranger has until a captcha is read, and what would make that harder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.evaluate.glyphs import shape_keys
from captcha_lab.evaluate.reading.damage import DAMAGES, damaged
from captcha_lab.evaluate.subject import Progress, silent
from captcha_lab.metrics.accuracy import captcha_accuracy, glyph_accuracy
from captcha_lab.metrics.intervals import Share, wilson
from captcha_lab.recognise.classify import build_lenet, readings, train_classifier
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.recognise.contract import GlyphClassifier
from captcha_lab.store.packed.packed import PackedSet

TARGETS = (0.5, 0.9, 0.99)

# What one training of these curves may cost: so many glyphs seen, no more than so many of one shape (further copies
# teach nothing new), and a last part at a small rate, which settles the network without a validation set.
SEEN = 20_000
COPIES = 4
RATES = (2e-3, 3e-4)
SETTLING = 0.3  # of the epochs
LARGE = 400  # glyphs, from which larger batches are taken


@dataclass(frozen=True)
class EffortPoint:
    """So many captchas typed by hand, with so many keystrokes (Enter included), read so many others.

    Attributes:
        captchas: looked at by the labeller.
        keystrokes: pressed; of several labellers the mean, rounded.
        accuracy: whole captchas of the test split read; of several labellers the mean, with its interval.
        low: the worst labeller's share; None of one labeller alone.
        high: the best one's.
    """

    captchas: int
    keystrokes: int
    accuracy: Share
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Milestone:
    """The first measured effort that reads `target` of the captchas; None where none did.

    `keystrokes` is that of the mean curve; `low` and `high` are those of the quickest and the slowest of several
    labellers, None of one alone and `high` None where one never got there.
    """

    target: float
    keystrokes: int | None
    minutes: float | None
    low: int | None = None
    high: int | None = None

    @property
    def told(self) -> str:
        """The effort as people say it."""
        if self.keystrokes is None or self.minutes is None:
            return "not reached"
        return f"{self.keystrokes} keystrokes, {time_text(self.minutes)} of typing"


def spread_text(milestone: Milestone) -> str:
    """How far labellers differ, as people say it; nothing for one alone."""
    if milestone.low is None:
        return ""
    if milestone.low == milestone.high:
        return "the same for every labeller"
    slowest = "more than was tried" if milestone.high is None else milestone.high
    return f"{milestone.low} to {slowest}, by labeller"


def time_text(minutes: float) -> str:
    """A time as people say it: `under a minute`, `4 minutes`."""
    whole = round(minutes)
    return "under a minute" if minutes < 1 else "a minute" if whole == 1 else f"{whole} minutes"


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
    source = _captcha(train)
    order = np.random.default_rng(config.seed).permutation(np.unique(source))
    sizes = [config.first * 2**k for k in range(20) if config.first * 2**k < len(order)] + [len(order)]
    points: list[EffortPoint] = []
    for number, size in enumerate(sizes):
        progress("effort curve", number, len(sizes))
        rows = np.flatnonzero(np.isin(source, order[:size]))
        part = train.take(rows)
        read = _train_and_read(part, _labels(part), test.images, config.epochs, config.seed)
        share = captcha_accuracy(_labels(test), read, _captcha(test))
        points.append(EffortPoint(size, size * (length + 1), share))
        if share.value >= TARGETS[-1]:
            break
    return points


def guided_curve(
    data: PackedSet,
    labellers: Sequence[Iterable[tuple[int, NDArray[np.integer]]]],
    config: AuditConfig,
    *,
    progress: Progress = silent,
) -> tuple[list[EffortPoint], list[Milestone]]:
    """The same with a labelling that asks only what is doubtful: few keys label every training glyph.

    Several labellers, whose questions and networks have other seeds, give the mean curve its spread. One who has
    reached the last target stops; from there on its last figure counts.

    Args:
        data: labelled packed set of captchas.
        labellers: of each, (keystrokes so far, class given to each labelled training glyph [N]), one per point.
        config: see `AuditConfig`.
        progress: told which labeller is at work.
    """
    train, test = data.part("train", labelled=True), data.part("test", labelled=True)
    captchas, answers = len(np.unique(_captcha(train))), _captcha(test)
    curves: list[list[tuple[int, Share]]] = []
    for number, sessions in enumerate(labellers):
        curve: list[tuple[int, Share]] = []
        for keystrokes, given in sessions:
            progress("guided effort curve", number, len(labellers))
            read = _train_and_read(train, given, test.images, config.epochs, config.seed + number)
            curve.append((keystrokes, captcha_accuracy(_labels(test), read, answers)))
            if curve[-1][1].value >= TARGETS[-1]:
                break
        curves += [curve] if curve else []
    points = []
    for k in range(max(map(len, curves), default=0)):
        here = [curve[min(k, len(curve) - 1)] for curve in curves]
        going = [curve[k][0] for curve in curves if k < len(curve)]
        points.append(_mean_point(captchas, round(float(np.mean(going))), [share for _, share in here]))
    return points, _spread_milestones(points, curves, config)


def _mean_point(captchas: int, keystrokes: int, shares: Sequence[Share]) -> EffortPoint:
    """The labellers' mean, with the interval of so many test captchas (the same for all of them)."""
    tried = shares[0].trials
    mean = float(np.mean([share.value for share in shares]))
    accuracy = wilson(round(mean * tried), tried)
    if len(shares) < 2:
        return EffortPoint(captchas, keystrokes, accuracy)
    values = [share.value for share in shares]
    return EffortPoint(captchas, keystrokes, accuracy, min(values), max(values))


def _spread_milestones(
    points: Sequence[EffortPoint], curves: Sequence[Sequence[tuple[int, Share]]], config: AuditConfig
) -> list[Milestone]:
    found = []
    for milestone in milestones(points, config):
        each = [next((n for n, share in c if share.value >= milestone.target), None) for c in curves]
        reached = [keys for keys in each if keys is not None]
        if len(curves) > 1 and reached:
            slowest = max(reached) if len(reached) == len(each) else None
            milestone = replace(milestone, low=min(reached), high=slowest)
        found.append(milestone)
    return found


def milestones(points: Sequence[EffortPoint], config: AuditConfig) -> list[Milestone]:
    """Keystrokes and minutes until 50, 90 and 99 % of the captchas are read whole."""
    found = []
    for target in TARGETS:
        needed = next((p.keystrokes for p in points if p.accuracy.value >= target), None)
        minutes = None if needed is None else needed * config.seconds_per_keystroke / 60
        found.append(Milestone(target, needed, minutes))
    return found


def try_remedies(
    data: PackedSet, reader: GlyphClassifier, config: AuditConfig, *, progress: Progress = silent
) -> list[Remedy]:
    """Damage the test glyphs, and read them with today's reader and with one trained on damaged glyphs.

    A remedy that throws only the unprepared reader buys its owner the hour it takes to train again.
    """
    train, test = data.part("train", labelled=True), data.part("test", labelled=True)
    labels, few = _labels(test), train.take(_few_of_each_shape(train, _labels(train), config.seed))
    remedies = []
    for number, damage in enumerate(DAMAGES):
        progress("trying remedies", number, len(DAMAGES))
        harder = np.stack(damaged(test.images, damage, damage.remedy, config.seed))
        learned = replace(few, images=np.stack(damaged(few.images, damage, damage.remedy, config.seed + 1)))
        read = _learn(learned, _labels(few), harder, config.remedy_epochs, config.seed)
        today = reader.probabilities(harder).argmax(axis=1)
        accuracies = glyph_accuracy(labels, today), glyph_accuracy(labels, read)
        remedies.append(Remedy(damage.name, damage.remedy, damage.unit, *accuracies))
    return remedies


def _train_and_read(
    train: PackedSet, given: NDArray[np.integer], unseen: NDArray[np.uint8], epochs: int, seed: int
) -> NDArray[np.int64]:
    """Classes [M] that the thesis's LeNet reads after learning the given classes [N] of training glyphs."""
    rows = _few_of_each_shape(train, given, seed)
    return _learn(train.take(rows), given[rows], unseen, epochs, seed)


def _learn(
    train: PackedSet, given: NDArray[np.integer], unseen: NDArray[np.uint8], epochs: int, seed: int
) -> NDArray[np.int64]:
    images = train.images
    network = build_lenet(len(train.classes), images.shape[1], 3 if images.ndim == 4 else 1, seed)
    total = max(1, min(epochs, round(SEEN / len(images))))
    settling = int(SETTLING * total)
    for part, rate in zip((total - settling, settling), RATES, strict=True):
        if part:
            size = 64 if len(images) >= LARGE else 32
            how = ClassifierConfig(epochs=part, patience=part, seed=seed, batch_size=size, learning_rate=rate)
            train_classifier(network, images, given, None, how)
    return readings(network, unseen)


def _few_of_each_shape(train: PackedSet, given: NDArray[np.integer], seed: int) -> NDArray[np.integer]:
    """Rows [M], at random no more than a few of those that have one shape and one class."""
    shapes, count, kept = shape_keys(train, np.arange(len(train))), Counter[tuple[bytes, int]](), []
    for row in np.random.default_rng((seed, 5)).permutation(len(train)):
        key = shapes[row], int(given[row])
        count[key] += 1
        if count[key] <= COPIES:
            kept.append(row)
    return np.sort(kept)


def _labels(part: PackedSet) -> NDArray[np.integer]:
    return np.empty(0, np.int64) if part.labels is None else np.asarray(part.labels, np.int64)


def _captcha(part: PackedSet) -> NDArray[np.integer]:
    return np.arange(len(part)) if part.image is None else part.image
