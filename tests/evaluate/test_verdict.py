"""The verdict: the worst fault first, single classes too, and a grade that says what it means."""

import pytest

from captcha_lab.evaluate.generators.figures import Value
from captcha_lab.evaluate.generators.verdict import FAULTS, GRADES, judge_figures
from captcha_lab.metrics.intervals import wilson

REAL = {"gan_test": Value(0.998), "frechet": Value(20.0), "precision": Value(0.9), "recall": Value(0.9),
        "coverage": Value(0.9), "roughness": Value(1.0)}  # fmt: skip
GOOD = REAL | {"gan_test": Value(0.99), "frechet": Value(24.0)}


def test_a_class_that_reads_nothing_comes_before_speckle() -> None:
    """The report that said "speckled, 91.0 %" while E read 0 %, 5 36 % and 9 37 %."""
    figures = GOOD | {"gan_test": Value(0.91), "roughness": Value(1.5)}
    shares = {name: wilson(99, 100) for name in "234678ABCD"}
    shares |= {"5": wilson(36, 100), "E": wilson(0, 100), "9": wilson(37, 100)}
    verdict = judge_figures("fast-1", figures, REAL, shares)
    assert verdict.faults == ("classes misread", "speckled")
    assert verdict.sentence.startswith(
        "fast-1 hardly makes a readable E (0 % read as asked), 5 (36 %) and 9 (37 %) and leaves speckle"
    )
    assert (verdict.grade.letter, verdict.disqualified) == ("D", False)


def test_many_misread_classes_are_counted_and_few_samples_accuse_nobody() -> None:
    shares = {name: wilson(k, 100) for k, name in enumerate("ABCDEFG")} | {"H": wilson(0, 3)}
    sentence = judge_figures("x", GOOD, REAL, shares).sentence
    assert "A (0 % read as asked), B (1 %), C (2 %), D (3 %), E (4 %) and 2 more" in sentence
    assert "H (" not in sentence


def test_a_fault_of_all_classes_is_not_blamed_on_single_ones() -> None:
    swapped = GOOD | {"gan_test": Value(0.02)}
    shares = {name: wilson(2, 100) for name in "ABC"}
    assert judge_figures("x", swapped, REAL, shares).faults == ("wrong class",)


@pytest.mark.parametrize(
    ("change", "letter"),
    [
        ({}, "A"),
        ({"frechet": Value(80.0)}, "B"),
        ({"roughness": Value(0.5)}, "C"),
        ({"recall": Value(0.4), "roughness": Value(2.0)}, "C"),
        ({"exact_copies": Value(1.0)}, "F"),
        ({"gan_test": Value(0.1)}, "F"),
    ],
)
def test_grades(change: dict[str, Value], letter: str) -> None:
    verdict = judge_figures("x", GOOD | change, REAL, {})
    assert verdict.grade.letter == letter
    assert verdict.grade.meaning == GRADES[letter]
    assert list(verdict.faults) == [fault for fault in FAULTS if fault in verdict.faults]  # the worst first
