"""What page and terminal need of the engine, and saving an answer while there is none yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from captcha_lab.alphabet import Alphabet
from captcha_lab.label.questions.types import Answer, Item, Outcome, Panel, Queue
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
from captcha_lab.store.workspace import DatasetFolder

Progress = Callable[[int, int], None]  # (done, total)


class Engine(Protocol):
    """Decides what is asked; every method may be called from any thread."""

    def queues(self) -> list[Queue]:
        """All queues with their counts and worth."""

    def items(self, queue: str, count: int, exclude: frozenset[str]) -> list[Item]:
        """The next `count` questions of a queue, without those whose id is in `exclude`."""

    def panel(self) -> Panel:
        """Where the work stands."""

    def answer(self, answer: Answer) -> Outcome:
        """Save an answer (see `record` for errors)."""

    def accept_rest(
        self, *, session: str, keystrokes: int, token: str, expected_revision: int
    ) -> Outcome | None:
        """Make every proposal that waits a label, in one act; None where there is none."""

    def refresh(self) -> None:
        """The labels changed otherwise: take them from the log."""

    def retrain(self) -> None:
        """Work out the proposals again; slow, and the other methods go on meanwhile."""


EngineMaker = Callable[[DatasetFolder, Alphabet, Progress], Engine]


def record(log: LabelLog, answer: Answer) -> int:
    """Save an answer without an engine; returns the act's number (see `LabelLog.record` for errors)."""
    events = [LabelEvent(*mark, source="human") for mark in answer.typed]
    events += [LabelEvent(*mark, source="batch") for mark in answer.spread]
    return log.record(
        answer.queue,
        events,
        session=answer.session,
        keystrokes=answer.keystrokes,
        token=answer.token,
        expected_revision=answer.expected_revision,
    )
