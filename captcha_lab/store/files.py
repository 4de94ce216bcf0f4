"""Whole files or none: the one way anything but the catalog reaches the disk."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.portable import sync_folder

MAX_BYTES = 64 << 20  # of a file that is read whole into memory, where nothing else is said

_UMASK = os.umask(0o077)  # can only be read by setting it, which is safe while nothing else runs
os.umask(_UMASK)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each one's entry safe on the disk."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; when the block ends well it is fsynced and renamed onto `path`.

    A block that raises, or a killed process, leaves the old file as it was; what a killed process leaves
    is a hidden `.tmp-*` file that nothing reads.

    Raises:
        CaptchaLabError: the folder can't be written (no space, no permission).
    """
    try:
        make_folder(path.parent)
        descriptor, name = tempfile.mkstemp(prefix=".tmp-", suffix=path.suffix, dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(_mode(path))
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        # h5py and PIL raise OSError for damaged *input* too, without an errno: those are not ours to explain.
        if error.errno is None:
            raise
        reason = error.strerror or str(error)
        raise CaptchaLabError(
            f"Can't write {path}: {reason}. Free space or choose another folder; nothing was changed."
        ) from error


def _mode(path: Path) -> int:
    """The rights a file has, or that a new one gets from the process's umask."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0o666 & ~_UMASK


def write_bytes(path: Path, data: bytes) -> None:
    """Write a small file atomically (see `atomic_path` for errors)."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def read_file(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of an ordinary file, if there are not too many; a pipe or a device is never waited for.

    Raises:
        CaptchaLabError: it can't be read; the message gives the reason only.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise CaptchaLabError("it is no ordinary file")
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > max_bytes:
                raise CaptchaLabError(f"larger than {max_bytes >> 20} MB")
            return file.read(max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise CaptchaLabError(getattr(error, "strerror", None) or str(error)) from error
