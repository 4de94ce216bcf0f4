"""HDF5 files opened with care: a stranger's may name other files, claim any size, and be damaged anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.packed.seal import check_seal

PLAIN_BYTES = 64 << 20  # of a data set, whatever the file's size
RATIO = 100  # how much a data set may be packed; real captchas are by ten
MAX_STRING = 1 << 16  # characters
STRING_BYTES = 128 << 20  # in memory at a time


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file for reading, after a walk over all that is in it.

    Raises:
        CaptchaLabError: it can't be read, or what is in it lies in other files or claims more than it can hold;
            the message gives the reason only. So it does for damage that the block meets.
    """
    if not path.is_file():  # a pipe would be waited for
        raise CaptchaLabError("there is no ordinary file")
    try:
        check_seal(path)
        with h5py.File(path, "r") as file:
            _walk(file, path.stat().st_size)
            yield file
    except CaptchaLabError:
        raise
    except MemoryError as error:
        raise CaptchaLabError("it needs more memory than there is") from error
    except Exception as error:  # a damaged file makes HDF5 raise nearly anything
        raise CaptchaLabError(str(error)[:200] or type(error).__name__) from error


def read_strings(data: h5py.Dataset) -> list[str]:
    """The strings of a data set [N], few at a time: many rows may name one and the same, as long as the file.

    Raises:
        CaptchaLabError: one is longer than any that is written here.
        TypeError: it holds no strings.
    """
    texts: list[str] = []
    strings = data.asstr()
    step = min(max(STRING_BYTES // data.file.id.get_filesize(), 1), 10_000)
    for start in range(0, len(data), step):
        texts += map(str, strings[start : start + step])
        if max(map(len, texts[start:])) > MAX_STRING:
            raise CaptchaLabError("a text in it is longer than any that is written here")
    return texts


def _walk(group: h5py.Group, size: int) -> None:
    """Refuse whatever is not held by the file itself."""
    seen = set()
    waiting = [group]
    while waiting:
        group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise CaptchaLabError(f"{name!r} in it is a link to elsewhere, which is never followed")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                waiting.append(item)
            elif isinstance(item, h5py.Dataset):
                _check(item, name, size)


def _check(data: h5py.Dataset, name: str, size: int) -> None:
    if data.is_virtual or data.id.get_create_plist().get_external_count():
        raise CaptchaLabError(f"{name!r} in it lies in other files, which are never read")
    claimed = data.size * data.dtype.itemsize if data.shape is not None else 0
    held = min(data.id.get_storage_size(), size) * (RATIO if data.chunks else 1)
    if claimed > (PLAIN_BYTES if data.chunks else 0) + held:
        raise CaptchaLabError(f"{name!r} in it claims {claimed} bytes, more than the file can hold")
