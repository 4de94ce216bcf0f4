"""The catalog: the SQLite file that is a captcha dataset's system of record."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.catalog.problems import PATIENCE, explanation, is_busy
from captcha_lab.store.catalog.rows import FetchRow, GlyphRow, ImageRow, Result
from captcha_lab.store.catalog.schema import MIGRATIONS, own_shape, shape_of
from captcha_lab.text import clipped


class Catalog:
    """An open catalog; a context manager; safe to share between threads.

    Writes are durable when a method returns: rollback journal, `synchronous=EXTRA`.

    Raises:
        CaptchaLabError: the file is damaged, locked by another program, made by a newer captcha-lab, or
            (with `create=False`) absent.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        if not path.exists():
            if not create:
                raise CaptchaLabError(
                    f"There is no dataset at {path.parent}: run `captcha-lab scrape` or `captcha-lab import` first."
                )
            with self._explained():
                path.parent.mkdir(parents=True, exist_ok=True)
        with self._explained():
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=30.0
            )
        self._connection.row_factory = sqlite3.Row
        try:
            interrupted = self._journal.exists()
            self.execute("PRAGMA foreign_keys = ON")
            self.execute("PRAGMA trusted_schema = OFF")
            self.execute("PRAGMA journal_mode = DELETE")
            self.execute("PRAGMA synchronous = EXTRA")
            if (
                interrupted
            ):  # a program ended in the middle of a change: SQLite takes it back, and all is looked through
                self.check("quick_check")
            self._migrate()
            self._check_shape()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Catalog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file once no thread is in the middle of a statement; the object can't be used afterwards."""
        with self._lock:
            self._connection.close()

    @property
    def _journal(self) -> Path:
        return self.path.with_name(f"{self.path.name}-journal")

    def check(self, how: str = "integrity_check") -> None:
        """Look through the whole file, indexes included, or without them (`quick_check`), and the foreign keys.

        Raises:
            CaptchaLabError: something in it contradicts something else.
        """
        found = [str(row[0]) for row in self.execute(f"PRAGMA {how}(5)")]
        found = [] if found == ["ok"] else found
        found += [f"{row[0]} names a missing {row[2]}" for row in self.execute("PRAGMA foreign_key_check")][
            :5
        ]
        if found:
            raise CaptchaLabError(
                f"The catalog {self.path} is damaged ({'; '.join(found)}): bring a backup back with "
                "`captcha-lab restore`."
            )

    def copy_to(self, path: Path) -> None:
        """Write the catalog as it is at this moment to a new file, whatever other processes do meanwhile.

        Raises:
            CaptchaLabError: it can't be read, or the disk refuses.
        """
        with self._lock, self._explained(), closing(sqlite3.connect(path)) as copy:
            self._connection.backup(copy)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeError) as error:
            raise explanation(self.path, error) from error

    def _migrate(self) -> None:
        with self.transaction():
            version = int(self.execute("PRAGMA user_version").first()[0])
            if version > len(MIGRATIONS):
                raise CaptchaLabError(
                    f"The catalog {self.path} was made by a newer captcha-lab (version {version}, this one knows "
                    f"{len(MIGRATIONS)}): update captcha-lab."
                )
            for statements in MIGRATIONS[version:]:
                for statement in statements:
                    self.execute(statement)
            if version < len(MIGRATIONS):
                self.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def _check_shape(self) -> None:
        """Refuse a file whose tables, views or triggers are not ours: a stranger's may do anything when it is read."""
        with self._lock, self._explained():
            strange = shape_of(self._connection) ^ own_shape()
        if strange:
            names = ", ".join(sorted({clipped(str(part[1]), 40) for part in strange})[:5])
            raise CaptchaLabError(
                f"The catalog {self.path} is not as captcha-lab makes it ({names}): bring a backup back with "
                "`captcha-lab restore`."
            )

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Result:
        """Run one statement; the modules of `store` build on this, other rooms use the named methods."""
        with self._lock, self._explained():
            end = time.monotonic() + PATIENCE
            while True:
                try:
                    cursor = self._connection.execute(sql, values)
                    # All rows now, while no other thread uses the connection: a thread that reads a row while another
                    # waits in SQLite for a third keeps the interpreter's lock, which that third one needs.
                    return Result(cursor.fetchall(), cursor.lastrowid, cursor.rowcount)
                except sqlite3.OperationalError as error:
                    # SQLite itself waits, but not where it sees two that wait for each other.
                    if not is_busy(error) or self._connection.in_transaction or time.monotonic() > end:
                        raise
                time.sleep(0.05)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: the block's writes are durable when it ends, undone when it raises. Nests."""
        with self._lock:
            outermost = self._depth == 0
            self._depth += 1
            try:
                if outermost:
                    self.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    if outermost:
                        self.execute("COMMIT")
                except BaseException:
                    if outermost and self._connection.in_transaction:
                        self._connection.rollback()
                    raise
            finally:
                self._depth -= 1

    # What the dataset is and how it came about

    def get_meta(self, key: str) -> str | None:
        """A remembered setting (`alphabet`, `segmenter`, …) or None."""
        row = self.execute("SELECT value FROM meta WHERE key = ?", (key,)).first()
        return None if row is None else str(row["value"])

    def set_meta(self, key: str, value: str) -> None:
        """Remember a setting."""
        self.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    def add_provenance(self, kind: str, **detail: Any) -> None:
        """Append a fact about where the data come from (an authorisation, an import); detail is JSON-able."""
        self.execute(
            "INSERT INTO provenance (at, kind, detail) VALUES (?, ?, ?)",
            (time.time(), kind, json.dumps(detail, sort_keys=True)),
        )

    def provenance(self) -> list[dict[str, Any]]:
        """All facts in order, each with `at` (Unix seconds), `kind` and its details."""
        rows = self.execute("SELECT at, kind, detail FROM provenance ORDER BY id")
        try:
            return [{"at": row["at"], "kind": row["kind"], **json.loads(row["detail"])} for row in rows]
        except (ValueError, TypeError, RecursionError) as error:
            raise CaptchaLabError(f"The catalog {self.path} is damaged: its history is no JSON.") from error

    # Images and the attempts to get them

    def add_image(
        self, sha256: str, extension: str, width: int, height: int, size: int, split: str | None = None
    ) -> tuple[int, bool]:
        """The image's id, and whether it is new; a known image keeps the split it has."""
        with self.transaction():
            row = self.execute("SELECT id FROM image WHERE sha256 = ?", (sha256,)).first()
            if row is not None:
                return int(row["id"]), False
            cursor = self.execute(
                "INSERT INTO image (sha256, extension, width, height, bytes, split) VALUES (?, ?, ?, ?, ?, ?)",
                (sha256, extension, width, height, size, split),
            )
            return int(cursor.lastrowid or 0), True

    def add_fetch(
        self,
        url: str,
        outcome: str,
        *,
        status: int | None = None,
        size: int = 0,
        seconds: float = 0.0,
        image_id: int | None = None,
        note: str = "",
    ) -> int:
        """Record one attempt: outcome `stored`, `duplicate`, `refused` or `failed`."""
        cursor = self.execute(
            "INSERT INTO fetch (at, url, status, outcome, bytes, seconds, image_id, note) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (time.time(), url, status, outcome, size, seconds, image_id, note),
        )
        return int(cursor.lastrowid or 0)

    def images(self, *, aside: bool = False) -> list[ImageRow]:
        """The distinct images in use, or those set aside, in the order they came."""
        rows = self.execute("SELECT * FROM image WHERE (aside IS NOT NULL) = ? ORDER BY id", (aside,))
        return [ImageRow(**dict(row)) for row in rows]

    def set_aside(self, image_ids: Iterable[int], reason: str) -> int:
        """Take images out of use, whatever is known of them stays; how many were in use until now."""
        return self._mark("UPDATE image SET aside = ? WHERE id = ? AND aside IS NULL", image_ids, reason)

    def take_back(self, image_ids: Iterable[int]) -> int:
        """Put images that were set aside into use again; how many there were."""
        return self._mark("UPDATE image SET aside = ? WHERE id = ? AND aside IS NOT NULL", image_ids, None)

    def _mark(self, sql: str, image_ids: Iterable[int], reason: str | None) -> int:
        with self.transaction():
            return sum(self.execute(sql, (reason, image_id)).rowcount for image_id in image_ids)

    def fetches(self) -> list[FetchRow]:
        """All attempts, in order."""
        return [FetchRow(**dict(row)) for row in self.execute("SELECT * FROM fetch ORDER BY id")]

    def count_fetches(self) -> dict[str, int]:
        """Number of attempts by outcome."""
        rows = self.execute("SELECT outcome, count(*) AS n FROM fetch GROUP BY outcome")
        return {str(row["outcome"]): int(row["n"]) for row in rows}

    # Cuts

    def put_cuts(
        self, segmenter: str, cuts: Mapping[int, Sequence[GlyphRow]], *, complete: bool = True
    ) -> None:
        """Store how captchas are cut, by image id; a complete cut replaces the one there was, whole.

        An incomplete one lies beside it, unseen, until `complete_cuts`.
        """
        with self.transaction():
            for image_id, glyphs in cuts.items():
                self.execute(
                    "DELETE FROM cut WHERE image_id = ? AND (segmenter = ? OR (complete AND ?))",
                    (image_id, segmenter, complete),
                )
                cursor = self.execute(
                    "INSERT INTO cut (image_id, segmenter, complete) VALUES (?, ?, ?)",
                    (image_id, segmenter, complete),
                )
                with self._explained():
                    self._connection.executemany(
                        "INSERT INTO glyph VALUES (?, ?, ?, ?, ?, ?, ?)",
                        [(cursor.lastrowid, g.position, g.x0, g.y0, g.x1, g.y1, g.flags) for g in glyphs],
                    )

    def complete_cuts(self, segmenter: str) -> None:
        """Make the cuts of one segmenter the ones that everybody sees; those of others are gone."""
        with self.transaction():
            self.execute("DELETE FROM cut WHERE segmenter != ?", (segmenter,))
            self.execute("UPDATE cut SET complete = 1 WHERE segmenter = ?", (segmenter,))

    def glyphs(self) -> list[GlyphRow]:
        """The cells of all complete cuts, by captcha and position; those of pictures set aside are left out."""
        rows = self.execute(
            "SELECT cut.image_id, glyph.position, cut.segmenter, x0, y0, x1, y1, flags FROM glyph "
            "JOIN cut ON cut.id = glyph.cut_id JOIN image ON image.id = cut.image_id "
            "WHERE cut.complete AND image.aside IS NULL ORDER BY cut.image_id, glyph.position"
        )
        return [GlyphRow(**dict(row)) for row in rows]

    def box(self, image_id: int, position: int) -> tuple[int, int, int, int] | None:
        """The cell (x0, y0, x1, y1) at one place of a captcha's complete cut, or None where there is none."""
        row = self.execute(
            "SELECT x0, y0, x1, y1 FROM glyph JOIN cut ON cut.id = glyph.cut_id "
            "WHERE cut.complete AND cut.image_id = ? AND glyph.position = ?",
            (image_id, position),
        ).first()
        return None if row is None else (row["x0"], row["y0"], row["x1"], row["y1"])

    def cuts(self) -> dict[int, list[GlyphRow]]:
        """The cells of each completely cut captcha, by image id; a captcha without ink has none."""
        found: dict[int, list[GlyphRow]] = {
            int(row["image_id"]): []
            for row in self.execute(
                "SELECT image_id FROM cut JOIN image ON image.id = cut.image_id "
                "WHERE complete AND aside IS NULL ORDER BY image_id"
            )
        }
        for glyph in self.glyphs():
            found[glyph.image_id].append(glyph)
        return found

    def unsegmented(self, segmenter: str) -> list[ImageRow]:
        """Images in use that have no cut by this segmenter yet, complete or not."""
        rows = self.execute(
            "SELECT * FROM image WHERE aside IS NULL AND NOT EXISTS (SELECT 1 FROM cut "
            "WHERE cut.image_id = image.id AND cut.segmenter = ?) ORDER BY id",
            (segmenter,),
        )
        return [ImageRow(**dict(row)) for row in rows]
