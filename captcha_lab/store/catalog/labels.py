"""Labels as an append-only log of acts: of whole texts, or of single places in a captcha's cut.

The newest act wins (see the views of `schema`): a text labels every place of a cut that has as many cells as it has
characters, and the places of a complete cut, each labelled, spell a text. A part of the places is never a text.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.catalog.catalog import Catalog

MAX_PLACES = (
    1000  # of a captcha; a forged catalog may label any place, and others make room for all before it
)
Place = tuple[int, int]  # (image id, position in the captcha)


class StaleRevisionError(CaptchaLabError):
    """Labels changed since the caller looked; nothing was written."""


@dataclass(frozen=True)
class LabelEvent:
    """One label: of the place `position`, or where that is None of the whole text.

    The empty value means "not a glyph, or badly cut" at a place, and a captcha that no person can read as a text.
    """

    image_id: int
    position: int | None
    value: str
    source: str = "human"  # human, model, batch or import
    run_id: int | None = None
    confidence: float | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        """The place it speaks of; none where it speaks of a whole text."""
        return () if self.position is None else ((self.image_id, self.position),)


@dataclass(frozen=True)
class Label:
    """The current label of a place or a text, and where it came from."""

    value: str
    source: str
    confidence: float | None
    act_id: int


@dataclass(frozen=True)
class Act:
    """What one undo takes back; `at` in Unix seconds; `undoes` names the act it took back, if it is an undo."""

    id: int
    at: float
    kind: str
    session: str
    keystrokes: int
    undoes: int | None


class LabelLog:
    """The labels of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    @property
    def revision(self) -> int:
        """Number of the newest act; 0 where nothing was ever labelled."""
        return int(self.catalog.execute("SELECT coalesce(max(id), 0) FROM label_act").first()[0])

    def record(
        self,
        kind: str,
        events: Iterable[LabelEvent],
        *,
        session: str = "",
        keystrokes: int = 0,
        token: str | None = None,
        expected_revision: int | None = None,
    ) -> int:
        """Commit one act with its events and return its id; durable when this returns.

        A `token` seen before returns the act it named and writes nothing, so a client may send again what it
        is not sure was saved.

        Raises:
            StaleRevisionError: `expected_revision` is given and is no longer the newest act.
            CaptchaLabError: an event speaks of a place that no captcha has.
        """
        with self.catalog.transaction():
            if token is not None:
                known = self.act_named(token)
                if known is not None:
                    return known
            self._expect(expected_revision)
            act_id = self._insert_act(kind, session, keystrokes, token, None)
            for event in events:
                if event.position is not None and event.position >= MAX_PLACES:
                    raise CaptchaLabError(f"A captcha has no place {event.position}: nothing was saved.")
                self.catalog.execute(
                    "INSERT INTO label_event "
                    "(act_id, image_id, position, cells, value, source, run_id, confidence) VALUES "
                    "(?, ?, ?, iif(? IS NULL, NULL, (SELECT cells FROM current_cut WHERE image_id = ?)), "
                    "?, ?, ?, ?)",
                    (
                        act_id,
                        event.image_id,
                        event.position,
                        event.position,
                        event.image_id,
                        event.value,
                        event.source,
                        event.run_id,
                        event.confidence,
                    ),
                )
            return act_id

    def undo(
        self,
        *,
        session: str = "",
        keystrokes: int = 1,
        token: str | None = None,
        expected_revision: int | None = None,
    ) -> Act | None:
        """Take back the newest act that still stands, by a new act; None when nothing is left to undo.

        Imported labels are not a labeller's act and stay. Token and revision as in `record`.
        """
        with self.catalog.transaction():
            if token is not None:
                row = self.catalog.execute(
                    "SELECT undone.* FROM label_act AS undo JOIN label_act AS undone ON undone.id = undo.undoes "
                    "WHERE undo.token = ?",
                    (token,),
                ).first()
                if row is not None:
                    return self._act(row)
            self._expect(expected_revision)
            row = self.catalog.execute(
                "SELECT * FROM label_act WHERE undoes IS NULL AND kind != 'import' "
                "AND id NOT IN (SELECT undoes FROM label_act WHERE undoes IS NOT NULL) ORDER BY id DESC LIMIT 1"
            ).first()
            if row is None:
                return None
            self._insert_act("undo", session, keystrokes, token, int(row["id"]))
            return self._act(row)

    def current(self) -> dict[Place, Label]:
        """The label of every labelled place: its own, else its character of the captcha's text."""
        rows = self.catalog.execute(
            "SELECT * FROM current_glyph WHERE position < ? ORDER BY image_id, position", (MAX_PLACES,)
        )
        return {(int(row["image_id"]), int(row["position"])): _label(row) for row in rows}

    def text_labels(self) -> dict[int, Label]:
        """The whole text of every captcha that has one, by image id; empty where no person can read it.

        A text spelled by its places has the least certain of their sources and confidences.
        """
        rows = self.catalog.execute("SELECT * FROM current_text ORDER BY image_id")
        return {int(row["image_id"]): _label(row) for row in rows}

    def texts(self) -> dict[int, str]:
        """The text of every captcha that has one and can be read, by image id; never a part of one."""
        return {image_id: label.value for image_id, label in self.text_labels().items() if label.value}

    def events(self, kind: str) -> list[tuple[int, LabelEvent]]:
        """The events of the standing acts of one kind (`audit`, …), each with its act, oldest first."""
        rows = self.catalog.execute(
            "SELECT event.* FROM label_event AS event JOIN label_act AS act ON act.id = event.act_id "
            "WHERE act.kind = ? AND act.id NOT IN (SELECT undoes FROM label_act WHERE undoes IS NOT NULL) "
            "ORDER BY event.id",
            (kind,),
        )
        return [
            (
                int(row["act_id"]),
                LabelEvent(
                    int(row["image_id"]),
                    row["position"],
                    str(row["value"]),
                    str(row["source"]),
                    row["run_id"],
                    row["confidence"],
                ),
            )
            for row in rows
        ]

    def act_named(self, token: str) -> int | None:
        """The act that was recorded with this token."""
        row = self.catalog.execute("SELECT id FROM label_act WHERE token = ?", (token,)).first()
        return None if row is None else int(row["id"])

    def acts(self) -> list[Act]:
        """The whole history, oldest first."""
        return [self._act(row) for row in self.catalog.execute("SELECT * FROM label_act ORDER BY id")]

    def keystrokes(self) -> int:
        """All keys ever pressed for labelling, undone ones included."""
        row = self.catalog.execute("SELECT coalesce(sum(keystrokes), 0) FROM label_act").first()
        return int(row[0])

    def _expect(self, revision: int | None) -> None:
        if revision is not None and revision != self.revision:
            raise StaleRevisionError(
                f"The labels changed elsewhere (revision {self.revision}, this page shows {revision}): "
                "reload and look again; nothing was saved."
            )

    def _insert_act(
        self, kind: str, session: str, keystrokes: int, token: str | None, undoes: int | None
    ) -> int:
        cursor = self.catalog.execute(
            "INSERT INTO label_act (at, kind, session, keystrokes, token, undoes) VALUES (?, ?, ?, ?, ?, ?)",
            (time.time(), kind, session, keystrokes, token, undoes),
        )
        return int(cursor.lastrowid or 0)

    @staticmethod
    def _act(row: object) -> Act:
        values = dict(row)  # type: ignore[call-overload]
        del values["token"]
        return Act(**values)


def _label(row: sqlite3.Row) -> Label:
    return Label(str(row["value"]), str(row["source"]), row["confidence"], int(row["act_id"]))
