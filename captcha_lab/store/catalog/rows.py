"""What a catalog's tables hold, row by row."""

from __future__ import annotations

from dataclasses import dataclass


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
