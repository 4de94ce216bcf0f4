"""What an audit found."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.audit.attack import Attack, Milestone
from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.evaluate.audit.remedies import Remedy
from captcha_lab.evaluate.audit.traits import Guess, TraitResult
from captcha_lab.evaluate.grade import Grade
from captcha_lab.evaluate.reading.glyphs import GlyphResult
from captcha_lab.metrics.intervals import Share


@dataclass(frozen=True)
class Endpoint:
    """What the endpoint's answers say: captchas received, how many were seen before, how many kinds there may be.

    `population` is the birthday estimate n(n-1)/2d of the number of different images, None without repeats.
    """

    received: int
    repeats: int
    population: float | None


@dataclass(frozen=True)
class Shapes:
    """Different ink shapes among the glyphs, and the chance that the next glyph has a new one.

    That chance is Good and Turing's estimate (Good 1953): the share of glyphs whose shape was seen once.
    """

    glyphs: int
    distinct: int
    unseen_chance: float


@dataclass(frozen=True)
class Advice:
    """One thing the owner could change.

    Attributes:
        text: what, and what it would do.
        helps: whether it would keep a reader out.
        gain: share of readings that it takes from the better of a reader as it is and one trained on it, if measured.
    """

    text: str
    helps: bool
    gain: float | None = None


@dataclass(frozen=True)
class ShownCaptcha:
    """A test captcha, its text, and what each attack made of it."""

    picture: NDArray[np.uint8]
    truth: str
    readings: dict[str, str]


@dataclass(frozen=True)
class Audit:
    """Everything an audit found; None where labels are missing.

    Attributes:
        dataset: its name.
        captchas: how many there are.
        length: characters each, the commonest number.
        endpoint: duplicates and predictability, where the captchas were scraped.
        clean: share of captchas whose cells all cut cleanly; None where none is cut.
        flags: cells under each flag of `segment.inspect`.
        shapes: see `Shapes`; None where none is cut.
        uniform: p-value of a chi-square test that all characters are equally frequent; near 0: they are not.
        learned: labelled captchas that readers could learn from.
        reading: of the recogniser, on glyphs.
        milliseconds: to read one captcha, from its glyphs.
        attacks: what each reader reads for which price, the cheapest first.
        milestones: keystrokes and minutes to 50, 90 and 99 % by the cheapest attack that gets there.
        resisting: characters read worst: (name, share), worst first.
        confused: (true, read, count).
        remedies: see `Remedy`.
        traits: what in the picture resists, measured; empty where its style can't be drawn again.
        guesses: what may resist, by comparing the test captchas among themselves.
        verdict: one sentence.
        grade: how strong the captcha is; None where nothing is labelled.
        advice: what would help and what would not, the largest gain first.
        shown: some test captchas with every attack's reading.
        notes: what could not be measured.
        seconds_per_keystroke: the assumption behind the minutes.
        url: of the endpoint; empty where the captchas were imported.
        date: of the audit.
    """

    dataset: str
    captchas: int
    length: int
    endpoint: Endpoint | None
    clean: Share | None
    flags: dict[str, int]
    shapes: Shapes | None
    uniform: float | None = None
    learned: int = 0
    reading: GlyphResult | None = None
    milliseconds: float | None = None
    attacks: list[Attack] = field(default_factory=list)
    milestones: list[Milestone] = field(default_factory=list)
    resisting: list[tuple[str, Share]] = field(default_factory=list)
    confused: list[tuple[str, str, int]] = field(default_factory=list)
    remedies: list[Remedy] = field(default_factory=list)
    traits: list[TraitResult] = field(default_factory=list)
    guesses: list[Guess] = field(default_factory=list)
    verdict: str = ""
    grade: Grade | None = None
    advice: list[Advice] = field(default_factory=list)
    shown: list[ShownCaptcha] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds_per_keystroke: float = AuditConfig.seconds_per_keystroke
    url: str = ""
    date: str = ""
