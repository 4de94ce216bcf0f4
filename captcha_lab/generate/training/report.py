"""How a generator's run ended, and what a caller may hear of while it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from captcha_lab.errors import CaptchaLabError
from captcha_lab.extras import require
from captcha_lab.generate.watching import pictures
from captcha_lab.generate.watching.alarms import Alarm
from captcha_lab.plot import Plot, picture_html
from captcha_lab.store.runs import Run


@dataclass(frozen=True)
class GeneratorReport:
    """How a run ended."""

    run: Path
    recipe: str
    iterations: int
    planned: int
    seconds: float
    best_iteration: int
    figures: dict[str, float]
    """Of the generator that was kept (the best one's evaluation)."""
    alarms: list[Alarm] = field(default_factory=list)
    interrupted: bool = False
    leads: bool = True
    """Whether this process wrote the run (with several processes, one does)."""
    verdict: str = ""
    """How good the kept generator is, in words, by the recogniser that chose the weights."""

    def __repr__(self) -> str:
        return (
            f"GeneratorReport({self.run.name}, {self.recipe}: {self.iterations} iterations. {self.verdict})"
        )

    def _repr_html_(self) -> str:
        """The verdict, and the samples as training went on."""
        head = f"<p><b>{escape(self.run.name)}</b> ({escape(self.recipe)}): {escape(self.verdict)}</p>"
        strip = self.run / "progress.png"
        return head + (picture_html(strip.read_bytes(), "early to late", scale=2) if strip.is_file() else "")

    def plot(self) -> Plot:
        """Losses and quality over the iterations.

        Raises:
            CaptchaLabError: matplotlib is not installed, or the run logged nothing.
        """
        require("matplotlib")
        figure = pictures.curves_figure(Run(self.run).history(), f"{self.run.name}: {self.recipe}")
        if figure is None:
            raise CaptchaLabError(f"{self.run.name} logged nothing that could be drawn.")
        return Plot(figure)

    @property
    def broken(self) -> bool:
        """Whether it ended early because a figure was no number any more."""
        return any(alarm.kind == "nan" for alarm in self.alarms)


@dataclass
class Hooks:
    """What a caller may want to hear of."""

    started: Callable[[Run], None] = lambda run: None
    """Once, when the run's folder is there and training begins; in the process that writes it."""
    progress: Callable[[int, int, dict[str, float]], None] = lambda done, total, figures: None
    """After each log entry: iterations done, of how many, figures."""
    alarm: Callable[[Alarm], None] = lambda alarm: None
