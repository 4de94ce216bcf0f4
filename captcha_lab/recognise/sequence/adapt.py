"""What a reader learns of a set of captchas without any label: lengths, alphabet, and what its characters look like."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log

import numpy as np

from captcha_lab.recognise.codec.ctc import log_probabilities
from captcha_lab.recognise.contract import Reading
from captcha_lab.recognise.fit import FitConfig, fit
from captcha_lab.recognise.sequence.augment import Augmentation
from captcha_lab.recognise.sequence.batches import TextBatches, ctc_objective
from captcha_lab.recognise.sequence.reader import SequenceReader
from captcha_lab.recognise.sequence.start import height_of, start_from

LEAST = 30  # captchas, below which they say nothing of a set
MOST = 400  # captchas that are read for it
ROUNDS = 2  # of reading with what was learned so far
SURE = (
    0.9  # probability from which a character counts: those that do not occur are hardly ever read so surely
)
RARE = 0.1  # of the mean number of times that a character was read surely: below, it does not occur
PER_CLASS = 8  # characters read surely per class, below which they are too few to say
SURE_OF_LENGTH = 0.5  # share of the readings that count for lengths, the surest
COMMON, USUAL = (
    0.5,
    0.9,
)  # shares of these that must have, and that may well have, a length for it to be the set's
MAY_WELL = log(0.001)  # least probability of a text of that length, as a share of that of the text read
# Digits, capitals and small letters, without those of one shape in both cases.
KINDS = ("0123456789", "ABDEFGHJLMNQRTY", "abdefghijlmnqrty")
IN_USE = 0.25  # share of these that must occur for the kind to occur
ENOUGH = 150  # captchas, below which a reader is not trained on what it reads
MOST_TAUGHT = 800
SURER = 0.5  # share of the captchas of each character that are taken for read right
STEPS, BATCH_SIZE, RATE = 120, 32, 1.5e-3  # of that training
HELD_OUT = 5  # every so many of these captchas is held out from it
AGREED = 0.9  # share of those held out that must be read as before


def adapted(reader: SequenceReader, images: Sequence[np.ndarray]) -> SequenceReader:
    """The reader restricted to the lengths and characters that a set of captchas seems to have, at their height.

    Captchas of one endpoint share both, so what is read surely tells what the doubtful can be. A small set restricts
    nothing.

    Args:
        reader: reads them passably, as the base reader does.
        images: captchas of one endpoint, uint8 [H, W] or [H, W, 3] each.
    """
    if not len(images):
        return reader
    reader = SequenceReader(reader.network, replace(reader.facts, height=height_of(images)))
    if len(images) < LEAST:
        return reader
    chosen = np.random.default_rng(0).permutation(len(images))[:MOST]
    found = reader
    for _ in range(ROUNDS):
        pictures = [images[k] for k in chosen]
        pairs = zip(pictures, found.read(pictures), strict=True)
        written = [(picture, reading) for picture, reading in pairs if reading.text]
        if len(written) < LEAST:
            return reader
        pictures, readings = [list(part) for part in zip(*written, strict=True)]
        kept = _occurring(found.classes, readings)
        facts = replace(
            found.facts,
            classes=tuple(c for c in found.classes if c in kept),
            forms=tuple(form for c, form in zip(found.classes, found.facts.forms, strict=True) if c in kept),
            lengths=_lengths(found, pictures, readings),
        )
        found = SequenceReader(start_from(found, facts), facts)
    return found


def self_taught(
    reader: SequenceReader,
    images: Sequence[np.ndarray],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SequenceReader:
    """The adapted reader, trained on those captchas that it reads most surely, as it reads them.

    Pseudo-labels (Lee 2013) of augmented pictures. Safeguard, as there is no label to measure by: of the captchas read
    surely some are held out; unless nearly all are read as before, and all captchas more surely in the mean, the
    adapted reader stays as it was. A small set is not trained on.

    Args:
        reader: reads them passably, as the base reader does.
        images: captchas of one endpoint, uint8 [H, W] or [H, W, 3] each.
        progress: called with the batches trained on and planned.
    """
    before = adapted(reader, images)
    images = [images[k] for k in np.random.default_rng(0).permutation(len(images))[:MOST_TAUGHT]]
    if len(images) < ENOUGH:
        return before
    readings = before.read(images)
    sure = surer(before.classes, readings)
    held_out = sure[::HELD_OUT]
    taught = [k for k in sure if k not in set(held_out)]
    if len(taught) < BATCH_SIZE:
        return before
    after = SequenceReader(start_from(before, before.facts), before.facts)
    fit(
        after.network,
        TextBatches(
            [images[k] for k in taught],
            [readings[k].text for k in taught],
            after.classes,
            after.facts.scaling,
            BATCH_SIZE,
            0,
            Augmentation(),
        ),
        ctc_objective,
        FitConfig(
            STEPS, RATE, "one-cycle", weight_decay=0.01, max_norm=5.0, evaluate_every=STEPS, patience=STEPS
        ),
        on_step=lambda done, total, loss: progress(done, total),
    )
    now = after.read(images)
    agreed = np.mean([now[k].text == readings[k].text for k in held_out])
    gain = np.mean([a.confidence - b.confidence for a, b in zip(now, readings, strict=True)])
    return after if agreed >= AGREED and gain > 0 else before


def surer(classes: Sequence[str], readings: Sequence[Reading]) -> list[int]:
    """The surer half of the captchas of each character: a rare or hard one is not left out for others' sake."""
    order = np.argsort([-reading.confidence for reading in readings], kind="stable").tolist()
    chosen: set[int] = set()
    for character in classes:
        own = [k for k in order if character in readings[k].text]
        chosen.update(own[: math.ceil(SURER * len(own))])
    return [k for k in order if k in chosen]


def _lengths(
    reader: SequenceReader, images: Sequence[np.ndarray], readings: Sequence[Reading]
) -> tuple[int, ...]:
    """The one length of a set's texts, or () where there are several.

    A stroke is easily taken for one more character: captchas read with another length may have the common one if a
    text of it is not much less probable. Where texts differ in length it is.
    """
    order = np.argsort([-reading.confidence for reading in readings])[: int(SURE_OF_LENGTH * len(readings))]
    length, count = Counter(len(readings[k].text) for k in order).most_common(1)[0]
    if count < COMMON * len(order):
        return ()
    odd = [k for k in order if len(readings[k].text) != length]
    other = reader.restricted([length]).read([images[k] for k in odd])
    scores = reader.scores([reader.facts.scaling(images[k]) for k in odd])
    number = {c: k + 1 for k, c in enumerate(reader.classes)}
    texts, instead = (
        [tuple(number[c] for c in reading.text) for reading in found]
        for found in ([readings[k] for k in odd], other)
    )
    loss = log_probabilities(scores, instead) - log_probabilities(scores, texts)
    likely = sum(len(text) == length and worse > MAY_WELL for text, worse in zip(instead, loss, strict=True))
    return (length,) if count + likely >= USUAL * len(order) else ()


def _occurring(classes: Sequence[str], readings: Sequence[Reading]) -> set[str]:
    """The classes that occur; all where too little was read to say."""
    counts = Counter(
        character
        for reading in readings
        for character, certainty in zip(reading.text, reading.per_character, strict=True)
        if certainty > SURE
    )
    if counts.total() < PER_CLASS * max(len(counts), 1):
        return set(classes)
    often = {c for c, count in counts.items() if count >= RARE * counts.total() / len(counts)}
    missing = [kind for kind in KINDS if sum(c in often for c in kind) < IN_USE * len(kind)]
    kept = {c for c in often if not any(_same_kind(c, kind[0]) for kind in missing)}
    if not {KINDS[1], KINDS[2]} & set(missing):  # which case a letter of one shape has cannot be read surely
        kept |= {c.swapcase() for c in kept}
    return kept & set(classes) or set(classes)


def _same_kind(a: str, b: str) -> bool:
    return a.isascii() and any(
        is_kind(a) and is_kind(b) for is_kind in (str.isdigit, str.isupper, str.islower)
    )
