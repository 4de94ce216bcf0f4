"""How good a generator is, as a sentence: one word, and what it is weakest in first."""

from __future__ import annotations

import pytest

from captcha_lab.generate.watching.quality import in_words


@pytest.mark.parametrize(
    ("score", "word"),
    [(1.0, "Good"), (0.9, "Good"), (0.8, "Usable"), (0.5, "Weak"), (0.39, "Poor"), (0.0, "Poor")],
)
def test_the_word_goes_with_the_score(score: float, word: str) -> None:
    assert in_words({"score": score, "recall": 0.5, "coverage": 0.6, "gan_test": 0.7}).startswith(f"{word} (")


def test_the_weakest_side_comes_first() -> None:
    said = in_words({"score": 0.7, "gan_test": 0.98, "recall": 0.41, "coverage": 0.8, "precision": 0.1})
    assert "Weakest: the samples reach 41% of the variety" in said
    assert said.index("80% of real images") < said.index("98% of the samples are read as what was asked for")
    assert "look like real" not in said  # what was asked for is the better measure, where there is one


def test_without_classes_the_likeness_counts() -> None:
    assert "Weakest: 10% of the samples look like real images" in in_words(
        {"score": 0.2, "recall": 0.41, "coverage": 0.8, "precision": 0.1}
    )


def test_without_a_recogniser_nothing_is_claimed() -> None:
    assert in_words({"variance_ratio": 1.0}).startswith("Not judged: no recogniser")
