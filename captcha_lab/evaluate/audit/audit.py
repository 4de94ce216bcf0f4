"""How weak is this captcha? What an attacker's pipeline finds, measured with the project's own parts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chisquare

from captcha_lab.evaluate.audit.advice import advice, verdict
from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.evaluate.audit.effort import (
    effort_curve,
    guided_curve,
    milestones,
    try_remedies,
)
from captcha_lab.evaluate.audit.result import Audit, Endpoint, Shapes
from captcha_lab.evaluate.reading.glyphs import GlyphResult
from captcha_lab.evaluate.subject import Progress, silent
from captcha_lab.metrics.accuracy import worst_confusions
from captcha_lab.metrics.intervals import Share, wilson
from captcha_lab.recognise.contract import GlyphClassifier
from captcha_lab.store.packed.packed import UNLABELLED, PackedSet

INK = 255  # segmented glyphs are whitened: whatever is darker is ink
READS = 0.5  # share of glyphs below which remedies would prove nothing
LEAST_FOR_CURVE = 20  # labelled training captchas


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
    reader: GlyphClassifier | None,
    reading: GlyphResult | None,
    config: AuditConfig,
    *,
    labellers: Sequence[Iterable[tuple[int, NDArray[np.integer]]]] = (),
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
        labellers: guided labellings (see `guided_curve`), drawn from only where the labels suffice.
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
    learned = 0 if train.image is None else len(np.unique(train.image))
    enough = learned >= LEAST_FOR_CURVE
    points = effort_curve(data, length, config, progress=progress) if enough else []
    guided, reached = guided_curve(data, labellers if enough else (), config, progress=progress)
    notes = [] if enough else [f"Fewer than {LEAST_FOR_CURVE} captchas are labelled: no effort curve."]
    reads = reading.glyphs_distinct.value >= READS
    if config.remedies and enough and not reads:
        notes.append(
            "Today's reader hardly reads the captchas as they are: no change to them was tried as a remedy."
        )
    order = np.argsort([share.value for share in reading.per_class], kind="stable")
    result = Audit(
        **facts,  # type: ignore[arg-type]
        uniform=character_uniformity(labels, len(data.classes)),
        learned=learned,
        reading=reading,
        milliseconds=_milliseconds(reader, data.images[:1000], length),
        points=points,
        guided=guided,
        milestones=reached if guided else milestones(points, config),
        resisting=[
            (data.classes[k], reading.per_class[k]) for k in order[:5] if reading.per_class[k].value < 1
        ],
        confused=[(data.classes[a], data.classes[b], n) for a, b, n in worst_confusions(reading.confusion)],
        remedies=try_remedies(data, reader, config, progress=progress)
        if config.remedies and enough and reads
        else [],
        notes=notes,
    )
    return _concluded(result)


def _milliseconds(reader: GlyphClassifier, glyphs: NDArray[np.uint8], length: int) -> float:
    """CPU time to read one captcha of `length` glyphs, in batches."""
    started = time.process_time()
    reader.probabilities(glyphs)
    return 1000 * (time.process_time() - started) / max(len(glyphs), 1) * length


def _concluded(found: Audit) -> Audit:
    return replace(found, verdict=verdict(found), advice=advice(found))
