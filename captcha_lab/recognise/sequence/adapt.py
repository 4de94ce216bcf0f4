"""What a reader learns of a set of captchas without any label: their lengths and their alphabet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from captcha_lab.recognise.sequence.reader import SequenceReader
from captcha_lab.recognise.sequence.start import start_from

LEAST = 30  # captchas, below which they say nothing of a set
MOST = 400  # captchas that are read for it
SURE_OF_LENGTH, SURE_OF_CHARACTERS = 0.5, 0.8  # shares of the readings that count, the surest
USUAL = 0.9  # share of these that must have one length for it to be the set's
PER_CLASS = 8  # characters read per class from which a rarely read one is taken for a mistake
RARE = 0.2  # of the mean number of times a character is read


def adapted(reader: SequenceReader, images: Sequence[np.ndarray]) -> SequenceReader:
    """The reader restricted to the lengths and characters that a set of captchas seems to have.

    Captchas of one endpoint share both, so the surest half of its readings tells what the doubtful half can be. A
    small set leaves the reader as it is.

    Args:
        reader: reads them passably, as the base reader does.
        images: captchas of one endpoint, uint8 [H, W] or [H, W, 3] each.
    """
    if len(images) < LEAST:
        return reader
    chosen = np.random.default_rng(0).permutation(len(images))[:MOST]
    readings = [reading for reading in reader.read([images[k] for k in chosen]) if reading.text]
    readings.sort(key=lambda reading: -reading.confidence)
    texts = [reading.text for reading in readings]
    if len(texts) < LEAST:
        return reader
    characters = _classes(reader, texts[: int(SURE_OF_CHARACTERS * len(texts))])
    lengths = _lengths(texts[: int(SURE_OF_LENGTH * len(texts))])
    facts = replace(reader.facts, classes=characters[0], forms=characters[1], lengths=lengths)
    return SequenceReader(start_from(reader, facts), facts)


def _lengths(texts: Sequence[str]) -> tuple[int, ...]:
    length, count = Counter(map(len, texts)).most_common(1)[0]
    return (length,) if count >= USUAL * len(texts) else ()


def _classes(reader: SequenceReader, texts: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes that are kept and their forms."""
    counts = Counter("".join(texts))
    total = sum(counts.values())
    kept = set(reader.classes)
    if total >= PER_CLASS * len(counts):
        kept = {c for c, count in counts.items() if count >= RARE * total / len(counts)}
    pairs = [pair for pair in zip(reader.classes, reader.facts.forms, strict=True) if pair[0] in kept]
    return tuple(c for c, _ in pairs), tuple(form for _, form in pairs)
