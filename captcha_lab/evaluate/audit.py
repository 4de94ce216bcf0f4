"""How weak is this captcha? What an attacker's pipeline finds, measured with the project's own parts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chisquare

from captcha_lab.evaluate.audit_config import AuditConfig
from captcha_lab.evaluate.effort import (
    EffortPoint,
    Milestone,
    Remedy,
    effort_curve,
    guided_curve,
    milestones,
    try_remedies,
)
from captcha_lab.evaluate.reading import ReadingResult
from captcha_lab.evaluate.subject import Progress, Reader, silent
from captcha_lab.metrics.accuracy import worst_confusions
from captcha_lab.metrics.intervals import Share, wilson
from captcha_lab.store.packed import UNLABELLED, PackedSet

INK = 255  # segmented glyphs are whitened: whatever is darker is ink
LEAST_FOR_CURVE = 20  # labelled training captchas


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
    reading: ReadingResult | None = None
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


def endpoint_facts(outcomes: Mapping[str, int], repeats: int) -> Endpoint | None:
    """From the number of captchas received and of exact repeats among them; None where nothing was scraped."""
    received = sum(outcomes.values())
    if received == 0:
        return None
    return Endpoint(received, repeats, received * (received - 1) / (2 * repeats) if repeats else None)


def shape_facts(glyphs: NDArray[np.uint8]) -> Shapes:
    """Count the different ink masks of whitened glyphs uint8 [N, size, size]."""
    ink = np.packbits((glyphs < INK).reshape(len(glyphs), -1), axis=1)
    counts = Counter(row.tobytes() for row in ink)
    once = sum(1 for count in counts.values() if count == 1)
    return Shapes(len(glyphs), len(counts), once / max(len(glyphs), 1))


def cut_facts(flags: Mapping[int, list[str]]) -> tuple[Share, dict[str, int]]:
    """Share of captchas without a flagged cell, and cells under each flag; `flags` by captcha."""
    clean = sum(not any(cells) for cells in flags.values())
    tally = Counter(flag for cells in flags.values() for cell in cells for flag in cell.split())
    return wilson(clean, len(flags)), dict(tally)


def character_uniformity(labels: NDArray[np.integer], classes: int) -> float:
    """p-value of the chi-square test that all classes are equally frequent."""
    return float(chisquare(np.bincount(labels, minlength=classes)).pvalue)


def audit(
    data: PackedSet,
    flags: Mapping[int, list[str]],
    outcomes: Mapping[str, int],
    repeats: int,
    length: int,
    reader: Reader | None,
    reading: ReadingResult | None,
    config: AuditConfig,
    *,
    sessions: Iterable[tuple[int, NDArray[np.integer]]] = (),
    progress: Progress = silent,
) -> Audit:
    """Put an audit together from a packed captcha dataset.

    Args:
        data: glyphs, with labels or without.
        flags: of each captcha, the flags of its cells.
        outcomes: captchas received from the endpoint, by outcome.
        repeats: exact repeats among them.
        length: characters of a captcha.
        reader: a recogniser trained on the labels, or None without labels.
        reading: its figures on the test split.
        config: see `AuditConfig`.
        sessions: a guided labelling (see `guided_curve`), drawn from only where the labels suffice.
        progress: told what is being measured.
    """
    clean, tally = cut_facts(flags)
    facts = {
        "dataset": str(data.info.get("dataset", "")),
        "captchas": len(flags),
        "length": length,
        "endpoint": endpoint_facts(outcomes, repeats),
        "clean": clean,
        "flags": tally,
        "shapes": shape_facts(data.images),
        "seconds_per_keystroke": config.seconds_per_keystroke,
    }
    known = data.labels is not None and (data.labels != UNLABELLED).any()
    if not known or reader is None or reading is None:
        note = (
            "Nothing is labelled, so nobody has tried to read it: label some captchas (`captcha-lab label`) and audit "
            "again to learn how soon it falls."
        )
        result = Audit(**facts, notes=[note])  # type: ignore[arg-type]
        return _concluded(result)
    labels = np.asarray(data.labels)[np.asarray(data.labels) != UNLABELLED]
    train = data.part("train", labelled=True)
    enough = train.source is not None and len(np.unique(train.source // 256)) >= LEAST_FOR_CURVE
    points = effort_curve(data, length, config, progress=progress) if enough else []
    guided = guided_curve(data, sessions, config, progress=progress) if enough else []
    notes = [] if enough else [f"Fewer than {LEAST_FOR_CURVE} captchas are labelled: no effort curve."]
    order = np.argsort([share.value for share in reading.per_class], kind="stable")
    result = Audit(
        **facts,  # type: ignore[arg-type]
        uniform=character_uniformity(labels, len(data.classes)),
        reading=reading,
        milliseconds=_milliseconds(reader, data.images[:1000], length),
        points=points,
        guided=guided,
        milestones=milestones(guided or points, config),
        resisting=[
            (data.classes[k], reading.per_class[k]) for k in order[:5] if reading.per_class[k].value < 1
        ],
        confused=[(data.classes[a], data.classes[b], n) for a, b, n in worst_confusions(reading.confusion)],
        remedies=try_remedies(data, config, progress=progress) if config.remedies and enough else [],
        notes=notes,
    )
    return _concluded(result)


def _milliseconds(reader: Reader, glyphs: NDArray[np.uint8], length: int) -> float:
    """CPU time to read one captcha of `length` glyphs, in batches."""
    started = time.process_time()
    reader.probabilities(glyphs)
    return 1000 * (time.process_time() - started) / max(len(glyphs), 1) * length


def _concluded(found: Audit) -> Audit:
    from dataclasses import replace

    from captcha_lab.evaluate.advice import advice, verdict

    return replace(found, verdict=verdict(found), advice=advice(found))
