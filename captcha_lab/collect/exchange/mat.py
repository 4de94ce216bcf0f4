"""MATLAB's .mat files (version 5), looked through before scipy reads them.

scipy makes room for whatever a file claims, and calls itself for each cell inside a cell until the stack ends.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.io

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.files import read_file

MAX_BYTES = 2**31 - 1  # what the format holds in one variable
PLAIN_BYTES = 64 << 20  # a file may unpack to so much, or to RATIO times its own size
RATIO = 100
_HEAD = 128  # bytes before the first element
_MATRIX, _COMPRESSED = 14, 15  # kinds of elements
_CELL, _PLAIN = 1, (4, *range(6, 16))  # kinds of arrays: cells; characters and numbers, but no sparse ones
_MAX_CELLS = 10_000_000


def read_mat(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The variables of these names, those that there are; arrays of numbers or text, or cells of such arrays.

    Raises:
        CaptchaLabError: the file is no ordinary one, is damaged, or claims or holds what no export does.
        Exception: damage that only scipy finds makes it raise nearly anything.
    """
    data = read_file(path, MAX_BYTES)
    for variable in _variables(data):
        _check(variable, names)
    values: dict[str, Any] = scipy.io.loadmat(path, chars_as_strings=True, variable_names=names)
    return {name: values[name] for name in names if isinstance(values.get(name), np.ndarray)}


def _variables(data: bytes) -> Iterator[tuple[memoryview, Literal["little", "big"]]]:
    """The content of each variable, unpacked, and the order of its bytes."""
    marks: dict[bytes, Literal["little", "big"]] = {b"IM": "little", b"MI": "big"}
    order = marks.get(data[126:_HEAD])
    if order is None:
        raise CaptchaLabError("it is no .mat file of version 5 to 7")
    left = PLAIN_BYTES + RATIO * len(data)
    for kind, body in _elements(memoryview(data)[_HEAD:], order):
        if kind == _COMPRESSED:
            unpacked = memoryview(zlib.decompressobj().decompress(body, left + 1))
            left -= len(unpacked)
            if left < 0:
                raise CaptchaLabError(f"it unpacks to more than {RATIO} times its size")
            kind, body = next(_elements(unpacked, order), (0, unpacked))
        if kind == _MATRIX:
            yield body, order


def _elements(data: memoryview, order: Literal["little", "big"]) -> Iterator[tuple[int, memoryview]]:
    """Kind and content of the elements that follow each other."""
    at = 0
    while at + 8 <= len(data):
        kind, size = (int.from_bytes(data[at + k : at + k + 4], order) for k in (0, 4))
        if kind >> 16:  # up to four bytes lie in the head itself
            yield kind & 0xFFFF, data[at + 4 : at + 4 + min(kind >> 16, 4)]
            at += 8
            continue
        if at + 8 + size > len(data):
            raise CaptchaLabError("it is damaged or cut short")
        yield kind, data[at + 8 : at + 8 + size]
        at += 8 + size + (0 if kind == _COMPRESSED else -size % 8)


def _check(variable: tuple[memoryview, Literal["little", "big"]], names: tuple[str, ...]) -> None:
    body, order = variable
    parts = _elements(body, order)
    flags, shape, name = (bytes(next(parts, (0, memoryview(b"")))[1]) for _ in range(3))
    if name.rstrip(b"\0").decode("latin-1") not in names:
        return
    kind = (flags.ljust(4, b"\0"))[0 if order == "little" else 3]
    shown = name.decode("latin-1")
    sides = [int.from_bytes(shape[k : k + 4], order, signed=True) for k in range(0, len(shape), 4)]
    if min(sides, default=-1) < 0 or kind not in (_CELL, *_PLAIN):
        raise CaptchaLabError(f"{shown!r} in it is no array")
    if kind == _CELL:
        cells = [content for part, content in parts if part == _MATRIX]
        if len(cells) > _MAX_CELLS or np.prod(sides, dtype=object) != len(cells):
            raise CaptchaLabError(f"{shown!r} in it claims more cells than it has")
        for cell in cells:
            inner = next(_elements(cell, order), (0, memoryview(b"")))[1]
            if len(inner) >= 4 and inner[0 if order == "little" else 3] not in _PLAIN:
                raise CaptchaLabError(f"{shown!r} in it holds what is no array of numbers or text")
