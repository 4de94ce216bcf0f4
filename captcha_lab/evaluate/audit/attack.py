"""An attack on a captcha: what a reader reads after so much work, and when it reads half, most, nearly all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.metrics.intervals import Share, share_of
from captcha_lab.progress import PhaseProgress
from captcha_lab.store.packed.packed import UNLABELLED, PackedSet
from captcha_lab.store.packed.texts import TextSet

TARGETS = (0.5, 0.9, 0.99)


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
    def effort(self) -> str:
        """The effort as people say it."""
        if self.keystrokes is None or self.minutes is None:
            return "not reached"
        if self.keystrokes == 0:
            return "no keystroke"
        return f"{self.keystrokes} keystrokes, {time_text(self.minutes)} of typing"


@dataclass(frozen=True)
class Attack:
    """One way to read the captcha, with its price.

    Attributes:
        name: of the way.
        means: what somebody needs for it, in a sentence.
        points: what is read after more and more work, the least first.
        milestones: work until 50, 90 and 99 % are read.
        readings: texts of the test captchas by their number, after the most work.
    """

    name: str
    means: str
    points: list[EffortPoint]
    milestones: list[Milestone]
    readings: dict[int, str] = field(default_factory=dict, repr=False)

    @property
    def best(self) -> Share:
        """The largest share of captchas that was read."""
        return max((point.accuracy for point in self.points), key=lambda share: share.value)

    def keystrokes_to(self, target: float) -> int | None:
        """Keystrokes until this share of the captchas is read; None where that was not reached."""
        return next((p.keystrokes for p in self.points if p.accuracy.value >= target), None)


@dataclass(frozen=True)
class Answers:
    """The test captchas: pictures (None where only glyphs are known) and right texts, by their number."""

    texts: dict[int, str]
    pictures: dict[int, NDArray[np.uint8]] = field(default_factory=dict)

    @classmethod
    def of(cls, glyphs: PackedSet | None, texts: TextSet | None) -> Answers:
        """Of the text view where there is one, else of fully labelled captchas of the glyph view."""
        if texts is not None:
            held = texts.part("test")
            ids = [int(k) for k in held.image_ids]
            return cls(dict(zip(ids, held.texts, strict=True)), dict(zip(ids, held.images, strict=True)))
        if glyphs is None or glyphs.labels is None:
            return cls({})
        test = glyphs.part("test")
        labels = np.asarray(test.labels)
        partly = {int(k) for k in captcha_numbers(test)[labels == UNLABELLED]}
        whole = glyph_texts(test, labels)
        return cls({number: text for number, text in whole.items() if number not in partly})

    def score(self, readings: Mapping[int, str]) -> Share:
        """Share of the captchas whose whole text is right; one without a reading is not."""
        return share_of([readings.get(number) == text for number, text in self.texts.items()])


class Attacker(Protocol):
    """Somebody who reads captchas of a kind."""

    def attack(self, answers: Answers, config: AuditConfig, progress: PhaseProgress) -> Attack | str:
        """The attack, or why it was not tried."""
        ...


def captcha_numbers(part: PackedSet) -> NDArray[np.integer]:
    """The captcha that each row [N] was cut from."""
    return np.arange(len(part)) if part.image is None else part.image


def glyph_texts(part: PackedSet, classes: NDArray[np.integer]) -> dict[int, str]:
    """Texts of captchas by number, from the class read for each of their glyphs [N], -1 for none."""
    positions = np.arange(len(part)) if part.position is None else part.position
    numbers = captcha_numbers(part)
    found: dict[int, str] = {}
    for row in np.lexsort((positions, numbers)):
        character = part.classes[int(classes[row])] if classes[row] >= 0 else "?"
        found[int(numbers[row])] = found.get(int(numbers[row]), "") + character
    return found


def milestones(points: Sequence[EffortPoint], config: AuditConfig) -> list[Milestone]:
    """Keystrokes and minutes until 50, 90 and 99 % of the captchas are read whole."""
    found = []
    for target in TARGETS:
        needed = next((p.keystrokes for p in points if p.accuracy.value >= target), None)
        minutes = None if needed is None else needed * config.seconds_per_keystroke / 60
        found.append(Milestone(target, needed, minutes))
    return found


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
