"""Reading glyph by glyph: a LeNet that learns from typed captchas, or from what a labelling page asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.audit.attack import (
    TARGETS,
    Answers,
    Attack,
    EffortPoint,
    Milestone,
    captcha_numbers,
    glyph_texts,
    milestones,
)
from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.evaluate.audit.training import labels_of, train_and_read
from captcha_lab.metrics.intervals import Share, wilson
from captcha_lab.progress import PhaseProgress
from captcha_lab.store.packed.packed import PackedSet


@dataclass(frozen=True)
class TypedGlyphAttacker:
    """Types 10, 20, 40, … captchas in full, trains the thesis's LeNet on their glyphs, reads the others.

    This is the plainest way to label, and an upper bound: see `GuidedAttacker`.
    """

    glyphs: PackedSet

    def attack(self, answers: Answers, config: AuditConfig, progress: PhaseProgress) -> Attack | str:
        """See `Attacker`; one keystroke a character, and Enter."""
        train, test = self.glyphs.part("train", labelled=True), self.glyphs.part("test")
        numbers = captcha_numbers(train)
        order = np.random.default_rng(config.seed).permutation(np.unique(numbers))
        sizes = [config.first * 2**k for k in range(20) if config.first * 2**k < len(order)] + [len(order)]
        points: list[EffortPoint] = []
        found: dict[int, str] = {}
        for number, size in enumerate(sizes):
            progress("training the glyph reader on typed captchas", number, len(sizes))
            part = train.take(np.flatnonzero(np.isin(numbers, order[:size])))
            read = train_and_read(part, labels_of(part), test.images, config.epochs, config.seed)
            found = glyph_texts(test, read)
            points.append(EffortPoint(size, len(part) + size, answers.score(found)))
            if points[-1].accuracy.value >= TARGETS[-1]:
                break
        means = "captchas typed in full and cut into glyphs, and seconds of training for each try"
        return Attack("glyph reader, typed", means, points, milestones(points, config), found)


@dataclass(frozen=True)
class GuidedAttacker:
    """The same with a labelling that asks only what is doubtful: few keys label every training glyph.

    Several labellers, whose questions and networks have other seeds, give the mean curve its spread. One who has
    reached the last target stops; from there on its last figure counts.

    Attributes:
        glyphs: labelled packed set of captchas.
        labellers: of each, (keystrokes so far, class given to each labelled training glyph [N]), one per point.
    """

    glyphs: PackedSet
    labellers: Sequence[Iterable[tuple[int, NDArray[np.integer]]]]

    def attack(self, answers: Answers, config: AuditConfig, progress: PhaseProgress) -> Attack | str:
        """See `Attacker`; the keystrokes of a labelling page."""
        train, test = self.glyphs.part("train", labelled=True), self.glyphs.part("test")
        curves: list[list[tuple[int, Share]]] = []
        found: dict[int, str] = {}
        for number, sessions in enumerate(self.labellers):
            curve: list[tuple[int, Share]] = []
            for keystrokes, given in sessions:
                progress("training the glyph reader on what a page asks", number, len(self.labellers))
                read = train_and_read(train, given, test.images, config.epochs, config.seed + number)
                found = glyph_texts(test, read)
                curve.append((keystrokes, answers.score(found)))
                if curve[-1][1].value >= TARGETS[-1]:
                    break
            curves += [curve] if curve else []
        if not curves:
            return "No guided labelling was simulated: it needs captchas whose glyphs are all labelled."
        captchas, points = len(np.unique(captcha_numbers(train))), []
        for k in range(max(map(len, curves))):
            here = [curve[min(k, len(curve) - 1)] for curve in curves]
            going = [curve[k][0] for curve in curves if k < len(curve)]
            points.append(_mean_point(captchas, round(float(np.mean(going))), [share for _, share in here]))
        means = (
            "a labelling page that asks one key for each group of look-alike glyphs, and seconds of training"
        )
        return Attack("glyph reader", means, points, _spread_milestones(points, curves, config), found)


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
