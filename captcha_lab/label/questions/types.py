"""What the engine hands to whoever asks a person, and what it gets back; plain values, no arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Place = tuple[int, int]  # (image id, position in the captcha)
Mark = tuple[int, int, str]  # the same with its label
QueueName = Literal["seed", "uncertain", "grid", "suspects", "audit", "captcha"]
QUEUE_NAMES: tuple[QueueName, ...] = ("seed", "uncertain", "grid", "suspects", "audit", "captcha")

NOT_A_GLYPH = ""  # the label of a place that is empty or badly cut


@dataclass(frozen=True)
class LabelConfig:
    """The engine's settings, with their units."""

    look_alike: float = 0.97  # similarity (0 … 1) from which two glyphs are one shape under one key
    sure: float = (
        0.9  # a key against a proposal surer than this may be a slip: its look-alikes don't follow it
    )
    max_shapes: int = 1200  # shapes compared pairwise; further ones join their nearest
    page_size: int = 48  # tiles of a grid page
    retrain_after: int = 8  # keys after which the proposals are worked out again
    slip: float = 0.01  # share of keys a person is taken to mistype
    stop_at: float = 0.999  # estimated share of right labels at which the panel says stop
    seed: int = 0  # of the audit's order and the model


@dataclass(frozen=True)
class Member:
    """One glyph on show. `proposal` and `confidence` (0 … 1) are the model's, None and 0 where it has none."""

    row: int  # row of the glyph array the engine was given
    image_id: int
    position: int
    label: str | None = None  # the label it has now, None when unlabelled
    source: str | None = None  # human, model, batch or import
    proposal: str | None = None
    confidence: float = 0.0
    stands_for: int = 1  # glyphs this tile stands for (its look-alikes get the same label)

    @property
    def place(self) -> Place:
        """Where the glyph is."""
        return (self.image_id, self.position)


@dataclass(frozen=True)
class Item:
    """One question.

    Kinds: `cluster` (one shape; `members[0]` is its picture, the rest are its look-alikes), `glyph` (one
    glyph), `page` (tiles of one predicted class, least confident first), `captcha` (all glyphs of a picture in
    order). `proposal` is what Enter accepts (a character, for a captcha the text), None where there is none
    or where it must stay hidden. `worth` is the expected number of labels put right by one key.
    """

    id: str
    queue: QueueName
    kind: Literal["cluster", "glyph", "page", "captcha"]
    members: tuple[Member, ...]
    proposal: str | None
    worth: float
    revision: int  # of the label log when the item was made
    why: str = ""  # one line for the person: why this is asked
    look_alikes: Mapping[int, tuple[Place, ...]] = field(default_factory=dict)
    # row of a page's tile -> the further places its label also goes to

    def typed(self, value: str, *, strays: frozenset[Place] = frozenset(), keystrokes: int = 1) -> Answer:
        """One key for the whole item: the picture by hand, its look-alikes (less `strays`) with it.

        For a captcha `value` is the text, one character per member.
        """
        if self.kind == "captcha":
            by_hand = tuple((*m.place, c) for m, c in zip(self.members, value, strict=True))
            return self._answer(by_hand, (), keystrokes)
        kept = [m for m in self.members if m.place not in strays]
        marks = tuple((*m.place, value) for m in kept)
        return self._answer(marks[:1], marks[1:], keystrokes)

    def accepted(self, *, corrections: Mapping[Place, str] | None = None, keystrokes: int = 1) -> Answer:
        """Enter: every member gets the proposal it shows, `corrections` what was retyped, in one act.

        `keystrokes` includes those of the corrections.
        """
        fixed = dict(corrections or {})
        if self.kind == "captcha" and self.proposal is not None:
            fixed = {m.place: c for m, c in zip(self.members, self.proposal, strict=True)} | fixed
        elif self.kind in ("cluster", "glyph") and self.proposal is not None:
            return self.typed(self.proposal, keystrokes=keystrokes)
        by_hand = [(*place, value) for place, value in fixed.items()]
        spread = [
            (*m.place, m.proposal) for m in self.members if m.place not in fixed and m.proposal is not None
        ]
        for m in self.members:
            value = fixed.get(m.place, m.proposal)
            if value is not None:
                spread += [(*place, value) for place in self.look_alikes.get(m.row, ())]
        return self._answer(tuple(by_hand), tuple(spread), keystrokes)

    def retyped(self, place: Place, value: str, *, keystrokes: int = 2) -> Answer:
        """One stray of a page, saved at once: it (and its look-alikes) get `value`, the rest waits."""
        row = next(m.row for m in self.members if m.place == place)
        spread = tuple((*other, value) for other in self.look_alikes.get(row, ()))
        return self._answer(((*place, value),), spread, keystrokes)

    def _answer(self, typed: tuple[Mark, ...], spread: tuple[Mark, ...], keys: int) -> Answer:
        return Answer(self.queue, typed, spread, keys, expected_revision=self.revision)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Answer:
    """One act: what one undo takes back.

    `typed` are labels the person gave looking at that very glyph, `spread` those that follow along (look-alikes,
    accepted tiles); each a (image id, position, value), the value "" meaning "not a glyph". `token` is the client's
    own name for the act, so that sending it twice applies it once.
    """

    queue: QueueName
    typed: tuple[Mark, ...]
    spread: tuple[Mark, ...] = ()
    keystrokes: int = 1
    token: str | None = None
    expected_revision: int | None = None
    session: str = ""


@dataclass(frozen=True)
class Outcome:
    """What an answer or an undo did; it is on the disk when you hold this."""

    act_id: int
    revision: int
    places: tuple[Place, ...]  # whose labels changed
    undone: bool = False
    settled: int = 0  # labels of an earlier key that this one showed to be a slip


@dataclass(frozen=True)
class Queue:
    """One way of asking: `count` items wait, the next `worth` expected labels put right per key."""

    name: QueueName
    title: str
    count: int
    worth: float
    hint: str


@dataclass(frozen=True)
class Confusion:
    """Two characters the labels and the model disagree about, and how often."""

    given: str
    predicted: str
    count: int


@dataclass(frozen=True)
class Estimate:
    """Share of right labels with its 95 % interval, and where it comes from: audit, model or none."""

    value: float
    low: float
    high: float
    source: str
    trials: int


@dataclass(frozen=True)
class CurvePoint:
    """Estimated share of right labels after so many labels given by hand."""

    labels: int
    accuracy: float


@dataclass(frozen=True)
class Panel:
    """The small panel: where the work stands and when to stop."""

    revision: int
    glyphs: int
    labelled: int  # places with a label
    by_hand: int  # of them, labelled by a person looking at that glyph
    keystrokes: int
    estimate: Estimate  # of all glyphs: labels where there are some, else proposals
    audit: Estimate  # of the accepted labels, by the blind sample
    curve: tuple[CurvePoint, ...]
    target: float  # share of right labels to be reached
    labels_to_go: int | None  # about so many more by hand for `target`; None where it can't be told
    waiting: int  # glyphs without a label that have a proposal
    waiting_right: float  # share of these proposals expected to be right
    confusions: tuple[Confusion, ...]
    best_queue: QueueName | None  # what to do next
    stop: bool
    advice: str  # one sentence: what to do next, or that it is time to stop
    ready: bool  # False while look-alikes and proposals are still being worked out
    stale: bool  # enough changed that proposals should be worked out again
