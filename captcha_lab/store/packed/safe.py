"""HDF5 files opened with care: a stranger's may name other files, claim any size, and be damaged anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from captcha_lab.errors import CaptchaLabError

PLAIN_BYTES = 1 << 20  # of a data set, whatever the file's size
RATIO = 1100  # how much deflate can pack at best


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file for reading, after a walk over all that is in it.

    Raises:
        CaptchaLabError: it can't be read, or what is in it lies in other files or claims more than it can hold;
            the message gives the reason only. So it does for damage that the block meets.
    """
    try:
        with h5py.File(path, "r") as file:
            _walk(file, path.stat().st_size)
            yield file
    except CaptchaLabError:
        raise
    except MemoryError as error:
        raise CaptchaLabError("it needs more memory than there is") from error
    except Exception as error:  # a damaged file makes HDF5 raise nearly anything
        raise CaptchaLabError(str(error)[:200] or type(error).__name__) from error


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
    held = size if data.chunks is None else RATIO * size
    if claimed > PLAIN_BYTES + held:
        raise CaptchaLabError(f"{name!r} in it claims {claimed} bytes, more than the file can hold")
