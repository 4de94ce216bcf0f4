"""Edit distance and alignment beside a brute-force reference that shares no code with them."""

import random
from functools import cache

import pytest

from captcha_lab.errors import UsageError
from captcha_lab.metrics import text


@cache
def by_recursion(first: str, second: str) -> int:
    if not first or not second:
        return len(first) + len(second)
    return min(
        by_recursion(first[1:], second) + 1,
        by_recursion(first, second[1:]) + 1,
        by_recursion(first[1:], second[1:]) + (first[0] != second[0]),
    )


def words() -> list[tuple[str, str]]:
    draw = random.Random(3)
    made = ["".join(draw.choice("AB1") for _ in range(length)) for length in range(7) for _ in range(4)]
    return [(first, second) for first in made for second in made]


def test_edit_distance_agrees_with_recursion() -> None:
    for first, second in words():
        assert text.edit_distance(first, second) == by_recursion(first, second)


def test_an_alignment_spells_both_texts_and_costs_the_distance() -> None:
    for first, second in words():
        pairs = text.align(first, second)
        assert "".join(truth for truth, _ in pairs) == first
        assert "".join(read for _, read in pairs) == second
        assert ("", "") not in pairs
        assert sum(truth != read for truth, read in pairs) == text.edit_distance(first, second)


def test_figures_of_texts_worked_by_hand() -> None:
    truths, readings = ["ABCD", "EFG", "H"], ["ABCD", "EG", "HH"]
    assert text.text_accuracy(truths, readings)[3:] == (1, 3)
    assert text.character_accuracy(truths, readings)[3:] == (7, 8)
    assert text.character_error_rate(truths, readings) == pytest.approx(2 / 8)
    assert text.confusions(truths, readings) == {("", "H"): 1, ("F", ""): 1}
    # A reading of nothing errs once a character; one that goes on and on errs more than that.
    assert text.character_error_rate(["AB"], [""]) == 1
    assert text.character_error_rate(["AB"], ["ABXXXX"]) == 2


def test_no_texts_and_unequal_numbers() -> None:
    assert text.text_accuracy([], []).trials == 0
    assert text.character_error_rate([], []) != text.character_error_rate([], [])  # not a number
    with pytest.raises(UsageError, match="2 texts do not match 1 readings"):
        text.text_accuracy(["A", "B"], ["A"])
