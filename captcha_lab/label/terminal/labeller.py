"""Labelling in the terminal: the page's questions as half blocks, answered line by line; works on a pipe too."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import shutil
from dataclasses import dataclass
from typing import TextIO

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import UsageError
from captcha_lab.label.pictures import Pictures
from captcha_lab.label.questions.asking import record
from captcha_lab.label.questions.plain import Ground, PlainCaptchas
from captcha_lab.label.questions.types import QUEUE_NAMES, Answer, Item
from captcha_lab.label.terminal.commands import HELP, Command, NotUnderstoodError, parse
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
    """One session. Without a worker only whole captchas are asked, and nothing needs to be computed.

    Raises:
        UsageError: there is no such queue.
    """

    def __init__(
        self,
        folder: DatasetFolder,
        catalog: Catalog,
        ground: Ground,
        queue: str,
        worker: Worker | None,
        source: TextIO,
        out: TextIO,
    ) -> None:
        self.queue = _known(queue)
        self._alphabet: Alphabet = ground.alphabet
        self._log = LabelLog(catalog)
        self._plain = PlainCaptchas(self._log, ground)
        self._pictures = Pictures(folder, catalog)
        self._worker, self._source, self._out = worker, source, out
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
        self.report.waiting = self._waiting()
        return self.report

    def _one(self) -> bool:
        item = self._next()
        if item is None:
            self._print(f"Nothing waits in the queue {self.queue}.")
            return False
        width = shutil.get_terminal_size((100, 24)).columns if self._colour else 100
        for line in show(item, self._pictures, width, colour=self._colour):
            self._print(line)
        return self._ask(item)

    def _next(self) -> Item | None:
        exclude = frozenset(self._skipped)
        engine = self._worker.engine if self._worker else None
        found = engine.items(self.queue, 1, exclude) if engine else self._plain.items(1, exclude)
        return found[0] if found else None

    def _waiting(self) -> int:
        engine = self._worker.engine if self._worker else None
        queues = engine.queues() if engine else self._plain.queues()
        return next((queue.count for queue in queues if queue.name == self.queue), 0)

    def _ask(self, item: Item) -> bool:
        """One question until it is answered, skipped or replaced; False ends the session."""
        while True:
            self._print(prompt(item), end="")
            at_once = self._source.isatty() and item.kind in ("glyph", "cluster")
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
                command = parse(text, item, self._alphabet)
                if command.verb == "help":
                    self._print(HELP)
                    continue
                return self._perform(command, item, keys)
            except (NotUnderstoodError, UsageError) as error:
                self._print(f"  {error}")

    def _perform(self, command: Command, item: Item, keys: int) -> bool:
        if command.verb == "quit":
            return False
        if command.verb == "skip":
            self._skipped.add(item.id)
            self.report.skipped += 1
        elif command.verb == "undo":
            self._undo(keys)
        elif command.verb == "queue":
            self._change(command.argument)
        elif command.verb == "learn":
            self._learn(asked=True)
        else:
            self._save(_answer(command, item, keys))
        return True

    def _change(self, queue: str) -> None:
        if self._worker is None and queue != "captcha":
            raise UsageError(f"Start with `captcha-lab label --queue {_known(queue)}` for that queue.")
        self.queue = _known(queue)

    def _save(self, answer: Answer) -> None:
        named = dataclasses.replace(answer, token=secrets.token_hex(16), session=self._session)
        engine = self._worker.engine if self._worker else None
        try:
            act = engine.answer(named).act_id if engine else record(self._log, named)
        except StaleRevisionError as error:
            self._print(f"  {error}")
            return
        count = len(answer.typed) + len(answer.spread)
        self.report.acts += 1
        self.report.labels += count
        self._print(f"  saved ({count} {'label' if count == 1 else 'labels'}, act {act})")
        self._learn()

    def _undo(self, keys: int) -> None:
        undone = self._log.undo(session=self._session, keystrokes=keys)
        if undone is None:
            self._print("  There is nothing left to undo.")
            return
        self.report.undone += 1
        if self._worker and self._worker.engine:
            self._worker.engine.refresh()
        self._print(f"  undone: act {undone.id} ({undone.kind})")

    def _learn(self, *, asked: bool = False) -> None:
        if self._worker is None:
            return
        if asked:
            self._worker.ask()
        if self._worker.running:
            self._worker.look()
        else:
            self._worker.train_if_due()

    def _print(self, text: str, end: str = "\n") -> None:
        print(text, end=end, file=self._out, flush=True)


def _known(queue: str) -> str:
    if queue not in QUEUE_NAMES:
        raise UsageError(f"There is no queue {queue!r}: choose one of {', '.join(QUEUE_NAMES)}.")
    return queue


def _answer(command: Command, item: Item, keys: int) -> Answer:
    """The act a line asks for.

    Raises:
        NotUnderstoodError: there is no proposal to accept.
    """
    places = {number: member.place for number, member in enumerate(item.members, 1)}
    if item.kind == "page":
        left = {places[number] for number in command.left_out}
        kept = dataclasses.replace(item, members=tuple(m for m in item.members if m.place not in left))
        answer = kept.accepted(corrections={places[n]: v for n, v in command.fixes.items()}, keystrokes=keys)
        if not answer.typed and not answer.spread:
            raise NotUnderstoodError("Nothing would be saved: no tile is left that has a proposal.")
        return answer
    if command.verb == "accept":
        if item.proposal is None:
            raise NotUnderstoodError("There is no proposal to accept: type it, or a space to skip.")
        return item.accepted(keystrokes=keys)
    if item.kind == "captcha":
        typed = tuple((*m.place, value) for m, value in zip(item.members, command.values, strict=True))
        return Answer(item.queue, typed, (), keys, expected_revision=item.revision)
    strays = frozenset(places[number] for number in command.left_out)
    return item.typed(command.values[0], strays=strays, keystrokes=keys)
