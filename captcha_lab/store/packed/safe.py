"""HDF5 files opened with care: a stranger's may name other files, claim any size, and be damaged anywhere."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.packed.seal import check_seal

PLAIN_BYTES = 64 << 20  # of all data sets together, and of a chunk, whatever the file's size
RATIO = 100  # how much a data set may be packed; real captchas are by ten
PLAIN_ROWS = 100_000  # of texts, whatever the file's size: each becomes an object of some hundred bytes
MAX_STRING = 1 << 16  # characters
STRING_BYTES = 128 << 20  # of all texts of a data set together


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
        CaptchaLabError: one is longer than any that is written here, or all together are.
        TypeError: it holds no strings.
    """
    texts: list[str] = []
    left = STRING_BYTES
    strings = data.asstr()
    step = min(max(STRING_BYTES // data.file.id.get_filesize(), 1), 10_000)
    for start in range(0, len(data), step):
        texts += map(str, strings[start : start + step])
        lengths = [len(text) for text in texts[start:]]
        left -= sum(lengths)
        if max(lengths) > MAX_STRING or left < 0:
            raise CaptchaLabError("a text in it is longer than any that is written here")
    return texts


def _walk(group: h5py.Group, size: int) -> None:
    """Refuse whatever is not held by the file itself, or is more than it can hold."""
    seen = {_address(group)}
    waiting = [group]
    left = PLAIN_BYTES
    while waiting:
        group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise CaptchaLabError(f"{name!r} in it is a link to elsewhere, which is never followed")
            item = group[name]
            address = _address(item)
            if isinstance(item, h5py.Dataset):
                if address in seen:
                    raise CaptchaLabError(
                        f"{name!r} in it is a second name of the same data, which is never read"
                    )
                left -= _beyond(item, name, size)
                if left < 0:
                    raise CaptchaLabError(f"what is in it claims more than the file can hold, {name!r} too")
            elif isinstance(item, h5py.Group) and address not in seen:
                waiting.append(item)
            seen.add(address)


def _address(item: h5py.HLObject) -> int:
    address: int = h5py.h5o.get_info(item.id).addr
    return address


def _beyond(data: h5py.Dataset, name: str, size: int) -> int:
    """Bytes that a data set claims beyond those that the file may hold of it."""
    if data.is_virtual or data.id.get_create_plist().get_external_count():
        raise CaptchaLabError(f"{name!r} in it lies in other files, which are never read")
    if data.shape is None:
        return 0
    text = h5py.check_string_dtype(data.dtype)
    if data.dtype.kind not in "biufS" and text is None:
        raise CaptchaLabError(f"{name!r} in it holds neither numbers nor texts, but {data.dtype}")
    if text is not None and data.size > PLAIN_ROWS + size // 8:
        raise CaptchaLabError(f"{name!r} in it claims {data.size} texts, more than the file can hold")
    if data.chunks and math.prod(data.chunks) * data.dtype.itemsize > PLAIN_BYTES:
        raise CaptchaLabError(f"{name!r} in it has chunks of more than {PLAIN_BYTES >> 20} MB")
    claimed: int = data.size * data.dtype.itemsize
    held: int = min(data.id.get_storage_size(), size) * (RATIO if data.chunks else 1)
    if claimed > held and not data.chunks:
        raise CaptchaLabError(f"{name!r} in it claims {claimed} bytes, more than the file can hold")
    return max(0, claimed - held)
