"""How weak is this captcha? What somebody's readers make of it, measured with the project's own parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chisquare

from captcha_lab.evaluate.audit.advice import advice, by_price, cheapest, grade, verdict
from captcha_lab.evaluate.audit.attack import Answers, Attack, Attacker, captcha_numbers
from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.evaluate.audit.remedies import try_remedies
from captcha_lab.evaluate.audit.result import Audit, Endpoint, Shapes, ShownCaptcha
from captcha_lab.evaluate.audit.traits import Guess, TraitResult, guess_traits
from captcha_lab.evaluate.glyphs import INK
from captcha_lab.evaluate.reading.glyphs import GlyphResult
from captcha_lab.metrics.accuracy import worst_confusions
from captcha_lab.metrics.intervals import Share, wilson
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.contract import GlyphClassifier
from captcha_lab.store.packed.packed import UNLABELLED, PackedSet
from captcha_lab.store.packed.texts import TextSet

READS = 0.5  # share of glyphs below which remedies would prove nothing
LEAST_FOR_CURVE = 20  # labelled training captchas
SHOWN = 12  # test captchas on the page


@dataclass(frozen=True)
class Captchas:
    """The captchas that are audited.

    Attributes:
        dataset: their name.
        count: how many there are.
        length: characters of one, the commonest number.
        glyphs: glyph view, labelled or not; None where none is cut.
        texts: text view; None where only glyphs are known.
        flags: of each captcha, the flags of its cells.
        received: captchas received from an endpoint.
        repeats: exact repeats among them.
        url: of the endpoint.
        date: of the audit.
    """

    dataset: str
    count: int
    length: int
    glyphs: PackedSet | None
    texts: TextSet | None = None
    flags: Mapping[int, list[str]] = field(default_factory=dict)
    received: int = 0
    repeats: int = 0
    url: str = ""
    date: str = ""

    @property
    def learned(self) -> int:
        """Labelled training captchas."""
        if self.texts is not None:
            return len(self.texts.part("train"))
        train = None if self.glyphs is None else self.glyphs.part("train", labelled=True)
        return 0 if train is None or train.labels is None else len(np.unique(captcha_numbers(train)))


def endpoint_facts(received: int, repeats: int) -> Endpoint | None:
    """From the number of captchas received and of exact repeats among them; None where nothing was scraped."""
    if received == 0:
        return None
    return Endpoint(received, repeats, received * (received - 1) / (2 * repeats) if repeats else None)


def shape_facts(glyphs: NDArray[np.uint8]) -> Shapes:
    """Count the different ink masks of whitened glyphs uint8 [N, size, size]."""
    ink = np.packbits((glyphs < INK).reshape(len(glyphs), -1), axis=1)
    counts = Counter(row.tobytes() for row in ink)
    once = sum(1 for count in counts.values() if count == 1)
    return Shapes(len(glyphs), len(counts), once / max(len(glyphs), 1))


def cut_facts(flags: Mapping[int, list[str]]) -> tuple[Share | None, dict[str, int]]:
    """Share of captchas without a flagged cell, and cells under each flag; `flags` by captcha."""
    clean = sum(not any(cells) for cells in flags.values())
    tally = Counter(flag for cells in flags.values() for cell in cells for flag in cell.split())
    return wilson(clean, len(flags)) if flags else None, dict(tally)


def character_uniformity(labels: NDArray[np.integer], classes: int) -> float:
    """p-value of the chi-square test that all classes are equally frequent."""
    return float(chisquare(np.bincount(labels, minlength=classes)).pvalue)


def audit(
    captchas: Captchas,
    attackers: Sequence[Attacker],
    reader: GlyphClassifier | None,
    reading: GlyphResult | None,
    config: AuditConfig,
    *,
    traits: Callable[[], list[TraitResult]] | None = None,
    notes: Sequence[str] = (),
    progress: PhaseProgress = no_progress,
) -> Audit:
    """Put an audit together.

    Args:
        captchas: what is audited.
        attackers: who tries to read them; those that need labels get them from the training split.
        reader: a classifier of glyphs trained on the labels, or None without labelled glyphs.
        reading: its figures on the test split.
        config: see `AuditConfig`.
        traits: measures what in the picture resists, where its style can be drawn again; else it is guessed.
        notes: what could not be tried, and why.
        progress: told what is being measured.
    """
    clean, tally = cut_facts(captchas.flags)
    glyphs, learned = captchas.glyphs, captchas.learned
    found = Audit(
        dataset=captchas.dataset,
        captchas=captchas.count,
        length=captchas.length,
        endpoint=endpoint_facts(captchas.received, captchas.repeats),
        clean=clean,
        flags=tally,
        shapes=None if glyphs is None else shape_facts(glyphs.images),
        learned=learned,
        seconds_per_keystroke=config.seconds_per_keystroke,
        url=captchas.url,
        date=captchas.date,
    )
    answers = Answers.of(glyphs, captchas.texts)
    if not answers.texts:
        note = (
            "No test captcha is labelled, so nobody has tried to read them: label some captchas (`captcha-lab label`) "
            "and audit again to learn how soon they are read."
        )
        return _concluded(replace(found, notes=[note, *notes]))
    enough = learned >= LEAST_FOR_CURVE
    attacks, missing = _attacks(attackers, answers, config, progress)
    missing = [*notes, *missing]
    if not enough:
        missing.append(
            f"Only {learned} captchas are labelled for training: what more labels would give is unknown."
        )
    reads = reading is not None and reading.main.value >= READS
    if config.remedies and reading is not None and not reads:
        missing.append("The glyph reader hardly reads the captchas as they are: no change to them was tried.")
    remedies = []
    if config.remedies and enough and reads and reader is not None and glyphs is not None:
        remedies = try_remedies(glyphs, reader, config, progress=progress)
    return _concluded(
        replace(
            found,
            uniform=_uniform(glyphs),
            reading=reading,
            milliseconds=None if reading is None else 1000 * captchas.length / reading.speed,
            attacks=attacks,
            milestones=cheapest(attacks),
            resisting=[] if reading is None else _resisting(reading),
            confused=[] if reading is None else _confused(reading),
            remedies=remedies,
            traits=traits() if traits is not None and config.remedies else [],
            guesses=_guesses(captchas, answers, attacks) if traits is None else [],
            shown=_shown(answers, attacks),
            notes=missing,
        )
    )


def _guesses(captchas: Captchas, answers: Answers, attacks: Sequence[Attack]) -> list[Guess]:
    """By the attack that reads most."""
    if not attacks:
        return []
    best = max(attacks, key=lambda attack: attack.best.value)
    return guess_traits(answers, best.readings, captchas.flags)


def _attacks(
    attackers: Sequence[Attacker], answers: Answers, config: AuditConfig, progress: PhaseProgress
) -> tuple[list[Attack], list[str]]:
    """Attacks that were tried, the cheapest first, and why others were not."""
    results = [attacker.attack(answers, config, progress) for attacker in attackers]
    attacks = [result for result in results if isinstance(result, Attack)]
    return sorted(attacks, key=by_price), [result for result in results if isinstance(result, str)]


def _uniform(glyphs: PackedSet | None) -> float | None:
    if glyphs is None or glyphs.labels is None:
        return None
    labels = np.asarray(glyphs.labels)[np.asarray(glyphs.labels) != UNLABELLED]
    return character_uniformity(labels, len(glyphs.classes)) if len(labels) else None


def _resisting(reading: GlyphResult) -> list[tuple[str, Share]]:
    shares = sorted(zip(reading.classes, reading.per_class, strict=True), key=lambda item: item[1].value)
    return [(name, share) for name, share in shares[:5] if share.value < 1]


def _confused(reading: GlyphResult) -> list[tuple[str, str, int]]:
    errors = worst_confusions(reading.confusion)
    return [(reading.classes[a], reading.classes[b], n) for a, b, n in errors]


def _shown(answers: Answers, attacks: Sequence[Attack]) -> list[ShownCaptcha]:
    chosen = list(answers.pictures)[:SHOWN]
    return [
        ShownCaptcha(
            answers.pictures[number],
            answers.texts[number],
            {attack.name: attack.readings.get(number, "") for attack in attacks},
        )
        for number in chosen
    ]


def _concluded(found: Audit) -> Audit:
    return replace(found, verdict=verdict(found), grade=grade(found.attacks), advice=advice(found))
