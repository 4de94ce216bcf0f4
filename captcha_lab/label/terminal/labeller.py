"""Labelling in the terminal: the page's questions as half blocks, answered line by line; works on a pipe too."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import shutil
from dataclasses import dataclass
from typing import TextIO

from captcha_lab.errors import UsageError
from captcha_lab.label.pictures import DatasetPictures
from captcha_lab.label.questions.mixed import MixedEngine
from captcha_lab.label.questions.types import BEST, QUEUE_NAMES, TITLES, Answer, Question
from captcha_lab.label.terminal.commands import HELP, Instruction, NotUnderstoodError, parse
from captcha_lab.label.terminal.keyboard import read_key, read_line
from captcha_lab.label.terminal.view import prompt, show
from captcha_lab.label.worker import Worker
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog, StaleRevisionError
from captcha_lab.store.workspace import DatasetFolder


@dataclass
class TerminalReport:
    """What was done: acts and the labels they gave, keys pressed, acts taken back, questions skipped and waiting."""

    queue: str
    acts: int = 0
    labels: int = 0
    keystrokes: int = 0
    undone: int = 0
    skipped: int = 0
    waiting: int = 0


class Terminal:
    """One session.

    Args:
        folder: the dataset.
        catalog: its catalog.
        engine: what asks.
        worker: completes the engine and trains it.
        queue: what is asked first.
        source: the person.
        out: where questions are shown.

    Raises:
        UsageError: there is no such queue.
    """

    def __init__(
        self,
        folder: DatasetFolder,
        catalog: Catalog,
        engine: MixedEngine,
        worker: Worker,
        queue: str,
        source: TextIO,
        out: TextIO,
    ) -> None:
        self.queue = _known(queue)
        self._engine, self._worker = engine, worker
        self._log = LabelLog(catalog)
        self._pictures = DatasetPictures(folder, catalog)
        self._source, self._out = source, out
        self._session = secrets.token_hex(8)
        self._skipped: set[str] = set()
        self._colour = out.isatty()
        self.report = TerminalReport(queue)

    def run(self) -> TerminalReport:
        """Ask until the queue is empty, the input ends or the person quits; every answer is saved at once."""
        with contextlib.suppress(KeyboardInterrupt):
            while self._one():
                pass
        self.report.queue = self.queue
        waiting = {queue.name: queue.count for queue in self._engine.queues()}
        self.report.waiting = waiting.get(self.queue, 0)  # type: ignore[call-overload]
        return self.report

    def _one(self) -> bool:
        found = self._engine.questions(self.queue, 1, self._skipped)
        if not found:
            self._print(f"Nothing waits in the queue {self.queue}.")
            return False
        width = shutil.get_terminal_size((100, 24)).columns if self._colour else 100
        for line in show(found[0], self._pictures, width, colour=self._colour):
            self._print(line)
        return self._ask(found[0])

    def _ask(self, question: Question) -> bool:
        """One question until it is answered, skipped or replaced; False ends the session."""
        while True:
            self._print(prompt(question), end="")
            at_once = self._source.isatty() and question.kind in ("glyph", "cluster")
            text = read_key(self._source, self._out) if at_once else read_line(self._source)
            if text is None:
                self._print("")
                return False
            if not self._source.isatty():
                self._print(text)  # a pipe echoes nothing: the transcript shows what was answered
            # Enter is a key too, unless it was not needed.
            keys = 1 if at_once and len(text) <= 1 else len(text) + 1
            self.report.keystrokes += keys
            try:
                said = parse(text, question, self._engine.texts.alphabet, keys)
                if isinstance(said, Answer):
                    self._save(said)
                    return True
                if said.verb == "help":
                    self._print(HELP)
                    continue
                return self._perform(said, question, keys)
            except (NotUnderstoodError, UsageError) as error:
                self._print(f"  {error}")

    def _perform(self, command: Instruction, question: Question, keys: int) -> bool:
        if command.verb == "skip":
            self._skipped.add(question.id)
            self.report.skipped += 1
        elif command.verb == "undo":
            self._undo(keys)
        elif command.verb == "queue":
            self._change(_known(command.argument))
        elif command.verb == "learn":
            self._learn(asked=True)
        elif command.verb == "add":
            self._engine.add_character(command.argument)
            self._print(f"  the alphabet is {self._engine.alphabet.characters} now")
        elif command.verb == "case":
            folded = not self._engine.texts.folded
            self._engine.set_case(folded=folded)
            self._print(
                f"  letters are saved {'in the case of the alphabet' if folded else 'as they are typed'}"
            )
        return command.verb != "quit"

    def _change(self, queue: str) -> None:
        if queue not in (BEST, *(known.name for known in self._engine.queues())):
            raise UsageError(f"Start with `captcha-lab label --queue {queue}` for that queue.")
        self.queue = queue

    def _save(self, answer: Answer) -> None:
        named = dataclasses.replace(answer, token=secrets.token_hex(16), session=self._session)
        try:
            outcome = self._engine.answer(named)
        except StaleRevisionError as error:
            self._print(f"  {error}")
            return
        count = len(outcome.targets)
        self.report.acts += 1
        self.report.labels += count
        if answer.value and outcome.value not in (None, answer.value):
            self._print(
                f"  {answer.value} is saved as {outcome.value}; /case keeps letters as they are typed"
            )
        self._print(f"  saved ({count} {'label' if count == 1 else 'labels'}, act {outcome.act_id})")
        self._learn()

    def _undo(self, keys: int) -> None:
        undone = self._log.undo(session=self._session, keystrokes=keys)
        if undone is None:
            self._print("  There is nothing left to undo.")
            return
        self.report.undone += 1
        what = TITLES[undone.kind][0] if undone.kind in TITLES else undone.kind
        self._print(f"  undone: act {undone.id} ({what})")

    def _learn(self, *, asked: bool = False) -> None:
        if asked:
            self._worker.ask()
        if self._worker.running:
            self._worker.look()
        else:
            self._worker.train_if_due()

    def _print(self, text: str, end: str = "\n") -> None:
        print(text, end=end, file=self._out, flush=True)


def _known(queue: str) -> str:
    if queue not in (BEST, *QUEUE_NAMES):
        raise UsageError(f"There is no queue {queue!r}: choose one of {', '.join((BEST, *QUEUE_NAMES))}.")
    return queue
