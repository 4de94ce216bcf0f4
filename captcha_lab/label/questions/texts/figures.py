"""Figures about the work on whole captchas: how many texts are right, which are in dispute, what is confused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from captcha_lab.label.questions.advice import Z
from captcha_lab.label.questions.types import NOTHING_KNOWN, CharacterCount, Confusion, Estimate
from captcha_lab.recognise.contract import Reading
from captcha_lab.store.catalog.labels import Label


def text_estimate(
    images: Sequence[int], labels: Mapping[int, Label], readings: Mapping[int, Reading]
) -> Estimate:
    """Share of right texts by the reader's own confidence; labels count as right."""
    if not readings:
        return NOTHING_KNOWN
    right = np.array(
        [1.0 if k in labels else readings[k].confidence if k in readings else 0.0 for k in images]
    )
    value, half = float(right.mean()), Z * float(np.sqrt((right * (1 - right)).sum())) / len(right)
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), "model", len(right))


def disputes(
    labels: Mapping[int, Label], crossed: Mapping[int, Reading], least: float
) -> list[tuple[int, Reading]]:
    """Labelled captchas that a reader which did not learn their label reads otherwise, the surest first."""
    found = [
        (k, reading)
        for k, reading in crossed.items()
        if k in labels and labels[k].value and reading.text not in ("", labels[k].value)
        if reading.confidence >= least
    ]
    return sorted(found, key=lambda pair: (-pair[1].confidence, pair[0]))


def character_counts(alphabet: Iterable[str], labels: Mapping[int, Label]) -> tuple[CharacterCount, ...]:
    """How often each character stands in the labels: those of the alphabet, then others."""
    alphabet = tuple(alphabet)
    counts = Counter("".join(label.value for label in labels.values()))
    others = sorted(set(counts) - set(alphabet))
    return tuple(CharacterCount(character, counts[character]) for character in (*alphabet, *others))


def text_confusions(pairs: Iterable[tuple[str, str]], most: int = 8) -> tuple[Confusion, ...]:
    """Pairs of characters (label, reading) that differ between texts of equal length, most frequent first."""
    found = Counter(
        (given, read)
        for label, text in pairs
        if len(label) == len(text)
        for given, read in zip(label, text, strict=True)
        if given != read
    )
    return tuple(Confusion(given, read, count) for (given, read), count in found.most_common(most))
