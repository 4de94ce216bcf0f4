"""The progress bar: one at a time, on stderr; Rich is imported only where one is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    """How many a second; how many seconds each, where that is the larger number."""

    def render(self, task: Task) -> Text:
        if not task.speed:
            return Text("")
        return Text(f"{task.speed:,.1f}/s" if task.speed >= 1 else f"{1 / task.speed:,.1f} s each")


class _Left(TimeRemainingColumn):
    """The time that remains, said as such."""

    def render(self, task: Task) -> Text:
        return super().render(task) + (" left" if task.speed else "")


FIGURES = 52  # columns that the bar and its figures take


class _Lines(Progress):
    """Phase, bar, figures and note on one line where the terminal has room, else phase and note above the rest."""

    def get_renderables(self) -> Iterator[RenderableType]:
        """What is drawn now."""
        phase, note = (
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[note]}", markup=False),
        )
        figures = [BarColumn(bar_width=24), MofNCompleteColumn(), _Rate(), _Left()]
        for task in self.tasks:
            said = f"{task.description} {task.fields['note']}"
            wide = self.console.width >= len(said) + FIGURES
            self.columns = (phase, *figures, note) if wide else tuple(figures)
            if not wide:
                yield Text(said, no_wrap=True, overflow="ellipsis")
            yield self.make_tasks_table([task])


class TerminalBar:
    """A bar in a terminal whose phase and note can change; messages appear above it, never in it."""

    def __init__(self, phase: str) -> None:
        self._progress = _Lines(console=Console(stderr=True), transient=True)
        self._phase = phase
        self._task = self._progress.add_task(phase, total=None, note="")

    def update(self, phase: str, done: int, total: int, note: str) -> None:
        """Show `done` of `total` of a phase; a new phase starts its own clock."""
        phase = phase[:1].upper() + phase[1:]
        if phase != self._phase:
            self._phase = phase
            self._progress.remove_task(self._task)
            self._task = self._progress.add_task(phase, total=None, note="")
        self._progress.update(self._task, completed=done, total=total, note=note)

    def print(self, message: str) -> None:
        """A line above the bar."""
        self._progress.console.print(message, markup=False, highlight=False)

    def __enter__(self) -> TerminalBar:
        self._progress.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._progress.stop()

    def pause(self) -> None:
        """Leave the terminal to a question."""
        self._progress.stop()

    def resume(self) -> None:
        """Draw again after `pause`."""
        self._progress.start()
