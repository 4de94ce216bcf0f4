"""What a topic is: a small experiment, a paragraph that says what it shows, and a picture of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captcha_lab.extras import require
from captcha_lab.plot import Plot
from captcha_lab.store.files import atomic_path


@dataclass(frozen=True)
class Explanation:
    """An experiment that was run."""

    paragraph: str
    """What it shows, with its figures, in plain sentences."""
    figures: dict[str, Any]
    """Its figures, JSON values."""
    draw: Callable[[Any], None]
    """Draws it on a matplotlib figure."""

    def plot(self, width: float = 8.0, height: float = 4.0) -> Plot:
        """The picture, for notebooks.

        Raises:
            CaptchaLabError: matplotlib is not installed.
        """
        require("matplotlib")
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height), layout="constrained")
        self.draw(figure)
        return Plot(figure)

    def save(self, path: Path, width: float = 8.0, height: float = 4.0) -> None:
        """Write the picture (needs matplotlib); the type is the path's, PNG or SVG."""
        with atomic_path(path) as temporary:
            self.plot(width, height).figure.savefig(temporary, dpi=110)


@dataclass(frozen=True)
class Topic:
    """One entry of the registry."""

    name: str
    summary: str
    source: str
    """Where it is taught."""
    explain: Callable[[int], Explanation]
    """Runs the experiment with a seed, in a few seconds on one core."""
