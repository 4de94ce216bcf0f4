"""What a catalog's tables hold, row by row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """What one statement gave: all its rows, the id of the row it inserted, how many rows it changed."""

    rows: list[sqlite3.Row]
    lastrowid: int | None
    rowcount: int

    def __iter__(self) -> Iterator[sqlite3.Row]:
        return iter(self.rows)

    def first(self) -> Any:
        """The first row; None where there is none."""
        return self.rows[0] if self.rows else None


@dataclass(frozen=True)
class ImageRow:
    """One distinct image: sizes in pixels and bytes; `split` where its source fixed one; why it is set aside, if so."""

    id: int
    sha256: str
    extension: str
    width: int
    height: int
    bytes: int
    split: str | None
    aside: str | None = None


@dataclass(frozen=True)
class GlyphRow:
    """One cell of one captcha: box [x0, x1) x [y0, y1) in pixels, flags as the segmenter gave them."""

    image_id: int
    position: int
    segmenter: str
    x0: int
    y0: int
    x1: int
    y1: int
    flags: str = ""


@dataclass(frozen=True)
class FetchRow:
    """One attempt to get an image; `status` is the HTTP status where there was one."""

    id: int
    at: float
    url: str
    status: int | None
    outcome: str
    bytes: int
    seconds: float
    image_id: int | None
    note: str
