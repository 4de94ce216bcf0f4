"""A checksum at the end of an HDF5 file, compared before the library sees the file: damage can crash it.

The library looks at no byte behind its own end of the file. A file without this seal (a stranger's, or one made before)
is first opened by a process of its own.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from functools import lru_cache
from pathlib import Path

from captcha_lab.errors import CaptchaLabError

_MAGIC = b"captcha-lab seal"
_SEAL = struct.Struct("<16sQI4x")
SIZE = _SEAL.size  # bytes
BLOCK_BYTES = 1 << 20
SECONDS = 20.0  # a file of gigabytes takes two
_PROBE = """
import h5py, sys
with h5py.File(sys.argv[1], "r") as file:
    def look(name, item):
        [value for value in item.attrs.values()]
        getattr(item, "shape", 0), getattr(item, "dtype", 0), getattr(item, "chunks", 0)
    look("", file)
    file.visititems(look)
"""


def seal(head: bytes | memoryview) -> bytes:
    """What is written behind a file whose first bytes, all but bare pixels, are `head`."""
    return _SEAL.pack(_MAGIC, len(head), zlib.crc32(head))


def check_seal(path: Path) -> None:
    """Compare the file with its seal; a file without one is tried by another process.

    Raises:
        CaptchaLabError: it was changed after it was written, or is damaged.
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - SIZE))
        magic, left, expected = _SEAL.unpack(file.read(SIZE).ljust(SIZE))
        if magic == _MAGIC and left <= size - SIZE:
            file.seek(0)
            value = 0
            while left and (block := file.read(min(left, BLOCK_BYTES))):
                value, left = zlib.crc32(block, value), left - len(block)
            if value != expected:
                raise CaptchaLabError("its checksum is wrong: it was changed after it was written")
            return
    facts = path.stat()
    _probe(str(path.resolve()), facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=64)
def _probe(path: str, _size: int, _changed: int) -> None:
    code = [sys.executable, "-I", "-c", _PROBE, path]
    try:
        done = subprocess.run(code, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise CaptchaLabError(f"it is not looked through after {SECONDS:.0f} s") from None
    if done.returncode < 0:
        raise CaptchaLabError("it is damaged: it crashes the library that reads such files")
