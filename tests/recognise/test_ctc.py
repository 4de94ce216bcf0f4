"""CTC's codec beside brute force: every path of a short captcha is counted."""

from itertools import product

import numpy as np
import pytest
import torch

from captcha_lab.recognise.codec.ctc import (
    Scores,
    align,
    beam_search,
    columns_needed,
    decode,
    encode,
    greedy,
    log_probabilities,
)


def random_scores(columns: int, classes: int, seed: int, sharpness: float = 1.0) -> Scores:
    values = np.random.default_rng(seed).normal(0, sharpness, (columns, 1 + classes)).astype(np.float32)
    return torch.from_numpy(values).log_softmax(1).numpy()


def reads_as(path: tuple[int, ...]) -> tuple[int, ...]:
    merged = [k for t, k in enumerate(path) if t == 0 or path[t - 1] != k]
    return tuple(k for k in merged if k)


def all_texts(scores: Scores) -> dict[tuple[int, ...], float]:
    """Probability of every text, summed over all paths."""
    found: dict[tuple[int, ...], float] = {}
    for path in product(range(scores.shape[1]), repeat=len(scores)):
        chance = float(np.exp(sum(scores[t, k] for t, k in enumerate(path))))
        found[reads_as(path)] = found.get(reads_as(path), 0.0) + chance
    return found


def sure_of(text: tuple[int, ...], columns: int, classes: int) -> Scores:
    """Scores that spell a text, one character and one blank after another."""
    values = np.zeros((columns, 1 + classes), np.float32)
    values[:, 0] = 8
    for place, k in enumerate(text):
        values[2 * place + 1, k] = 16
    return torch.from_numpy(values).log_softmax(1).numpy()


@pytest.mark.parametrize("seed", range(6))
def test_text_probabilities_are_sums_over_paths(seed: int) -> None:
    scores = random_scores(5, 3, seed)
    texts = all_texts(scores)
    assert sum(texts.values()) == pytest.approx(1, abs=1e-4)
    names = list(texts)
    found = log_probabilities([scores] * len(names), names)
    np.testing.assert_allclose(np.exp(found), [texts[name] for name in names], rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("seed", range(6))
def test_the_beam_finds_the_most_probable_text(seed: int) -> None:
    scores = random_scores(5, 3, seed)
    texts = all_texts(scores)
    found = beam_search(scores, width=64)
    assert found is not None
    text, chance = found
    assert texts[text] == pytest.approx(max(texts.values()))
    assert np.exp(chance) == pytest.approx(texts[text], rel=1e-3)


@pytest.mark.parametrize(("seed", "length"), [(0, 1), (1, 2), (2, 3), (3, 4)])
def test_a_beam_of_one_length_gives_the_probability_among_texts_of_that_length(
    seed: int, length: int
) -> None:
    scores = random_scores(6, 2, seed)
    allowed = {text: p for text, p in all_texts(scores).items() if len(text) in (0, length)}
    found = beam_search(scores, [length], width=64)
    assert found is not None
    text, chance = found
    assert allowed[text] == pytest.approx(max(allowed.values()))
    assert np.exp(chance) == pytest.approx(allowed[text] / sum(allowed.values()), rel=0.02)


def test_a_length_that_does_not_occur_is_read_again() -> None:
    scores = sure_of((1, 2, 3), 8, 3)
    doubtful = scores.copy()
    doubtful[5] = np.log([0.55, 0.15, 0.15, 0.15])
    plain, fixed = decode([doubtful])[0], decode([doubtful], lengths=[3])[0]
    assert len(plain.text) == 2
    assert len(fixed.text) == 3
    assert fixed.text[:2] == (1, 2)
    assert fixed.log_probability < np.log(0.6)  # three characters were equally likely


def test_a_blank_captcha_reads_as_nothing_whatever_lengths_occur() -> None:
    blank = sure_of((), 8, 3)
    found = decode([blank], lengths=[5])[0]
    assert found.text == ()
    assert found.columns == ()
    assert found.certainty == ()
    assert np.exp(found.log_probability) > 0.9


def test_an_alignment_spells_the_text_in_order() -> None:
    scores = sure_of((2, 2, 1), 9, 3)
    assert greedy(scores) == (2, 2, 1)
    assert align(scores, (2, 2, 1)) == ((1, 2), (3, 4), (5, 6))
    with pytest.raises(ValueError, match="9 columns cannot spell"):
        align(scores, (1,) * 6)


@pytest.mark.parametrize(("text", "columns"), [("", 0), ("abc", 3), ("aab", 4), ("aaa", 5)])
def test_columns_needed(text: str, columns: int) -> None:
    assert columns_needed(text) == columns


def test_targets_are_numbered_from_one() -> None:
    targets, lengths = encode(["ba", "", "c"], "abc")
    assert targets.tolist() == [2, 1, 3]
    assert lengths.tolist() == [2, 0, 1]
    assert encode([], "abc")[0].dtype == torch.int64
