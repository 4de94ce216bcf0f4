"""The desk between page and engine: answers at once, while look-alikes and proposals are worked out behind it."""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from captcha_lab.label.pictures import DatasetPictures, png
from captcha_lab.label.questions.mixed import MixedEngine
from captcha_lab.label.questions.types import Answer, Question
from captcha_lab.label.web.guard import RefusedError
from captcha_lab.label.worker import Worker, WorkStep
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from captcha_lab.store.workspace import DatasetFolder

ASIDE = "by a person, on the review page"  # why a picture is set aside
SHOWN = 240  # look-alikes of a cluster that the page draws


class Desk:
    """One dataset being labelled by any number of open pages; safe to share between threads.

    Args:
        folder: the dataset.
        engine: what asks.
        steps: what completes it, done behind the page.

    Raises:
        CaptchaLabError: there is no dataset.
    """

    def __init__(self, folder: DatasetFolder, engine: MixedEngine, steps: Sequence[WorkStep]) -> None:
        self.folder, self.engine = folder, engine
        self.boot = secrets.token_hex(4)  # pages reload their pictures when this changes
        self._catalog = Catalog(folder.catalog_path, create=False)
        self._log = LabelLog(self._catalog)
        self._pictures = DatasetPictures(folder, self._catalog)
        self._known: tuple[tuple[int, int, int], dict[str, Any]] | None = None
        self._changes = 0  # of what is asked, other than by labels
        self._worker = Worker(engine, steps)

    def start(self) -> None:
        """Begin the work behind the page."""
        self._worker.start()

    def close(self) -> None:
        """Stop the work behind the page and close the catalog."""
        self._worker.stop()
        self._catalog.close()

    def glyph_png(self, image_id: int, position: int) -> bytes | None:
        """One glyph as PNG, None where there is none."""
        return png(self._pictures.glyph(image_id, position))

    def captcha_png(self, image_id: int) -> bytes | None:
        """One captcha as PNG, None where there is none."""
        return png(self._pictures.captcha(image_id))

    def state(self, queue: str | None, count: int, exclude: frozenset[str]) -> dict[str, Any]:
        """Everything the page shows, as JSON types; `questions` are the next ones of `queue`.

        Raises:
            UsageError: there is no such queue.
        """
        revision = self._log.revision
        questions = self.engine.questions(queue, count, exclude) if queue else []
        return {
            "boot": self.boot,
            "dataset": self.folder.name,
            "alphabet": self.engine.alphabet.characters,
            "folded": self.engine.texts.folded,
            "revision": revision,
            "work": asdict(self._worker.status()),
            "questions": [self._shown(question) for question in questions],
        } | self._overview(revision)

    def _shown(self, question: Question) -> dict[str, Any]:
        """A question as JSON types: of a large cluster the first look-alikes and how many `more` there are."""
        members = question.members[: SHOWN + 1] if question.kind == "cluster" else question.members
        shown = asdict(question) | {
            "members": [asdict(member) for member in members],
            "more": len(question.members) - len(members),
            "span": self._pictures.span(*members[0].target),
        }
        return dict(_finite(shown))

    def _overview(self, revision: int) -> dict[str, Any]:
        """Queues and panel, worked out once for each state of the labels and proposals."""
        key = (revision, self._worker.changes, self._changes)
        known = self._known
        if known is None or known[0] != key:
            panel = self.engine.panel()
            queues = [_finite(asdict(queue)) for queue in self.engine.queues()]
            known = self._known = (
                key,
                {"queues": queues, "panel": _finite(asdict(panel)), "method": self.engine.why},
            )
            if panel.stale:
                self._worker.look()
        return known[1]

    def act(self, answer: Answer) -> dict[str, Any]:
        """Save an answer; it is on the disk when this returns.

        Raises:
            UsageError: a label is impossible, or there is no such glyph or captcha.
            NotReadyError: the glyphs are still being compared.
            StaleRevisionError: the labels changed since the page looked.
            CaptchaLabError: the disk refuses.
        """
        outcome = self.engine.answer(answer)
        return {
            "act": outcome.act_id,
            "labels": len(outcome.targets),
            "settled": outcome.settled,
            "value": outcome.value,
        }

    def accept_rest(
        self, token: str, session: str, keystrokes: int, expected_revision: int
    ) -> dict[str, Any]:
        """Make every proposal that waits a label, in one act.

        Raises:
            RefusedError: no proposal waits.
            StaleRevisionError, CaptchaLabError: as in `act`.
        """
        outcome = self.engine.accept_rest(
            session=session, keystrokes=keystrokes, token=token, expected_revision=expected_revision
        )
        if not outcome:
            raise RefusedError(400, "nothing", "No proposal waits to be accepted; nothing was saved.")
        return {"act": outcome.act_id, "labels": len(outcome.targets)}

    def undo(self, token: str, session: str, keystrokes: int, expected_revision: int) -> dict[str, Any]:
        """Take back the newest act that stands; `act` is the undo's own number, None when nothing was left.

        Raises:
            StaleRevisionError, CaptchaLabError: as in `act`.
        """
        undone = self._log.undo(
            session=session, keystrokes=keystrokes, token=token, expected_revision=expected_revision
        )
        if undone is None:
            return {"act": None, "undone": None}
        # The undo was the very next act: the labels had not moved since `expected_revision`.
        act = expected_revision + 1
        return {"act": act, "undone": {"kind": undone.kind, "act": undone.id}}

    def add_character(self, character: str) -> dict[str, Any]:
        """Take a character into the alphabet.

        Raises:
            UsageError: it can't be part of a label.
        """
        self.engine.add_character(character)
        return {"alphabet": self.engine.alphabet.characters}

    def set_case(self, *, folded: bool) -> dict[str, Any]:
        """Whether letters are saved in the alphabet's case, or as they are typed."""
        self.engine.set_case(folded=folded)
        return {"folded": folded}

    def set_aside(self, image_id: int, *, aside: bool) -> dict[str, Any]:
        """Take a picture out of use, or back into it; its labels stay in the log. Done twice it is as done once."""
        if aside:
            self._catalog.set_aside([image_id], ASIDE)
        else:
            self._catalog.take_back([image_id])
        self.engine.set_aside(image_id, aside=aside)
        self._changes += 1
        return {"act": None, "aside": aside}

    def retrain(self) -> bool:
        """Ask for fresh proposals; False while there is no engine yet."""
        return self._worker.ask()


def _finite(value: Any) -> Any:
    """The same with None for what is not a number: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
