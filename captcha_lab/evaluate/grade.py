"""A grade: one letter from A to F and what it means, so that a page says at a glance how good something is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Grade:
    """One of a scale of letters.

    Attributes:
        letter: "A" (best) to "F".
        meaning: what the letter says, as a clause.
    """

    letter: str
    meaning: str


def graded(value: float, scale: tuple[tuple[float, str], ...]) -> Grade:
    """The first grade, A onwards, whose limit a value reaches; the last one has no limit to reach.

    >>> graded(0.97, ((0.99, "excellent"), (0.95, "good"), (0.0, "poor"))).letter
    'B'
    """
    letters = "ABCDEF" if len(scale) > 5 else "ABCDF"
    place = next((k for k, (limit, _) in enumerate(scale) if value >= limit), len(scale) - 1)
    return Grade(letters[place], scale[place][1])
