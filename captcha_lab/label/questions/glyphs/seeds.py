"""The seed queue: one picture of each shape, and now and then a second look at what rests on a doubtful key."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_lab.label.proposals.propose import UNLABELLED, seed_order
from captcha_lab.label.proposals.slips import basin_of
from captcha_lab.label.questions.glyphs.state import State
from captcha_lab.label.questions.types import LabelConfig, Question

CHECK_WORTH = 0.5  # labels that a second look must be expected to put right
STEP = 8  # shapes worked out at once


@dataclass
class Seeds:
    """Makes the seed queue's items."""

    state: State
    config: LabelConfig
    revision: int

    def count(self) -> int:
        """How many questions wait."""
        shapes = ~self.state.shape_labelled() & self._shape_open()
        return int(shapes.sum()) + sum(1 for _ in self._checks())

    def items(self, exclude: Collection[str]) -> Iterator[Question]:
        """Shapes and second looks, the one worth most first."""
        checks = [(worth, item) for worth, item in self._checks() if item.id not in exclude]
        for item in self._clusters(exclude):
            while checks and checks[0][0] >= item.worth:
                yield checks.pop(0)[1]
            yield item
        yield from (item for _, item in checks)

    def _shape_open(self) -> NDArray[np.bool_]:
        state = self.state
        open_rows = state.labels == UNLABELLED
        return np.bincount(state.look.shape_of, open_rows, len(state.look.size)) > 0

    def _shape_doubt(self) -> NDArray[np.float64]:
        """Expected share of wrong labels of each shape [A]; certainty comes from labels only."""
        state = self.state
        wrong = np.where(state.labels == UNLABELLED, 1 - state.probabilities.max(axis=1), 0.0)
        return np.bincount(state.look.shape_of, wrong, len(state.look.size)) / np.maximum(state.look.size, 1)

    def _clusters(self, exclude: Collection[str]) -> Iterator[Question]:
        state = self.state
        barred = ~self._shape_open()
        doubt = self._shape_doubt()
        done = state.shape_labelled()
        # What a client holds or has skipped is as good as asked: the next question should not be its double.
        done[[shape for shape in range(len(done)) if f"seed-{shape}" in exclude]] = True
        while True:
            found = seed_order(state.look, done, STEP, doubt, barred)
            for shape, gain in found:
                yield self._cluster(shape, gain)
                done[shape] = True
            if len(found) < STEP:
                return

    def _cluster(self, shape: int, gain: float) -> Question:
        state = self.state
        picture = self._picture(shape)
        rows = state.look_alikes(picture, self.config.look_alike)
        first = state.member(picture, stands_for=1 + len(rows))
        why = f"{1 + len(rows)} glyphs look like this" if len(rows) else "nothing else looks quite like this"
        members = (first, *(state.member(int(row)) for row in rows))
        offer = state.offer(first)
        return Question(f"seed-{shape}", "seed", "cluster", members, offer, gain, self.revision, why)

    def _picture(self, shape: int) -> int:
        """The glyph to show for a shape: its picture, or the closest that is still open."""
        state = self.state
        picture = int(state.look.picture[shape])
        if state.labels[picture] == UNLABELLED:
            return picture
        rows = state.rows_of_shape[shape]
        rows = rows[state.labels[rows] == UNLABELLED]
        return int(rows[np.argmax(state.look.closeness[rows])])

    # Second looks

    def _doubtful_keys(self) -> list[tuple[float, int, int]]:
        """(labels a second look is expected to put right, shape, its keys so far), most first."""
        keys = self.state.keys
        worth = keys.wrong * keys.rests
        pressed = keys.votes.sum(axis=1)
        order = np.argsort(-worth, kind="stable")
        return [
            (float(worth[k]), int(keys.shapes[k]), int(pressed[k]))
            for k in order.tolist()
            if worth[k] >= CHECK_WORTH
        ]

    def _checks(self) -> Iterator[tuple[float, Question]]:
        for worth, shape, pressed in self._doubtful_keys():
            row = self._witness(shape)
            if row is None:
                continue
            member = self.state.member(row, hidden=True)
            why = "asked again: what follows from an earlier key does not fit the others"
            item_id = f"check-{shape}-{pressed}"
            yield worth, Question(item_id, "seed", "glyph", (member,), None, worth, self.revision, why)

    def _witness(self, shape: int) -> int | None:
        """The glyph that tests a shape's keys: no person looked at it, and it is the likest to those they did."""
        state = self.state
        free = state.sources != "human"
        rows = state.rows_of_shape[shape]
        rows = rows[free[rows]]
        if len(rows) == 0:
            others = basin_of(state.look, state.shape_labelled(), shape)
            rows = np.concatenate([state.rows_of_shape[other] for other in others] or [rows])
            rows = rows[free[rows]]
        if len(rows) == 0:
            return None
        near = state.look.likeness[shape, state.look.shape_of[rows]] + 1e-3 * state.look.closeness[rows]
        return int(rows[near.argmax()])
