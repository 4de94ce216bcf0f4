"""What the engine knows: glyphs, shapes, labels and proposals as arrays; no questions, no disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from captcha_lab.alphabet import Alphabet
from captcha_lab.label.proposals.lookalikes import LookAlikes
from captcha_lab.label.proposals.propose import UNLABELLED, class_counts, propose, vote
from captcha_lab.label.proposals.slips import Keys, weigh_keys
from captcha_lab.label.proposals.suspects import Suspects, find_suspects
from captcha_lab.label.questions.types import EVEN_ODDS, NOT_A_GLYPH, Member, Place, Target
from captcha_lab.store.catalog.labels import Label

SHAPE_SHARE = 0.3  # of the proposals where a reader has its say: enough for the newest key to show
HAND_WEIGHT = 4.0  # a label given looking at that very glyph outweighs so many that followed along


@dataclass
class State:
    """N glyphs in A shapes, K classes; class K stands for "not a glyph".

    Attributes:
        glyphs: uint8 [N, H, W].
        places: where each glyph is.
        alphabet: class k is character k.
        look: the shapes.
        slip: share of keys a person mistypes.
        labels: int64 [N], UNLABELLED where there is none.
        sources: of the labels, "" where there is none.
        probabilities: float32 [N, K], the proposals.
        suspects: disputes among the labels, None before `dispute`.
        reading: float32 [N, K], a trained reader's probabilities, None where shapes alone decide.
        fitted: whether the proposals rest on any label.
        keys: the shapes labelled by hand, and how far each is to be believed.
        aside: bool [N], glyphs of captchas that were set aside.
    """

    glyphs: NDArray[np.uint8]
    places: Sequence[Place]
    alphabet: Alphabet
    look: LookAlikes
    slip: float
    labels: NDArray[np.int64] = field(init=False)
    sources: NDArray[np.str_] = field(init=False)
    probabilities: NDArray[np.float32] = field(init=False)
    suspects: Suspects | None = field(init=False, default=None)
    reading: NDArray[np.float32] | None = field(init=False, default=None)
    fitted: bool = field(init=False, default=False)
    keys: Keys = field(init=False)
    aside: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        count, classes = len(self.places), len(self.alphabet)
        self.labels = np.full(count, UNLABELLED, np.int64)
        self.sources = np.full(count, "", "<U6")
        self.aside = np.zeros(count, bool)
        self.probabilities = np.full((count, classes), 1 / classes, np.float32)
        self.row_of: dict[Target, int] = {place: row for row, place in enumerate(self.places)}
        order = np.argsort(self.look.shape_of, kind="stable")
        ends = np.cumsum(self.look.size)[:-1]
        self.rows_of_shape = np.split(order, ends)

    @property
    def bad(self) -> int:
        """The class that stands for "not a glyph"."""
        return len(self.alphabet)

    def load(self, current: Mapping[Place, Label], aside: Collection[int] = ()) -> None:
        """Take all labels from the log; labels of places that are not cut are left alone.

        Glyphs of the captchas `aside` count as no glyphs: nobody is asked about them.
        """
        self.labels[:] = UNLABELLED
        self.sources[:] = ""
        self.aside = np.array([image_id in aside for image_id, _ in self.places], bool)
        for place, label in current.items():
            self.mark(place, label.value, label.source)
        self.labels[self.aside] = self.bad
        self.sources[self.aside] = ""

    def mark(self, place: Target, value: str, source: str) -> None:
        """Set one label, if the place is known and the value one of the alphabet's."""
        row = self.row_of.get(place)
        if row is not None and (value == NOT_A_GLYPH or value in self.alphabet):
            self.labels[row] = self.bad if value == NOT_A_GLYPH else self.alphabet.index(value)
            self.sources[row] = source

    def look_alikes(self, row: int, closeness: float) -> NDArray[np.int64]:
        """Further unlabelled glyphs of a glyph's shape that are at least so close to its picture, closest first."""
        rows = self.rows_of_shape[int(self.look.shape_of[row])]
        near = self.look.closeness[rows] >= closeness
        rows = rows[near & (self.labels[rows] == UNLABELLED) & (rows != row)]
        return np.asarray(rows[np.argsort(-self.look.closeness[rows], kind="stable")])

    def character(self, k: int) -> str:
        """The label a class stands for."""
        return NOT_A_GLYPH if k == self.bad else self.alphabet.characters[k]

    def repropose(self) -> None:
        """Proposals from the labels as they are now: quick enough to follow every key."""
        counts = self.counts()
        by_hand = np.where(self.sources == "human", self.labels, UNLABELLED)
        votes = class_counts(self.look, by_hand, len(self.alphabet))
        self.probabilities = propose(self.look, counts)[self.look.shape_of]
        if self.reading is not None:
            self.probabilities = SHAPE_SHARE * self.probabilities + (1 - SHAPE_SHARE) * self.reading
        self.keys = weigh_keys(self.look, counts, votes, self.slip)
        self.fitted = bool((self.labels >= 0).any())

    def counts(self) -> NDArray[np.float64]:
        """Weight of the labels of each class that each shape has, [A, K]."""
        weights = np.where(self.sources == "human", HAND_WEIGHT, 1.0)
        return class_counts(self.look, self.labels, len(self.alphabet), weights)

    def targets(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """What a reader may learn from: a class for every glyph, int64 [N], and its weight, float64 [N].

        Labels weigh 1, proposals by how far their probability exceeds even odds, what is no glyph nothing.
        """
        best = self.best()
        sure = np.clip(2 * self.probabilities.max(axis=1) - 1, 0.02, 1.0)
        weights = np.where(self.labels == UNLABELLED, sure, 1.0)
        weights[best == self.bad] = 0.0
        return np.where(best == self.bad, 0, best), weights

    def dispute(self) -> None:
        """Work out the suspects among the labels."""
        rows = np.flatnonzero((self.labels >= 0) & (self.labels < self.bad))
        if len(rows) == 0:
            self.suspects = None
            return
        found = find_suspects(vote(self.look, self.labels, len(self.alphabet), rows), self.labels[rows])
        self.suspects = Suspects(rows[found.rows], found.proposed, found.tier, found.score)

    def best(self) -> NDArray[np.int64]:
        """The label of every glyph, or its proposal where it has none; int64 [N]."""
        return np.where(self.labels == UNLABELLED, self.probabilities.argmax(axis=1), self.labels)

    def waiting(self) -> NDArray[np.int64]:
        """Rows without a label that have a proposal."""
        return np.flatnonzero(self.labels == UNLABELLED) if self.fitted else np.zeros(0, np.int64)

    def shape_labelled(self) -> NDArray[np.bool_]:
        """Shapes of which a glyph is labelled, bool [A]."""
        return np.bincount(self.look.shape_of, self.labels >= 0, len(self.look.size)) > 0

    def margins(self) -> NDArray[np.float32]:
        """Probability of the likeliest class less that of the next, [N]."""
        if self.probabilities.shape[1] < 2:
            return np.ones(len(self.places), np.float32)
        top = np.partition(self.probabilities, -2, axis=1)[:, -2:]
        return top[:, 1] - top[:, 0]

    @staticmethod
    def offer(member: Member) -> str | None:
        """What Enter accepts: the proposal, where it is more likely right than wrong."""
        return member.proposal if member.confidence >= EVEN_ODDS else None

    def member(self, row: int, *, hidden: bool = False, stands_for: int = 1) -> Member:
        """One glyph as shown; `hidden` keeps label and proposal away from the person."""
        image_id, position = self.places[row]
        if hidden:
            return Member(row, image_id, position, stands_for=stands_for)
        k = int(self.labels[row])
        best = int(self.probabilities[row].argmax())
        return Member(
            row,
            image_id,
            position,
            None if k == UNLABELLED else self.character(k),
            str(self.sources[row]) or None,
            self.character(best) if self.fitted else None,
            float(self.probabilities[row, best]) if self.fitted else 0.0,
            stands_for=stands_for,
        )
