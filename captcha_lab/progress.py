"""How long work says how far it has come."""

from __future__ import annotations

from typing import Protocol


class PhaseProgress(Protocol):
    """Called as work goes on, which has phases that people can name."""

    def __call__(self, phase: str, done: int, total: int, note: str = "") -> None:
        """So much is done of a phase.

        Args:
            phase: what is being done, in words.
            done: of `total`.
            total: known from the phase's start on.
            note: what else there is to be said, such as the loss.
        """


class ProgressBar(Protocol):
    """A progress bar: called with what is done and planned of the phase that it was made for, or given another."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """So much of the first phase is done."""

    @property
    def phase(self) -> PhaseProgress:
        """The same, of a phase that is named each time."""


def no_progress(phase: str, done: int, total: int, note: str = "") -> None:
    """Show nothing."""
