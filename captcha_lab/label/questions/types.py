"""What an engine hands to whoever asks a person, and what it gets back; plain values, no arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Target = tuple[int, int | None]  # what a label speaks of: (image id, position in the captcha, None: its text)
Place = tuple[int, int]  # the target of a glyph's label
QueueName = Literal["seed", "uncertain", "grid", "suspects", "audit", "captcha"]
QUEUE_NAMES: tuple[QueueName, ...] = ("seed", "uncertain", "grid", "suspects", "audit", "captcha")
BEST = "best"  # the mode that asks in whichever queue the next key is worth most
TITLES: dict[QueueName, tuple[str, str]] = {
    "seed": ("New shapes", "one picture of each shape: one key labels all that look like it"),
    "uncertain": ("Closest calls", "the glyphs whose proposal is least sure come first"),
    "grid": ("Pages", "many proposals at once: retype the wrong ones, accept the rest with one key"),
    "suspects": ("Check labels", "labels that all the other labels contradict"),
    "audit": ("Audit", "a blind sample that measures how many labels are right"),
    "captcha": ("Whole captchas", "type the text of a whole captcha, or accept its proposal"),
}

NOT_A_GLYPH = ""  # the label of a place that is empty or badly cut, and of a captcha that no human can read
EVEN_ODDS = 0.5  # a proposal less sure than this is not offered on Enter
MOST_CHARACTERS = 64  # of a captcha's text: more is a stuck key


@dataclass(frozen=True)
class LabelConfig:
    """The engine's settings, with their units."""

    look_alike: float = 0.97  # similarity (0 … 1) from which two glyphs are one shape under one key
    sure: float = (
        0.9  # a key against a proposal surer than this may be a slip: its look-alikes don't follow it
    )
    max_shapes: int = 1200  # shapes compared pairwise; further ones join their nearest
    page_size: int = 48  # tiles of a page of glyphs
    texts_on_page: int = 24  # tiles of a page of captchas
    retrain_after: int = 8  # keys after which the proposals are worked out again
    slip: float = 0.01  # share of keys a person is taken to mistype
    stop_at: float = 0.999  # estimated share of right labels at which the panel says stop
    seed: int = 0  # of the audit's order and the model


@dataclass(frozen=True)
class Member:
    """One glyph or captcha on show; the model's `proposal` and its `confidence` (0 … 1), None and 0 without one."""

    row: int  # number of the glyph or captcha in the engine that asks
    image_id: int
    position: int | None  # None for a whole captcha
    label: str | None = None  # the label it has now, None when unlabelled
    source: str | None = None  # human, model, batch or import
    proposal: str | None = None
    confidence: float = 0.0
    per_character: tuple[float, ...] = ()  # of a captcha's proposal, 0 … 1
    stands_for: int = 1  # glyphs this tile stands for (its look-alikes get the same label)

    @property
    def target(self) -> Target:
        """What its label speaks of."""
        return (self.image_id, self.position)


@dataclass(frozen=True)
class Question:
    """One question.

    Kinds: `cluster` (one shape; `members[0]` is its picture, the rest are its look-alikes), `glyph` (one
    glyph), `text` (one whole captcha), `page` (tiles, glyphs of one predicted class or whole captchas). `proposal`
    is what Enter accepts, None where there is none, where it must stay hidden, and where it is less sure than even
    odds. `worth` is the expected number of characters put right by one key.
    """

    id: str
    queue: QueueName
    kind: Literal["cluster", "glyph", "page", "text"]
    members: tuple[Member, ...]
    proposal: str | None
    worth: float
    revision: int  # of the label log when the question was made
    why: str = ""  # one line for the person: why this is asked
    examples: Mapping[str, tuple[Place, ...]] = field(
        default_factory=dict
    )  # glyphs that bear a disputed label

    def only(self, target: Target) -> Question:
        """The question narrowed to one tile of a page."""
        return replace(self, members=tuple(m for m in self.members if m.target == target))

    def answer(
        self,
        value: str | None = None,
        *,
        left_out: frozenset[Target] = frozenset(),
        corrections: Mapping[Target, str] | None = None,
        keystrokes: int = 1,
    ) -> Answer:
        """What a person says to this question (see `Answer`)."""
        return Answer(
            self, value, left_out, dict(corrections or {}), keystrokes, expected_revision=self.revision
        )


@dataclass(frozen=True)
class Answer:
    """One act: what one undo takes back. What it means for the labels the engine alone decides.

    Attributes:
        question: what was asked, as it was shown.
        value: the label typed or accepted; "" for "not a glyph" or "no human can read it". None on a page means
            that every member takes the proposal it shows.
        left_out: members, or further look-alikes of a cluster, that this answer does not speak of.
        corrections: members of a page that were retyped, with their labels.
        keystrokes: keys and clicks it took.
        token: the client's own name for the act, so that sending it twice applies it once.
        expected_revision: of the label log; another one refuses the answer.
        session: who is labelling.
    """

    question: Question
    value: str | None = None
    left_out: frozenset[Target] = frozenset()
    corrections: Mapping[Target, str] = field(default_factory=dict)
    keystrokes: int = 1
    token: str | None = None
    expected_revision: int | None = None
    session: str = ""


@dataclass(frozen=True)
class Outcome:
    """What an answer did; it is on the disk when you hold this."""

    act_id: int
    revision: int
    targets: tuple[Target, ...]  # whose labels changed
    settled: int = 0  # labels of an earlier key that this one showed to be a slip
    value: str | None = None  # the first label as it was saved, which may differ from what was typed by case


@dataclass(frozen=True)
class Queue:
    """One way of asking: `count` questions wait, the next `worth` expected characters put right per key."""

    name: QueueName
    title: str
    count: int
    worth: float
    hint: str

    @classmethod
    def named(cls, name: QueueName, count: int, worth: float) -> Queue:
        """A queue under its usual title."""
        return cls(name, TITLES[name][0], count, worth, TITLES[name][1])


@dataclass(frozen=True)
class Confusion:
    """Two characters the labels and the model disagree about, and how often."""

    given: str
    predicted: str
    count: int


@dataclass(frozen=True)
class CharacterCount:
    """How many labels bear a character, and where one of them is (None for a character of whole texts)."""

    character: str
    count: int
    example: Place | None = None


@dataclass(frozen=True)
class Estimate:
    """Share of right labels with its 95 % interval, and where it comes from: audit, model or none."""

    value: float
    low: float
    high: float
    source: str
    trials: int


NOTHING_KNOWN = Estimate(float("nan"), 0.0, 1.0, "none", 0)


@dataclass(frozen=True)
class CurvePoint:
    """Estimated share of right labels after so many labels given by hand."""

    labels: int
    accuracy: float


@dataclass(frozen=True)
class LabelPanel:
    """The small panel: where the work stands and when to stop."""

    revision: int
    unit: Literal["glyph", "captcha"]  # what is counted
    total: int
    labelled: int  # of them, with a label
    by_hand: int  # of them, labelled by a person looking at that very one
    keystrokes: int
    estimate: Estimate  # of all: labels where there are some, else proposals
    audit: Estimate  # of the accepted labels, by the blind sample
    curve: tuple[CurvePoint, ...]
    target: float  # share of right labels to be reached
    labels_to_go: int | None  # about so many more by hand for `target`; None where it can't be told
    waiting: int  # without a label, with a proposal
    waiting_right: float  # share of these proposals expected to be right
    confusions: tuple[Confusion, ...]
    characters: tuple[CharacterCount, ...]  # of the alphabet, in its order
    best_queue: QueueName | None  # what to do next
    stop: bool
    advice: str  # one sentence: what to do next, or that it is time to stop
    stale: bool  # enough changed that proposals should be worked out again
