"""The grid queue: pages of one predicted class, the least confident first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from captcha_lab.label.proposals.propose import UNLABELLED
from captcha_lab.label.questions.glyphs.state import State
from captcha_lab.label.questions.types import LabelConfig, Question

PAGE_FROM = 0.6  # confidence from which a glyph goes on a page: closer calls are cheaper asked one by one
STRAY_KEYS = 2  # a stray on a page: one key or click to reach it, one to retype it


@dataclass
class GlyphPages:
    """Makes the grid queue's items."""

    state: State
    config: LabelConfig
    revision: int

    def count(self) -> int:
        """How many pages wait."""
        return len(self._rows)

    def items(self) -> Iterator[Question]:
        """The pages, the one worth most first."""
        for worth, rows in self._rows:
            members = tuple(self.state.member(row, stands_for=1 + self._also(row)) for row in rows)
            image_id, position = self.state.places[rows[0]]
            proposal = members[0].proposal
            yield Question(
                f"grid-{proposal}-{image_id}-{position}",
                "grid",
                "page",
                members,
                proposal,
                worth,
                self.revision,
                f"{sum(m.stands_for for m in members)} glyphs read as {proposal}",
            )

    @cached_property
    def _rows(self) -> list[tuple[float, list[int]]]:
        """Pages as (worth, rows of the tiles); a tile is one glyph, or one shape that repeats."""
        state, pages = self.state, []
        if not state.fitted:
            return []
        tiles = self._tiles()
        best = state.probabilities.argmax(axis=1)
        confidence = state.probabilities.max(axis=1)
        for k in np.unique(best[tiles]):
            rows = tiles[best[tiles] == k]
            rows = rows[np.argsort(confidence[rows], kind="stable")]
            for start in range(0, len(rows), self.config.page_size):
                page = rows[start : start + self.config.page_size]
                doubt = 1 - confidence[page]
                stands = np.array([1 + self._also(int(row)) for row in page])
                keys = 1 + STRAY_KEYS * float(doubt.sum())
                pages.append((float((doubt * stands).sum()) / keys, page.tolist()))
        pages.sort(key=lambda page: -page[0])
        return pages

    def _tiles(self) -> NDArray[np.int64]:
        """Unlabelled glyphs, one for each group that is sure to share a label (same shape, same proposal)."""
        state = self.state
        likely = state.probabilities.max(axis=1) >= PAGE_FROM
        rows = np.flatnonzero((state.labels == UNLABELLED) & likely)
        if not state.look.exact:
            return rows
        alone = state.look.closeness[rows] < self.config.look_alike
        best = state.probabilities.argmax(axis=1)
        key = state.look.shape_of[rows] * (len(state.alphabet) + 1) + best[rows]
        order = np.lexsort((-state.look.closeness[rows], key))
        first = np.zeros(len(rows), bool)
        if len(rows):
            first[order[np.r_[True, np.diff(key[order]) != 0]]] = True
        return rows[first | alone]

    def _also(self, row: int) -> int:
        """How many further glyphs a page's tile stands for."""
        return len(followers(self.state, self.config, row))


def followers(state: State, config: LabelConfig, row: int) -> NDArray[np.int64]:
    """Glyphs that follow a page's tile: only where the glyphs of a shape are equal, not merely alike."""
    if not state.look.exact or state.look.closeness[row] < config.look_alike:
        return np.zeros(0, np.int64)
    return state.look_alikes(row, config.look_alike)
