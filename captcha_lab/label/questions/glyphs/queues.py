"""The queues: which glyphs are asked in what form and order, and what an answer is worth.

`worth` is always the expected number of glyphs put right by one key, so that queues can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np

from captcha_lab.label.proposals.propose import UNLABELLED
from captcha_lab.label.questions.audit import audit_order
from captcha_lab.label.questions.glyphs.pages import GlyphPages
from captcha_lab.label.questions.glyphs.seeds import Seeds
from captcha_lab.label.questions.glyphs.state import State
from captcha_lab.label.questions.types import LabelConfig, Place, Question, Queue, QueueName, Target

GLYPH_QUEUES: tuple[QueueName, ...] = ("seed", "uncertain", "grid", "suspects", "audit")
EXAMPLES = 4  # of each of two labels, shown beside a doubtful one
AUDIT_WORTH = 0.0  # an audit mends next to nothing; it measures


@dataclass
class GlyphQueues:
    """Makes the items of one state; `settled` are places whose dispute a person decided, `audited` those audited."""

    state: State
    config: LabelConfig
    revision: int
    settled: Collection[Target] = ()
    audited: Collection[Target] = ()

    def __post_init__(self) -> None:
        self._seeds = Seeds(self.state, self.config, self.revision)
        self._pages = GlyphPages(self.state, self.config, self.revision)

    def overview(self) -> list[Queue]:
        """All queues with their counts and what the next key in each is worth."""
        result = []
        for name in GLYPH_QUEUES:
            following = next(self.iterate(name), None)
            worth = 0.0 if following is None else following.worth
            result.append(Queue.named(name, self.count(name), worth))
        return result

    def iterate(self, queue: QueueName, exclude: Collection[str] = ()) -> Iterator[Question]:
        """The questions of a queue, best first, without those whose id is excluded."""
        makers: dict[str, Callable[[Collection[str]], Iterator[Question]]] = {
            "seed": self._seeds.items,
            "uncertain": self._uncertain,
            "grid": lambda exclude: self._pages.items(),
            "suspects": self._suspects,
            "audit": self._audit,
        }
        return (item for item in makers[queue](exclude) if item.id not in exclude)

    def count(self, queue: QueueName) -> int:
        """How many questions wait in a queue."""
        state = self.state
        open_rows = state.labels == UNLABELLED
        if queue == "seed":
            return self._seeds.count()
        if queue == "uncertain":
            return int(open_rows.sum()) if state.fitted else 0
        if queue == "grid":
            return self._pages.count()
        if queue == "suspects":
            return len(self._disputed())
        accepted = np.flatnonzero(~open_rows & ~state.aside)
        return sum(state.places[row] not in self.audited for row in accepted.tolist())

    # Uncertain: the lowest margin first

    def _uncertain(self, exclude: Collection[str]) -> Iterator[Question]:
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
            why = f"its two likeliest characters are {100 * margins[row]:.0f} percentage points apart"
            worth = doubt * max(1, len(mates))
            item_id = f"uncertain-{member.image_id}-{member.position}"
            offer = state.offer(member)
            yield Question(item_id, "uncertain", "glyph", (member,), offer, worth, self.revision, why)

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

    def _suspects(self, exclude: Collection[str]) -> Iterator[Question]:
        state = self.state
        for row, k, _, score in self._disputed():
            member = state.member(row)
            proposal = state.character(k)
            why = f"labelled {member.label or 'not a glyph'}, but its look-alikes are read as {proposal}"
            item_id = f"suspects-{member.image_id}-{member.position}"
            given = int(state.labels[row])
            examples = {
                state.character(kind): self._examples(row, kind) for kind in (given, k) if kind != state.bad
            }
            yield Question(
                item_id, "suspects", "glyph", (member,), proposal, 1 - score, self.revision, why, examples
            )

    def _examples(self, row: int, kind: int) -> tuple[Place, ...]:
        """The glyphs with a label that are likest to a doubtful one, each of another shape."""
        state = self.state
        rows = np.flatnonzero(state.labels == kind)
        rows = rows[rows != row]
        likeness = state.look.likeness[state.look.shape_of[row], state.look.shape_of[rows]]
        rows = rows[np.argsort(-likeness, kind="stable")]
        _, first = np.unique(state.look.shape_of[rows], return_index=True)
        return tuple(state.places[k] for k in rows[np.sort(first)[:EXAMPLES]].tolist())

    # Audit: a blind random sample of the labels

    def _audit(self, exclude: Collection[str]) -> Iterator[Question]:
        state = self.state
        accepted = (state.labels != UNLABELLED) & ~state.aside
        for row in audit_order(len(state.places), self.config.seed).tolist():
            if not accepted[row] or state.places[row] in self.audited:
                continue
            member = state.member(row, hidden=True)
            item_id = f"audit-{member.image_id}-{member.position}"
            yield Question(
                item_id,
                "audit",
                "glyph",
                (member,),
                None,
                AUDIT_WORTH,
                self.revision,
                "audit: its present label is hidden",
            )
