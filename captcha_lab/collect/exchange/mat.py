"""MATLAB's .mat files (version 5), looked through before scipy reads them.

scipy makes room for whatever a file claims, and calls itself for each cell inside a cell until the stack ends.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.io

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.files import read_file

Order = Literal["little", "big"]
MAX_BYTES = 2**31 - 1  # what the format holds in one variable
PLAIN_BYTES = 64 << 20  # a file may unpack to so much, or to RATIO times its own size
RATIO = 100
_HEAD = 128  # bytes before the first element
_MATRIX, _COMPRESSED = 14, 15  # kinds of elements
_CELL, _TEXT = 1, 4  # kinds of arrays
_PLAIN = (_TEXT, *range(6, 16))  # characters and numbers, but no sparse ones
PLAIN_ROWS = 100_000  # of an array, whatever the file's size: each row or cell becomes an object of its own


def read_mat(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The variables of these names, those that there are; arrays of numbers or text, or cells of such arrays.

    Raises:
        CaptchaLabError: the file is no ordinary one, is damaged, or claims or holds what no export does.
        Exception: damage that only scipy finds makes it raise nearly anything.
    """
    data = read_file(path, MAX_BYTES)
    for variable in _variables(data):
        _check(*variable, names, PLAIN_ROWS + len(data) // 8)
    values: dict[str, Any] = scipy.io.loadmat(path, chars_as_strings=True, variable_names=names)
    return {name: values[name] for name in names if isinstance(values.get(name), np.ndarray)}


def _variables(data: bytes) -> Iterator[tuple[memoryview, Order]]:
    """The content of each variable, unpacked, and the order of its bytes."""
    marks: dict[bytes, Order] = {b"IM": "little", b"MI": "big"}
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


def _elements(data: memoryview, order: Order) -> Iterator[tuple[int, memoryview]]:
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


def _check(variable: memoryview, order: Order, names: tuple[str, ...], most_rows: int) -> None:
    kind, sides, name, parts = _head(variable, order)
    shown = name.decode("latin-1")
    if shown.rstrip("\0") not in names:
        return
    if min(sides, default=-1) < 0 or kind not in (_CELL, *_PLAIN):
        raise CaptchaLabError(f"{shown!r} in it is no array")
    if (rows := _rows(kind, sides)) > most_rows:
        raise CaptchaLabError(f"{shown!r} in it claims more rows than the file can hold ({rows})")
    if kind == _CELL:
        cells = [content for part, content in islice(parts, rows + 1) if part == _MATRIX]
        if rows != len(cells):
            raise CaptchaLabError(f"{shown!r} in it claims more cells than it has")
        for cell in cells:
            kind, sides, *_ = _head(cell, order)
            if kind not in (0, *_PLAIN) or _rows(kind, sides) > most_rows:
                raise CaptchaLabError(f"{shown!r} in it holds what is no array of numbers or text")


def _head(body: memoryview, order: Order) -> tuple[int, list[int], bytes, Iterator[tuple[int, memoryview]]]:
    """Kind (0 where there is none), sides and name of an array, and the elements after them."""
    parts = _elements(body, order)
    flags, shape, name = (bytes(next(parts, (0, memoryview(b"")))[1]) for _ in range(3))
    sides = [int.from_bytes(shape[k : k + 4], order, signed=True) for k in range(0, len(shape), 4)]
    return flags.ljust(4, b"\0")[0 if order == "little" else 3], sides, name, parts


def _rows(kind: int, sides: list[int]) -> int:
    """What becomes an object of its own: a cell, a row of characters (scipy makes one text of it), or of numbers."""
    return math.prod(sides if kind == _CELL else sides[:-1] if kind == _TEXT else sides[:1])
