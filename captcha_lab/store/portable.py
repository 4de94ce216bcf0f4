"""Calls that not every system has, each with another way where it is missing (macOS, Windows)."""

from __future__ import annotations

import importlib
import os
import threading
from contextlib import suppress
from typing import Any

BINARY = getattr(os, "O_BINARY", 0)  # Windows changes line ends otherwise
_BEYOND = 1 << 30  # a byte that no file here has: Windows keeps others from reading what is locked
_seeking = threading.Lock()  # where reading needs the file's one position


def _optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


fcntl, msvcrt = _optional("fcntl"), _optional("msvcrt")


def cores() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process until it is closed; False where another process has it."""
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif msvcrt is not None:
            with _seeking:
                os.lseek(descriptor, _BEYOND, os.SEEK_SET)
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True


def pread(descriptor: int, count: int, offset: int) -> bytes:
    """Exactly `count` bytes from a byte offset; fewer only where the file ends."""
    parts: list[bytes] = []
    while count:
        part = _pread_once(descriptor, count, offset)
        if not part:
            break
        parts.append(part)
        count, offset = count - len(part), offset + len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _pread_once(descriptor: int, count: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, count, offset)
    with _seeking:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, count)


def pread_into(descriptor: int, target: memoryview, offset: int) -> int:
    """Fill `target` from a byte offset; how many bytes there were."""
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [target], offset)
    data = pread(descriptor, len(target), offset)
    target[: len(data)] = data
    return len(data)


def pwrite(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all of `data` at a byte offset, however many calls it takes."""
    data = data.cast("B")
    while data:
        if hasattr(os, "pwrite"):
            written = os.pwrite(descriptor, data, offset)
        else:
            with _seeking:
                os.lseek(descriptor, offset, os.SEEK_SET)
                written = os.write(descriptor, data)
        data, offset = data[written:], offset + written


def allocate(descriptor: int, size: int) -> None:
    """Claim the space of a file at once, so that a disk that is too small is noticed before the work."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.ftruncate(descriptor, size)


def expect_random_reads(descriptor: int) -> None:
    """Tell the system, where it can be told, not to read ahead."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)


def sync_folder(folder: os.PathLike[str]) -> None:
    """Make the folder's entries themselves survive a power cut, where a folder can be opened."""
    with suppress(PermissionError):  # Windows opens no folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
