"""CTC: texts to targets, and column scores to texts, confidences and alignments.

Graves et al., "Connectionist Temporal Classification", ICML 2006. A path names the blank or a character in every
column; it reads as the text that remains when repeats are merged and blanks removed. A text's probability is the
sum over its paths.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, log, log1p

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from captcha_lab.recognise.networks.sequence import BLANK

Scores = NDArray[np.float32]  # log-probabilities [T, 1 + K]

BEAM = 8  # texts kept from column to column
LEAST = log(5e-3)  # characters less probable in a column do not extend a text
NEVER = -inf


def columns_needed(text: str) -> int:
    """The fewest columns that can spell a text: one to a character and a blank between equal neighbours."""
    return len(text) + sum(a == b for a, b in pairwise(text))


def encode(texts: Sequence[str], classes: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Targets of `torch.nn.functional.ctc_loss`: class numbers of all texts in a row, int64, and lengths int64 [N]."""
    number = {character: k + 1 for k, character in enumerate(classes)}
    flat = [number[character] for text in texts for character in text]
    return torch.tensor(flat, dtype=torch.int64), torch.tensor([len(text) for text in texts])


@dataclass(frozen=True)
class Decoded:
    """A text as class numbers (from 1), its log-probability, and the columns of each character."""

    text: tuple[int, ...]
    log_probability: float
    columns: tuple[tuple[int, int], ...]  # first and last column + 1 of each character
    certainty: tuple[float, ...]  # probability of each character in its best column


def decode(scores: Sequence[Scores], lengths: Collection[int] = (), sure: float = 0.98) -> list[Decoded]:
    """Read every captcha: greedily, and by beam search where that leaves doubt or gives an impossible length.

    Args:
        scores: log-probabilities of one captcha each, [T, 1 + K].
        lengths: numbers of characters that occur; all where empty. The empty text always may.
        sure: probability of the greedy text from which no beam search is made.
    """
    texts = [greedy(part) for part in scores]
    chances = log_probabilities(scores, texts)
    found = []
    for part, text, chance in zip(scores, texts, chances, strict=True):
        allowed = not lengths or not text or len(text) in lengths
        if not allowed or chance < log(sure):
            text, chance = beam_search(part, lengths) or (text, chance)
        found.append(_aligned(part, text, float(chance)))
    return found


def greedy(scores: Scores) -> tuple[int, ...]:
    """The text of the most probable path."""
    best = scores.argmax(1)
    kept = best[np.r_[True, best[1:] != best[:-1]] & (best != BLANK)] if len(best) else best
    return tuple(kept.tolist())


def log_probabilities(scores: Sequence[Scores], texts: Sequence[tuple[int, ...]]) -> NDArray[np.float64]:
    """Log-probability of one text for each captcha, summed over its paths: float64 [N]."""
    if not scores:
        return np.empty(0)
    padded = np.zeros((max(map(len, scores)), len(scores), scores[0].shape[1]), np.float32)
    for k, part in enumerate(scores):
        padded[: len(part), k] = part
    losses = F.ctc_loss(
        torch.from_numpy(padded),
        torch.tensor([k for text in texts for k in text], dtype=torch.int64),
        torch.tensor([len(part) for part in scores]),
        torch.tensor([len(text) for text in texts]),
        blank=BLANK,
        reduction="none",
    )
    return -losses.numpy().astype(np.float64)


def beam_search(
    scores: Scores, lengths: Collection[int] = (), width: int = BEAM
) -> tuple[tuple[int, ...], float] | None:
    """The most probable text of an allowed length, and its share of all such texts found.

    Returns:
        The text and its log-probability given that the length is an allowed one; None where no text of such a
        length was found.
    """
    longest = max(lengths) if lengths else len(scores)
    beams: dict[tuple[int, ...], tuple[float, float]] = {
        (): (0.0, NEVER)
    }  # text -> ends in blank, in a character
    for column in scores:
        likely = np.flatnonzero(column > max(LEAST, np.sort(column)[-min(width, len(column))] - 1e-6))
        values = {int(k): float(column[k]) for k in likely if k != BLANK}
        if not values:  # between characters: nothing changes but the probabilities, and little
            shut = float(column[BLANK])
            beams = {text: (_log_sum(*ends) + shut, NEVER) for text, ends in beams.items()}
            continue
        grown: dict[tuple[int, ...], tuple[float, float]] = {}
        for text, (blank, character) in beams.items():
            _add(grown, text, _log_sum(blank, character) + float(column[BLANK]), NEVER)
            if text:
                _add(grown, text, NEVER, character + float(column[text[-1]]))
            if len(text) < longest:
                for k, value in values.items():
                    before = blank if text and text[-1] == k else _log_sum(blank, character)
                    _add(grown, (*text, k), NEVER, before + value)
        ranked = sorted(grown.items(), key=lambda item: -_log_sum(*item[1]))
        beams = dict(ranked[: width * 2] if not lengths else _kept(ranked, width))
    ends = {t: _log_sum(*p) for t, p in beams.items() if not lengths or not t or len(t) in lengths}
    if not ends:
        return None
    best = max(ends, key=ends.__getitem__)
    total = float(np.logaddexp.reduce(list(ends.values()))) if lengths else 0.0
    return best, min(ends[best] - total, 0.0)


Beams = list[tuple[tuple[int, ...], tuple[float, float]]]


def _kept(ranked: Beams, width: int) -> Beams:
    """The best texts overall and of every length, so that an allowed length is not crowded out early."""
    count: dict[int, int] = {}
    kept = []
    for rank, item in enumerate(ranked):
        length = len(item[0])
        count[length] = count.get(length, 0) + 1
        if rank < width or count[length] <= 3:
            kept.append(item)
    return kept


def _add(
    beams: dict[tuple[int, ...], tuple[float, float]], text: tuple[int, ...], blank: float, char: float
) -> None:
    old_blank, old_char = beams.get(text, (NEVER, NEVER))
    beams[text] = _log_sum(old_blank, blank), _log_sum(old_char, char)


def _log_sum(a: float, b: float) -> float:
    """log(exp(a) + exp(b)); numpy's takes ten times as long on single numbers."""
    if a < b:
        a, b = b, a
    return a if b == NEVER else a + log1p(exp(b - a))


def _aligned(scores: Scores, text: tuple[int, ...], log_probability: float) -> Decoded:
    runs = _best_runs(scores) if text == greedy(scores) else align(scores, text)
    certainty = tuple(
        float(np.exp(scores[first:last, k].max())) for k, (first, last) in zip(text, runs, strict=True)
    )
    return Decoded(text, log_probability, runs, certainty)


def _best_runs(scores: Scores) -> tuple[tuple[int, int], ...]:
    """Columns of the greedy text's characters."""
    best = scores.argmax(1)
    edges = [0, *(np.flatnonzero(best[1:] != best[:-1]) + 1).tolist(), len(best)]
    return tuple((a, b) for a, b in pairwise(edges) if best[a] != BLANK)


def align(scores: Scores, text: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Columns of each character on the most probable path of a given text: first and last + 1.

    Raises:
        ValueError: there are fewer columns than the text needs.
    """
    if not text:
        return ()
    states = np.zeros(2 * len(text) + 1, np.int64)  # blank, first character, blank, second, …, blank
    states[1::2] = text
    skip = np.zeros(len(states), bool)  # a character may follow another one without a blank if it differs
    skip[3::2] = states[3::2] != states[1:-2:2]
    best = np.full(len(states), NEVER)
    best[:2] = scores[0, states[:2]]
    came = np.zeros((len(scores), len(states)), np.int64)
    for t in range(1, len(scores)):
        options = np.stack(
            [best, np.r_[NEVER, best[:-1]], np.where(skip, np.r_[NEVER, NEVER, best[:-2]], NEVER)]
        )
        came[t] = options.argmax(0)
        best = options.max(0) + scores[t, states]
    state = len(states) - 1 if best[-1] >= best[-2] else len(states) - 2
    if not np.isfinite(best[state]):
        raise ValueError(f"{len(scores)} columns cannot spell a text of {len(text)} characters")
    path = np.empty(len(scores), np.int64)
    for t in range(len(scores) - 1, -1, -1):
        path[t] = state
        state -= came[t, state]
    return tuple(
        (int(where[0]), int(where[-1]) + 1)
        for k in range(len(text))
        for where in [np.flatnonzero(path == 2 * k + 1)]
    )
