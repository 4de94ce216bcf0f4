"""A sequence reader for given captchas before training: its outputs, and the base reader's weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch

from captcha_lab.recognise.codec.ctc import columns_needed
from captcha_lab.recognise.networks.sequence import LEAST_HEIGHT, STRIDE, SequenceNetwork
from captcha_lab.recognise.sequence.columns import Scaling
from captcha_lab.recognise.sequence.reader import SequenceFacts, SequenceReader

USUAL = 0.98  # share of the texts that must have one length for it to be the only one
ENOUGH_TEXTS = 10  # labelled captchas from which their one length is taken for a rule
MISSED = 1e-3  # probability that labels so many would not show a character that occurs, below which it doesn't occur
ROOM = 1.3  # columns to each one that a text needs
WIDEST_STRETCH = 8.0
FINER = 48  # pixels of height at which captchas are learned that are higher than 32


def facts_of(
    images: Sequence[np.ndarray], texts: Sequence[str], base: SequenceReader | None = None
) -> SequenceFacts:
    """What labelled captchas say of a reader for them.

    Args:
        images: uint8 [H, W] or [H, W, 3] each.
        texts: of each captcha.
        base: the reader to start from, of whose characters those are kept that few labels may not have shown yet.
    """
    classes = tuple(sorted(set("".join(texts)) | _unseen(texts, base.classes if base else ())))
    height = max(height_of(images), base.facts.height if base else 0)
    return SequenceFacts(
        classes,
        tuple(_forms(classes)),
        _lengths(texts),
        _stretch(images, texts, height),
        residuals=base.facts.residuals if base else 0,
        height=height,
    )


def _unseen(texts: Sequence[str], known: Sequence[str]) -> set[str]:
    """Known characters of a kind that the labels use, where the labels are too few to rule them out."""
    counts = Counter("".join(texts))
    kept: set[str] = set()
    for kind in (str.isdigit, str.isupper, str.islower):
        seen = [c for c in counts if c.isascii() and kind(c)]
        total = sum(counts[c] for c in seen)
        if seen and math.exp(-total / len(seen)) > MISSED:
            kept |= {c for c in known if kind(c)}
    return kept


def _forms(classes: Sequence[str]) -> list[str]:
    """Each class with its other case, unless that is a class of its own (ß and its like have no such case)."""
    taken = set(classes)
    swapped = [c.swapcase() for c in classes]
    return [
        c + s if len(s) == 1 and s not in taken and c.isascii() else c
        for c, s in zip(classes, swapped, strict=True)
    ]


def _lengths(texts: Sequence[str]) -> tuple[int, ...]:
    counts = Counter(map(len, texts))
    length, count = counts.most_common(1)[0]
    return (length,) if count >= USUAL * len(texts) and len(texts) >= ENOUGH_TEXTS else ()


def height_of(images: Sequence[np.ndarray]) -> int:
    """The height in pixels at which captchas are learned: a finer one where they are high enough to gain by it."""
    return FINER if np.median([image.shape[0] for image in images]) > LEAST_HEIGHT else LEAST_HEIGHT


def _stretch(images: Sequence[np.ndarray], texts: Sequence[str], height: int) -> float:
    """Widening after which all but the oddest pictures have columns for their texts."""
    wanted = [
        ROOM * STRIDE * columns_needed(text) / Scaling(height).width(image)
        for image, text in zip(images, texts, strict=True)
    ]
    return float(np.clip(np.quantile(wanted, 0.99), 1.0, WIDEST_STRETCH))


def start_from(base: SequenceReader, facts: SequenceFacts) -> SequenceNetwork:
    """A network for these outputs with the base reader's weights; outputs it does not know start afresh."""
    network = facts.network()
    weights = base.network.state_dict()
    rows = {c: 1 + k for k, c in enumerate("".join(base.facts.forms))}
    fresh = network.state_dict()
    for name in ("output.weight", "output.bias"):
        values = fresh[name].clone()
        values[0] = weights[name][0]
        for k, character in enumerate("".join(facts.forms)):
            if character in rows:
                values[1 + k] = weights[name][rows[character]]
            elif name == "output.bias":
                values[1 + k] = weights[name][1:].mean()
        weights[name] = values
    network.load_state_dict(weights)
    return network


def start_fresh(facts: SequenceFacts, seed: int) -> SequenceNetwork:
    """A network whose weights depend on the seed alone, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return facts.network()
