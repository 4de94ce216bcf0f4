"""What page, terminal and simulator need of whatever asks questions."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from captcha_lab.label.questions.types import Answer, LabelPanel, Outcome, Question, Queue
from captcha_lab.recognise.contract import Reading

Progress = Callable[[int, int], None]  # (done, total)
Readings = dict[int, Reading]  # by image id


class QuestionEngine(Protocol):
    """Decides what is asked and what an answer means; every method may be called from any thread."""

    def queues(self) -> list[Queue]:
        """The queues with their counts and what the next key in each is worth."""

    def questions(self, queue: str, count: int = 1, exclude: Collection[str] = frozenset()) -> list[Question]:
        """The next `count` questions of a queue, without those whose id is in `exclude`.

        Raises:
            UsageError: there is no such queue.
        """

    def panel(self) -> LabelPanel:
        """Where the work stands."""

    def answer(self, answer: Answer) -> Outcome:
        """Save an answer; it is durable when this returns.

        Raises:
            UsageError: a label is impossible, or the question is about something that does not exist.
            StaleRevisionError: the labels changed since the question was made; nothing was saved.
            CaptchaLabError: the disk refuses.
        """

    def accept_rest(
        self,
        *,
        session: str = "",
        keystrokes: int = 1,
        token: str | None = None,
        expected_revision: int | None = None,
    ) -> Outcome | None:
        """Make every proposal that waits a label, in one act; None where there is none."""

    def retrain(self) -> None:
        """Work out the proposals again; slow, and the other methods go on meanwhile."""
