"""What a user asks `captcha-lab eval` for; without torch or numpy, so that the command line can show it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from captcha_lab.errors import UsageError


@dataclass(frozen=True)
class EvalRequest:
    """Which models, beside which printed grids, and where the report goes.

    Attributes:
        runs: generator runs (names or folders); empty: the newest one.
        every: all generator runs of the dataset.
        recogniser: run name of the recogniser; None: the newest one that reads this dataset.
        figures: folder of printed grids with a `figures.json`.
        inception: file of Inception weights for literature FID.
        retrain: train each run anew with further seeds, until there are as many as seeds are measured.
        folder: of the report; None: in the run's folder, or the workspace's `evaluation/`.
        command: the command line, for the report.
        named: the dataset was named, so that no other one is taken where it is not there.

    Raises:
        UsageError: options that exclude each other.
    """

    runs: tuple[str, ...] = ()
    every: bool = False
    recogniser: str | None = None
    figures: Path | None = None
    inception: Path | None = None
    folder: Path | None = None
    retrain: bool = False
    command: str = "captcha-lab eval"
    named: bool = False

    def __post_init__(self) -> None:
        if self.runs and self.every:
            raise UsageError("--all evaluates every run: leave --model and --compare out.")
        if self.every and self.retrain:
            raise UsageError(
                "--retrain would train every run again: name the runs with --model instead of --all."
            )

    @property
    def generators(self) -> bool:
        """Whether generators or printed grids were asked for by name."""
        return bool(self.runs) or self.every or self.figures is not None
