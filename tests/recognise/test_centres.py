"""Where characters stand: means of what a reader says, of captchas that it reads right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from captcha_lab.recognise.centres import LEAST, mean_centres
from captcha_lab.recognise.contract import Box, Reading


class Told:
    """A reader that reads what it is told."""

    kind = "told"
    classes = ("A", "B")

    def __init__(self, readings: list[Reading]) -> None:
        self.readings = readings

    def read(self, images: Iterable[Any]) -> list[Reading]:
        return self.readings[: len(list(images))]


def reading(text: str, *lefts: int) -> Reading:
    boxes: tuple[Box, ...] = tuple((left, 2, left + 10, 18) for left in lefts)
    return Reading(text, 1.0, (1.0,) * len(text), boxes or None)


PICTURE = np.zeros((20, 50), np.uint8)


def test_the_mean_of_right_readings_by_length() -> None:
    readings = [reading("ab", 0, 20), reading("AB", 10, 30)] * LEAST
    readings += [
        reading("BA", 40, 40),
        reading("AB"),
        reading("A", 30),
    ]  # wrong, no boxes, too few of one character
    texts = ["AB"] * (2 * LEAST) + ["AB", "AB", "A"]
    one, two = mean_centres(Told(readings), [PICTURE] * len(texts), texts)
    assert (one, two) == ((), (0.2, 0.6))


def test_nothing_read_right_says_nothing() -> None:
    assert mean_centres(Told([reading("B", 1)] * 9), [PICTURE] * 9, ["A"] * 9) == ((),)
    assert mean_centres(Told([]), [], []) == ()


def test_characters_that_are_spread_evenly_are_taken_as_exactly_even() -> None:
    readings = [reading("AB", 9, 33)] * LEAST  # centres at 14 and 38 of 50, evenly 12.5 and 37.5
    assert mean_centres(Told(readings), [PICTURE] * LEAST, ["AB"] * LEAST) == ((), ())
    readings = [reading("AB", 11, 33)] * LEAST
    assert mean_centres(Told(readings), [PICTURE] * LEAST, ["AB"] * LEAST) == ((), (0.32, 0.76))
