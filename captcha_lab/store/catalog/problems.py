"""What goes wrong with a catalog's file, said with what a person can do about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from captcha_lab.errors import CaptchaLabError

PATIENCE = 60.0  # seconds that another process may keep the catalog to itself


def is_busy(error: BaseException) -> bool:
    """Whether another process kept the catalog to itself for too long."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def explanation(path: Path, error: Exception) -> CaptchaLabError:
    """What a person can do about an error of the catalog."""
    if is_busy(error):
        return CaptchaLabError(
            f"The catalog {path} has been in use by another program for {PATIENCE:.0f} s: try again, or close that "
            "program."
        )
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or isinstance(error, OSError):
        return CaptchaLabError(f"The catalog {path} can't be written: {error}. Free the disk and try again.")
    return CaptchaLabError(
        f"The catalog {path} can't be used: {error}. `captcha-lab check` says what is damaged; `captcha-lab restore` "
        "brings a backup back."
    )


class ExplainedCursor(sqlite3.Cursor):
    """A cursor whose rows are read with the same explanations as its statement is run."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection)
        self.path = path

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except (sqlite3.Error, UnicodeError) as error:
            raise explanation(self.path, error) from error

    def fetchone(self) -> Any:
        """See `sqlite3.Cursor`."""
        try:
            return super().fetchone()
        except (sqlite3.Error, UnicodeError) as error:
            raise explanation(self.path, error) from error

    def fetchall(self) -> list[Any]:
        """See `sqlite3.Cursor`."""
        try:
            return super().fetchall()
        except (sqlite3.Error, UnicodeError) as error:
            raise explanation(self.path, error) from error
