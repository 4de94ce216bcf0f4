"""Cells by ink: connected pieces of it, merged where they stand above each other, split where they are too wide."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label, regionprops

from captcha_lab.segment.method import Box, Method

SPECK = 0.02  # a piece with a smaller share of the captcha's ink is no part of a character
OVER = 0.5  # of the narrower piece's width: pieces that share so many columns are one character (the dot of an i)
WIDE = 1.6  # times the usual width of a character: a piece this wide is several that touch
NARROW, BROAD = 0.5, 0.9  # times the height of the writing: between them lies the usual width of a character

Span = tuple[int, int]  # columns x0 and x1 of a piece; x1 exclusive


def boxes(ink: NDArray[np.bool_], count: int | None) -> list[Box]:
    """Cells around characters that stand anywhere and have different widths, all of the height of the writing.

    With `count`, the closest neighbours are merged or the widest split at their thinnest column until there are so
    many; without it pieces are split that are much wider than the others.
    """
    spans, (top, bottom) = _characters(ink)
    if not spans or (count is not None and not 0 < count <= ink.shape[1]):
        return []
    columns = ink[top:bottom].sum(axis=0)
    spans = _split_wide(spans, columns, bottom - top) if count is None else _to_count(spans, columns, count)
    return [(x0, top, x1, bottom) for x0, x1 in spans]


def _characters(ink: NDArray[np.bool_]) -> tuple[list[Span], Span]:
    """Columns of the pieces, from left to right, those above each other merged; and the rows of the writing."""
    pieces = [p for p in regionprops(label(ink, connectivity=2)) if p.area >= max(2, SPECK * ink.sum())]
    if not pieces:
        return [], (0, 0)
    rows = min(p.bbox[0] for p in pieces), max(p.bbox[2] for p in pieces)
    spans: list[Span] = []
    for x0, x1 in sorted((p.bbox[1], p.bbox[3]) for p in pieces):
        if spans and min(x1, spans[-1][1]) - x0 >= OVER * min(x1 - x0, spans[-1][1] - spans[-1][0]):
            spans[-1] = (spans[-1][0], max(x1, spans[-1][1]))
        else:
            spans.append((x0, x1))
    return spans, rows


def _to_count(spans: list[Span], columns: NDArray[np.int64], count: int) -> list[Span]:
    while len(spans) > count:
        widths = [after[1] - before[0] for before, after in pairwise(spans)]
        k = int(np.argmin(widths))
        spans = [*spans[:k], (spans[k][0], spans[k + 1][1]), *spans[k + 2 :]]
    shares = _shares(spans, count)
    return [part for span, share in zip(spans, shares, strict=True) for part in _split(span, share, columns)]


def _shares(spans: list[Span], count: int) -> list[int]:
    """How many characters each piece is taken for: one, and one more wherever they would be widest."""
    shares = [1] * len(spans)
    while sum(shares) < count:
        widths = [(x1 - x0) / share for (x0, x1), share in zip(spans, shares, strict=True)]
        shares[int(np.argmax(widths))] += 1
    return shares


def _split_wide(spans: list[Span], columns: NDArray[np.int64], height: int) -> list[Span]:
    middle = float(np.quantile([x1 - x0 for x0, x1 in spans], 0.5, method="lower"))
    usual = float(np.clip(middle, NARROW * height, BROAD * height))
    found: list[Span] = []
    for x0, x1 in spans:
        share = max(1, round((x1 - x0) / usual)) if x1 - x0 >= WIDE * usual else 1
        found += _split((x0, x1), share, columns)
    return found


def _split(span: Span, parts: int, columns: NDArray[np.int64]) -> list[Span]:
    """A piece cut at the columns with the least ink that lie near the edges of equal parts."""
    x0, x1 = span
    if parts == 1:
        return [span]
    part = (x1 - x0) / parts
    edges = [x0]
    for k in range(1, parts):
        middle = x0 + k * part
        first, last = max(edges[-1] + 1, round(middle - part / 3)), round(middle + part / 3)
        window = np.arange(first, max(first, min(last, x1 - parts + k)) + 1)
        # Among equally thin columns the one nearest to the middle.
        edges.append(int(window[np.lexsort((np.abs(window - middle), columns[window]))[0]]))
    edges.append(x1)
    return list(pairwise(edges))


METHOD = Method("ink", "ink-1", "cells around the ink of each character, wherever it stands", boxes)
