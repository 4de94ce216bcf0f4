"""What goes wrong with a catalog's file, said with what a person can do about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

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
