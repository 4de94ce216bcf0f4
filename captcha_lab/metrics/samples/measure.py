"""A measure: one figure of samples, with its name, its range, its direction and its computation.

A file of this room that defines `MEASURES`, a tuple of them, adds them to every table, figure and report: `measures`
finds them by looking into the folder.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from captcha_lab.discovery import discover
from captcha_lab.metrics.intervals import Share
from captcha_lab.metrics.samples.subjects import ReadSamples

# One number; a share of samples; or the same share by each network of a panel. None: not to be had of this subject.
Result = float | Share | tuple[Share, ...] | None

# In the order of tables; the report shows one table under each heading.
GROUPS = ("reading", "distance", "diversity", "detail", "copies")


@dataclass(frozen=True)
class Measure:
    """One figure.

    Attributes:
        key: its name in `report.json`; of a further reader with that reader's suffix.
        title: its name for people.
        meaning: one sentence for the report.
        subject: the class of `captcha_lab.metrics.samples.subjects` that it is computed from.
        compute: from such a subject to the figure; None where this subject has none.
        better: "high", "low", or "baseline" where the best value is that of real images.
        style: "share" (printed as %), "ratio" (1 is real) or "number".
        group: one of `GROUPS`.
        low: smallest possible value.
        high: largest possible value.
        brief: column head of the terminal's table; empty: the table leaves it to the report.
        heading: column head of the report in plain words; empty: the title.
        every_reader: computed for every reader, or in every reader's features, not in the first one's alone.
        features: kinds of features it is defined for ("reader", "pixels", "attributes", "inception").
    """

    key: str
    title: str
    meaning: str
    subject: type[Any]
    compute: Callable[[Any], Result]
    better: str
    style: str
    group: str
    low: float = 0.0
    high: float = math.inf
    brief: str = ""
    heading: str = ""
    every_reader: bool = False
    features: tuple[str, ...] = ("reader", "pixels", "attributes")

    def by(self, suffix: str, reader: str, column: str = "") -> Measure:
        """The same measure by a further reader: its key gets a suffix, its title the reader's name.

        Only what it reads has a column in the terminal's table; distances in its features are left to the report.
        """
        return replace(
            self,
            key=with_suffix(self.key, suffix),
            title=f"{self.title} ({reader})",
            heading=f"{self.heading}, by the {reader}" if self.heading else "",
            brief=column if self.subject is ReadSamples else "",
        )

    def show(self, value: float | None) -> str:
        """The value as people read it; a dash where there is none."""
        if value is None or math.isnan(value):
            return "–"
        if self.style == "share":
            return f"{100 * value:.1f}"
        if self.style == "ratio":
            return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")

    @property
    def direction(self) -> str:
        """Which values are good, in words."""
        words = {
            "high": "higher is better",
            "low": "lower is better",
            "baseline": "best at the baseline's value",
        }
        return words[self.better]


def with_suffix(key: str, suffix: str) -> str:
    """The key of a measure by a further reader."""
    return f"{key}_{suffix}" if suffix else key


@cache
def measures() -> dict[str, Measure]:
    """Every measure by key, in the order of tables: by group, then by file.

    >>> measures()["frechet"].direction
    'lower is better'
    """
    found = [
        measure for part in discover("captcha_lab.metrics.samples", "MEASURES").values() for measure in part
    ]
    return {measure.key: measure for measure in sorted(found, key=lambda m: GROUPS.index(m.group))}


def compute(
    subject: Any, *, kind: str = "reader", suffix: str = "", first: bool = True
) -> dict[str, float | Share | tuple[Share, ...]]:
    """Every measure of a subject that can be had of it, by key.

    Args:
        subject: see `captcha_lab.metrics.samples.subjects`.
        kind: of the features it holds.
        suffix: of the keys, where it is not the first reader's.
        first: whether it is the first reader's, of which every measure is taken.
    """
    values = {
        with_suffix(measure.key, suffix): measure.compute(subject)
        for measure in measures().values()
        if measure.subject is type(subject) and kind in measure.features and (first or measure.every_reader)
    }
    return {key: value for key, value in values.items() if value is not None}
