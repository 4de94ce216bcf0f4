"""What an audit found."""

from __future__ import annotations

from dataclasses import dataclass, field

from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.evaluate.audit.effort import EffortPoint, Milestone, Remedy
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
class Audit:
    """Everything an audit found; None where labels are missing.

    Attributes:
        dataset: its name.
        captchas: how many were looked at.
        length: characters each.
        endpoint: duplicates and predictability, where the captchas were scraped.
        clean: share of captchas whose cells all cut cleanly.
        flags: cells under each flag of `segment.inspect`.
        shapes: see `Shapes`.
        uniform: p-value of a chi-square test that all characters are equally frequent; near 0: they are not.
        learned: labelled captchas that the recogniser could learn from.
        reading: of the recogniser.
        milliseconds: to read one captcha, from its glyphs.
        points: effort curve of someone who types captchas in full.
        guided: effort curve of someone who answers what the labelling page asks.
        milestones: keystrokes and minutes to 50, 90 and 99 %, the guided ones where they were measured.
        resisting: characters read worst: (name, share), worst first.
        confused: (true, read, count).
        remedies: see `Remedy`.
        verdict: one sentence.
        advice: what would help and what would not, one line each.
        notes: what could not be measured.
        seconds_per_keystroke: the assumption behind the minutes.
    """

    dataset: str
    captchas: int
    length: int
    endpoint: Endpoint | None
    clean: Share
    flags: dict[str, int]
    shapes: Shapes
    uniform: float | None = None
    learned: int = 0
    reading: GlyphResult | None = None
    milliseconds: float | None = None
    points: list[EffortPoint] = field(default_factory=list)
    guided: list[EffortPoint] = field(default_factory=list)
    milestones: list[Milestone] = field(default_factory=list)
    resisting: list[tuple[str, Share]] = field(default_factory=list)
    confused: list[tuple[str, str, int]] = field(default_factory=list)
    remedies: list[Remedy] = field(default_factory=list)
    verdict: str = ""
    advice: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds_per_keystroke: float = AuditConfig.seconds_per_keystroke
