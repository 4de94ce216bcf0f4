"""The queues: which glyphs are asked in what form and order, and what an answer is worth.

`worth` is always the expected number of glyphs put right by one key, so that queues can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from captcha_lab.label.audit import audit_order
from captcha_lab.label.proposals import UNLABELLED, seed_order
from captcha_lab.label.state import State
from captcha_lab.label.types import Item, LabelConfig, Place, QueueName

PAGE_FROM = 0.6  # confidence from which a glyph goes on a page: closer calls are cheaper asked one by one
STRAY_KEYS = 2  # a stray on a page: one key or click to reach it, one to retype it
AUDIT_WORTH = 0.0  # an audit mends next to nothing; it measures


@dataclass
class Questions:
    """Makes the items of one state; `settled` are places whose dispute a person decided, `audited` those audited."""

    state: State
    config: LabelConfig
    revision: int
    settled: Collection[Place] = ()
    audited: Collection[Place] = ()
    _pages: list[tuple[float, list[int]]] | None = field(default=None, init=False)

    def iterate(self, queue: QueueName, exclude: Collection[str] = ()) -> Iterator[Item]:
        """The questions of a queue, best first, without those whose id is excluded."""
        makers: dict[str, Callable[[Collection[str]], Iterator[Item]]] = {
            "seed": self._seed,
            "uncertain": self._uncertain,
            "grid": self._grid,
            "suspects": self._suspects,
            "audit": self._audit,
            "captcha": self._captcha,
        }
        return (item for item in makers[queue](exclude) if item.id not in exclude)

    def count(self, queue: QueueName) -> int:
        """How many questions wait in a queue."""
        state = self.state
        open_rows = state.labels == UNLABELLED
        if queue == "seed":
            return int((~state.shape_labelled() & self._shape_open()).sum())
        if queue == "uncertain":
            return int(open_rows.sum()) if state.fitted else 0
        if queue == "grid":
            return len(self._page_rows())
        if queue == "suspects":
            return len(self._disputed())
        if queue == "audit":
            return sum(state.places[row] not in self.audited for row in np.flatnonzero(~open_rows).tolist())
        return len({state.places[row][0] for row in np.flatnonzero(open_rows).tolist()})

    # Seed: one picture of each shape

    def _shape_open(self) -> NDArray[np.bool_]:
        state = self.state
        open_rows = state.labels == UNLABELLED
        return np.bincount(state.look.shape_of, open_rows, len(state.look.size)) > 0

    def _shape_doubt(self) -> NDArray[np.float64]:
        """Expected share of wrong labels of each shape [A]; certainty comes from labels only."""
        state = self.state
        wrong = np.where(state.labels == UNLABELLED, 1 - state.probabilities.max(axis=1), 0.0)
        return np.bincount(state.look.shape_of, wrong, len(state.look.size)) / np.maximum(state.look.size, 1)

    def _seed(self, exclude: Collection[str]) -> Iterator[Item]:
        state = self.state
        labelled = state.shape_labelled()
        barred = ~self._shape_open()
        doubt = self._shape_doubt()
        step = 8
        done = labelled.copy()
        # What a client holds or has skipped is as good as asked: the next question should not be its double.
        done[[shape for shape in range(len(done)) if f"seed-{shape}" in exclude]] = True
        while True:
            found = seed_order(state.look, done, step, doubt, barred)
            for shape, gain in found:
                yield self._cluster(shape, gain)
                done[shape] = True
            if len(found) < step:
                return

    def _cluster(self, shape: int, gain: float) -> Item:
        state = self.state
        picture = self._picture(shape)
        rows = self._followers(picture, shape)
        first = state.member(picture, stands_for=1 + len(rows))
        why = f"{1 + len(rows)} glyphs look like this" if len(rows) else "nothing else looks quite like this"
        members = (first, *(state.member(int(row)) for row in rows))
        return Item(f"seed-{shape}", "seed", "cluster", members, first.proposal, gain, self.revision, why)

    def _picture(self, shape: int) -> int:
        """The glyph to show for a shape: its picture, or the closest that is still open."""
        state = self.state
        picture = int(state.look.picture[shape])
        if state.labels[picture] == UNLABELLED:
            return picture
        rows = state.rows_of_shape[shape]
        rows = rows[state.labels[rows] == UNLABELLED]
        return int(rows[np.argmax(state.look.closeness[rows])])

    def _followers(self, picture: int, shape: int) -> NDArray[np.int64]:
        """Further unlabelled glyphs so like a shape's picture that they take its label, closest first."""
        state = self.state
        rows = state.rows_of_shape[shape]
        near = state.look.closeness[rows] >= self.config.look_alike
        rows = rows[near & (state.labels[rows] == UNLABELLED) & (rows != picture)]
        return rows[np.argsort(-state.look.closeness[rows], kind="stable")]

    # Uncertain: the lowest margin first

    def _uncertain(self, exclude: Collection[str]) -> Iterator[Item]:
        state = self.state
        if not state.fitted:
            return
        margins = state.margins()
        rows = np.flatnonzero(state.labels == UNLABELLED)
        seen: set[int] = set()
        for row in rows[np.argsort(margins[rows], kind="stable")].tolist():
            shape = int(state.look.shape_of[row])
            if shape in seen:  # one answer may decide the whole shape: ask its next glyph when that is known
                continue
            seen.add(shape)
            mates = state.rows_of_shape[shape]
            mates = mates[
                (state.labels[mates] == UNLABELLED) & (state.look.closeness[mates] >= self.config.look_alike)
            ]
            doubt = float(1 - state.probabilities[row].max())
            member = state.member(row)
            why = f"margin {margins[row]:.2f}"
            worth = doubt * max(1, len(mates))
            item_id = f"uncertain-{member.image_id}-{member.position}"
            yield Item(item_id, "uncertain", "glyph", (member,), member.proposal, worth, self.revision, why)

    # Grid: pages of one predicted class

    def _page_rows(self) -> list[tuple[float, list[int]]]:
        """Pages as (worth, rows of the tiles); a tile is one glyph, or one shape that repeats."""
        if self._pages is not None:
            return self._pages
        state, pages = self.state, []
        if state.fitted:
            tiles = self._tiles()
            best = state.probabilities.argmax(axis=1)
            confidence = state.probabilities.max(axis=1)
            for k in np.unique(best[tiles]):
                rows = tiles[best[tiles] == k]
                rows = rows[np.argsort(confidence[rows], kind="stable")]
                for start in range(0, len(rows), self.config.page_size):
                    page = rows[start : start + self.config.page_size]
                    doubt = 1 - confidence[page]
                    stands = np.array([1 + len(self._also(int(row))) for row in page])
                    keys = 1 + STRAY_KEYS * float(doubt.sum())
                    pages.append((float((doubt * stands).sum()) / keys, page.tolist()))
            pages.sort(key=lambda page: -page[0])
        self._pages = pages
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

    def _also(self, row: int) -> list[int]:
        """Further glyphs a page's tile stands for."""
        state = self.state
        if not state.look.exact or state.look.closeness[row] < self.config.look_alike:
            return []
        mates = state.rows_of_shape[int(state.look.shape_of[row])]
        near = (state.look.closeness[mates] >= self.config.look_alike) & (state.labels[mates] == UNLABELLED)
        same = state.probabilities[mates].argmax(axis=1) == state.probabilities[row].argmax()
        return [int(mate) for mate in mates[near & same] if mate != row]

    def _grid(self, exclude: Collection[str]) -> Iterator[Item]:
        state = self.state
        for worth, rows in self._page_rows():
            also = {row: self._also(row) for row in rows}
            members = tuple(state.member(row, stands_for=1 + len(also[row])) for row in rows)
            image_id, position = state.places[rows[0]]
            proposal = members[0].proposal
            yield Item(
                f"grid-{proposal}-{image_id}-{position}",
                "grid",
                "page",
                members,
                proposal,
                worth,
                self.revision,
                f"{sum(m.stands_for for m in members)} glyphs read as {proposal}",
                {row: tuple(state.places[mate] for mate in mates) for row, mates in also.items() if mates},
            )

    # Suspects: labels the others dispute

    def _disputed(self) -> list[tuple[int, int, int, float]]:
        """(row, proposed class, tier, score) of disputes that still stand."""
        state, found = self.state, self.state.suspects
        if found is None:
            return []
        return [
            (row, k, tier, score)
            for row, k, tier, score in zip(
                found.rows.tolist(),
                found.proposed.tolist(),
                found.tier.tolist(),
                found.score.tolist(),
                strict=True,
            )
            if state.places[row] not in self.settled and state.labels[row] not in (k, UNLABELLED)
        ]

    def _suspects(self, exclude: Collection[str]) -> Iterator[Item]:
        state = self.state
        for row, k, tier, score in self._disputed():
            member = state.member(row)
            proposal = state.character(k)
            why = f"labelled {member.label or 'not a glyph'}, its look-alikes say {proposal} (tier {tier})"
            item_id = f"suspects-{member.image_id}-{member.position}"
            yield Item(item_id, "suspects", "glyph", (member,), proposal, 1 - score, self.revision, why)

    # Audit: a blind random sample of the labels

    def _audit(self, exclude: Collection[str]) -> Iterator[Item]:
        state = self.state
        for row in audit_order(len(state.places), self.config.seed).tolist():
            if state.labels[row] == UNLABELLED or state.places[row] in self.audited:
                continue
            member = state.member(row, hidden=True)
            item_id = f"audit-{member.image_id}-{member.position}"
            yield Item(
                item_id,
                "audit",
                "glyph",
                (member,),
                None,
                AUDIT_WORTH,
                self.revision,
                "blind: what do you see?",
            )

    # Captcha: whole pictures

    def _captcha(self, exclude: Collection[str]) -> Iterator[Item]:
        state = self.state
        doubt = np.where(state.labels == UNLABELLED, 1 - state.probabilities.max(axis=1), 0.0)
        by_image: dict[int, list[int]] = {}
        for row, (image_id, _) in enumerate(state.places):
            by_image.setdefault(image_id, []).append(row)
        waiting = [
            (float(doubt[rows].sum()), image_id, sorted(rows, key=lambda row: state.places[row][1]))
            for image_id, rows in by_image.items()
            if (state.labels[rows] == UNLABELLED).any()
        ]
        for wrong, image_id, rows in sorted(waiting, key=lambda entry: (-entry[0], entry[1])):
            members = tuple(state.member(row) for row in rows)
            texts = [m.label if m.label is not None else m.proposal for m in members]
            proposal = "".join(t or "" for t in texts) if all(texts) else None
            yield Item(
                f"captcha-{image_id}",
                "captcha",
                "captcha",
                members,
                proposal,
                wrong / (len(rows) + 1),
                self.revision,
                "type all its characters",
            )


def finite(value: float) -> float:
    """A number JSON can carry: 0 for nan and infinities."""
    return value if math.isfinite(value) else 0.0
