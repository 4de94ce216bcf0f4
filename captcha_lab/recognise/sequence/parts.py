"""Which captchas of a text set the sequence reader learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from captcha_lab.recognise.codec.ctc import columns_needed
from captcha_lab.recognise.contract import Reading
from captcha_lab.recognise.sequence.columns import columns_of
from captcha_lab.recognise.sequence.reader import SequenceFacts
from captcha_lab.store.packed.texts import TextSet

MOST_UNLABELLED = 4000


def fitting_in(part: TextSet, facts: SequenceFacts) -> TextSet:
    """The captchas that have columns enough for their texts."""
    return part.take(
        np.array(
            [
                columns_of(facts.scaling.width(image)) >= columns_needed(text)
                for image, text in zip(part.images, part.texts, strict=True)
            ],
            bool,
        )
    )


def without_text(data: TextSet, seed: int) -> TextSet:
    """Captchas of the training split that nobody has labelled, so many of them as are learned from."""
    training = data.part("train", labelled=False)
    others = training.take(np.array([not text for text in training.texts], bool))
    return others.take(np.random.default_rng(seed).permutation(len(others))[:MOST_UNLABELLED])


def as_read(part: TextSet, readings: Sequence[Reading], rows: Sequence[int]) -> TextSet:
    """Some captchas of a part, with what was read as their texts."""
    return replace(part, texts=tuple(reading.text for reading in readings)).take(np.array(rows, np.int64))
