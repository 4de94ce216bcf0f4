"""The desk between page and engine: answers at once, while look-alikes and proposals are worked out behind it."""

from __future__ import annotations

import math
import secrets
from dataclasses import asdict
from typing import Any

from captcha_lab.errors import CaptchaLabError
from captcha_lab.label.pictures import Pictures, png
from captcha_lab.label.questions.asking import Engine, EngineMaker, record
from captcha_lab.label.questions.plain import Ground, PlainCaptchas
from captcha_lab.label.questions.types import Answer
from captcha_lab.label.web.guard import RefusedError
from captcha_lab.label.worker import Worker
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from captcha_lab.store.workspace import DatasetFolder


class Desk:
    """One dataset being labelled by any number of open pages; safe to share between threads.

    Raises:
        CaptchaLabError: there is no dataset, or it holds no captchas.
    """

    def __init__(
        self,
        folder: DatasetFolder,
        make_engine: EngineMaker,
        configured_alphabet: str = "",
        glyphs: int = 4,
    ) -> None:
        self.folder = folder
        self.boot = secrets.token_hex(4)  # pages reload their pictures when this changes
        self._catalog = Catalog(folder.catalog_path, create=False)
        self._log = LabelLog(self._catalog)
        self._pictures = Pictures(folder, self._catalog)
        try:
            ground = Ground.of(self._catalog, configured_alphabet, glyphs)
        except CaptchaLabError:
            self._catalog.close()
            raise
        self.alphabet, self._glyphs = ground.alphabet, ground.segmenter.glyphs
        self._plain = PlainCaptchas(self._log, ground)
        self._known: tuple[tuple[int, int], dict[str, Any]] | None = None
        self._worker = Worker(folder, ground.alphabet, ground.segmenter, make_engine)

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
        """Everything the page shows, as JSON types; `items` are the next questions of `queue`."""
        engine = self._worker.engine
        reply: dict[str, Any] = {
            "boot": self.boot,
            "dataset": self.folder.name,
            "alphabet": self.alphabet.characters,
            "glyphs": self._glyphs,
            "revision": self._log.revision,
            "work": asdict(self._worker.status()),
        }
        if engine is None:
            items = self._plain.items(count, exclude) if queue == "captcha" else []
            return reply | {"queues": _dicts(self._plain.queues()), "items": _dicts(items), "panel": None}
        items = engine.items(queue, count, exclude) if queue else []
        return reply | {"items": _dicts(items)} | self._overview(engine, reply["revision"])

    def _overview(self, engine: Engine, revision: int) -> dict[str, Any]:
        """Queues and panel, worked out once for each state of the labels and proposals."""
        key = (revision, self._worker.trainings)
        known = self._known
        if known is None or known[0] != key:
            panel = engine.panel()
            known = self._known = key, {"queues": _dicts(engine.queues()), "panel": _finite(asdict(panel))}
            if panel.stale:
                self._worker.look()
        return known[1]

    def act(self, answer: Answer) -> dict[str, Any]:
        """Save an answer; it is on the disk when this returns.

        Raises:
            RefusedError: a place does not exist.
            StaleRevisionError: the labels changed since the page looked.
            CaptchaLabError: the disk refuses.
        """
        for image_id, position, _ in (*answer.typed, *answer.spread):
            if not (0 <= position < self._glyphs and self._pictures.has(image_id)):
                raise RefusedError(400, "malformed", "There is no such glyph; nothing was saved.")
        engine = self._worker.engine
        labels = len(answer.typed) + len(answer.spread)
        if engine is None:
            return {"act": record(self._log, answer), "labels": labels, "settled": 0}
        outcome = engine.answer(answer)
        return {"act": outcome.act_id, "labels": labels, "settled": outcome.settled}

    def accept_rest(
        self, token: str, session: str, keystrokes: int, expected_revision: int
    ) -> dict[str, Any]:
        """Make every proposal that waits a label, in one act.

        Raises:
            RefusedError: no proposal waits.
            StaleRevisionError, CaptchaLabError: as in `act`.
        """
        engine = self._worker.engine
        outcome = engine and engine.accept_rest(
            session=session, keystrokes=keystrokes, token=token, expected_revision=expected_revision
        )
        if not outcome:
            raise RefusedError(400, "nothing", "No proposal waits to be accepted; nothing was saved.")
        return {"act": outcome.act_id, "labels": len(outcome.places)}

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
        if self._worker.engine is not None:
            self._worker.engine.refresh()
        # The undo was the very next act: the labels had not moved since `expected_revision`.
        act = expected_revision + 1
        return {"act": act, "undone": {"kind": undone.kind, "act": undone.id}}

    def retrain(self) -> bool:
        """Ask for fresh proposals; False while there is no engine yet."""
        return self._worker.ask()


def _dicts(values: list[Any]) -> list[dict[str, Any]]:
    return [_finite(asdict(value)) for value in values]


def _finite(value: Any) -> Any:
    """The same with None for what is not a number: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
