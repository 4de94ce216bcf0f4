"""Locks between processes: a file that its holder has locked, gone when it is let go."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.files import make_folder
from captcha_lab.store.portable import BINARY, try_lock


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock file `path` for the length of the block; a killed process lets go of it.

    Raises:
        CaptchaLabError: another process holds it (the message is `busy`), or the disk refuses.
    """
    try:
        descriptor = _acquire(path)
    except OSError as error:
        raise CaptchaLabError(f"Can't make the lock {path}: {error.strerror or error}.") from error
    if descriptor is None:
        raise CaptchaLabError(busy)
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file: it stays, and hinders nobody
            path.unlink()  # while it is held, as nobody can have locked it anew
        os.close(descriptor)


_held: dict[Path, int] = {}  # descriptors of the locks that this process keeps, oldest first
MAX_HELD = 64  # a process that trains more models than this has finished the first ones


def hold(path: Path, busy: str) -> None:
    """Hold a lock file until this process ends; again in the same process does nothing.

    Raises:
        CaptchaLabError: see `locked`.
    """
    path = path.resolve()
    if path in _held:
        return
    try:
        descriptor = _acquire(path)
    except OSError as error:
        raise CaptchaLabError(f"Can't make the lock {path}: {error.strerror or error}.") from error
    if descriptor is None:
        raise CaptchaLabError(busy)
    if not _held:
        atexit.register(_let_go)
    _held[path] = descriptor
    while len(_held) > MAX_HELD:
        _let_go(next(iter(_held)))


def _let_go(*paths: Path) -> None:
    for path in paths or tuple(_held):
        with suppress(OSError):
            path.unlink()
        os.close(_held.pop(path))


def is_held(path: Path) -> bool:
    """Whether a process holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDWR | BINARY)
    except OSError:
        return False
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


def _acquire(path: Path) -> int | None:
    make_folder(path.parent)
    while True:
        descriptor = os.open(path, os.O_RDWR | BINARY | os.O_CREAT, 0o600)
        if not try_lock(descriptor):
            os.close(descriptor)
            return None
        try:
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass  # its last holder removed it between the two calls
        os.close(descriptor)
