"""A simulated labeller: presses the keys the engine's queues ask for, and the curve keystrokes → label accuracy.

How keys are counted: one for each character typed, Enter, accepted page, cursor move or click. Looking is free but
reported as glyphs or captchas shown. Label accuracy is over all glyphs, or all texts: a label is what a person gave,
else what followed along, else the model's proposal at that moment; nothing is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import UsageError
from captcha_lab.label.questions.glyphs.engine import GlyphEngine
from captcha_lab.label.questions.glyphs.pages import STRAY_KEYS
from captcha_lab.label.questions.texts.engine import TextEngine
from captcha_lab.label.questions.texts.proposer import TextProposer
from captcha_lab.label.questions.types import Answer, LabelConfig, Member, Place, Question
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog

ASKED_TEXTS = ("grid", "captcha", "suspects")  # queues that a labeller of whole captchas is asked in
WORTH_CHECKING = (
    1.0  # labels that the next key puts right, below which labels are read out of fold for suspects
)
IN_MEMORY = Path(":memory:")  # SQLite's own name for a database that is on no disk


@dataclass(frozen=True)
class Point:
    """The state of the work after so many keys; `accuracy` is the share of all labels that are the truth."""

    keystrokes: int
    accuracy: float
    shown: int  # glyphs or captchas the labeller looked at so far
    queue: str  # where the last key went


@dataclass(frozen=True)
class Curve:
    """A simulated session; `labels` is what it ended with, one string per glyph or captcha."""

    points: tuple[Point, ...]
    labels: tuple[str, ...]

    def keys_to(self, accuracy: float) -> int | None:
        """Keys after which the accuracy is reached and not lost again; None where it never is."""
        below = [k for k, point in enumerate(self.points) if point.accuracy < accuracy]
        after = below[-1] + 1 if below else 0
        return self.points[after].keystrokes if after < len(self.points) else None

    def at(self, keystrokes: int) -> float:
        """Accuracy after at most so many keys; 0 before the first."""
        reached = [point.accuracy for point in self.points if point.keystrokes <= keystrokes]
        return reached[-1] if reached else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the labels."""
        return {"points": [asdict(point) for point in self.points]}


class Labeller:
    """Knows the truth and mistypes at a rate.

    Args:
        truth: the character of every glyph in the order of the glyph array ("" where it is none), or the text of
            every captcha in the order of the engine's images.
        alphabet: what a slip of the finger may hit.
        error_rate: chance that a typed character is another.
        seed: of the slips.
    """

    def __init__(
        self, truth: Sequence[str], alphabet: Alphabet, error_rate: float = 0.0, seed: int = 0
    ) -> None:
        if not 0 <= error_rate < 1:
            raise UsageError(f"--error-rate is {error_rate}: give a share from 0 up to, not including, 1.")
        self.truth, self.error_rate = truth, error_rate
        self._characters = alphabet.characters
        self._random = np.random.default_rng([seed, 0x5119])

    def sees(self, row: int) -> str:
        """What is typed for a glyph or a captcha."""
        return "".join(self._pressed(right) for right in self.truth[row])

    def _pressed(self, right: str) -> str:
        if self.error_rate and self._random.random() < self.error_rate:
            return str(self._random.choice([c for c in self._characters if c != right]))
        return right

    def answer(self, question: Question) -> Answer:
        """The keys for one question."""
        first = question.members[0]
        right = self.truth[first.row]
        if question.kind == "page":
            strays = [m for m in question.members if m.proposal != self.truth[m.row]]
            keys = sum(STRAY_KEYS if m.position is not None else 1 + self._text_keys(m) for m in strays)
            corrections = {m.target: self.sees(m.row) for m in strays}
            return question.answer(corrections=corrections, keystrokes=1 + keys)
        if question.proposal is not None and question.proposal == right:
            return question.answer(question.proposal)  # Enter can't be mistyped
        keys = self._text_keys(first) if question.kind == "text" else 1
        return question.answer(self.sees(first.row), keystrokes=keys)

    def _text_keys(self, member: Member) -> int:
        """Keys to give a captcha its text: by mending the proposal, or by typing all of it; and Enter."""
        right, shown = self.truth[member.row], member.proposal
        typing = len(right) + 1
        if shown is None or len(shown) != len(right):
            return typing
        return min(typing, mending_keys(shown, right, member.per_character))


def mending_keys(shown: str, right: str, per_character: Sequence[float]) -> int:
    """Keys that turn a proposal into another text of its length, Enter included.

    The first arrow goes to the character that is least sure, each further one moves by one; a character typed
    replaces the one under the cursor and moves on by one.
    """
    wrong = [k for k, (a, b) in enumerate(zip(shown, right, strict=True)) if a != b]
    if not wrong:
        return 1
    start = int(np.argmin(per_character)) if per_character else 0
    moves = abs(start - wrong[0]) + (wrong[-1] - wrong[0]) - (len(wrong) - 1)
    return 1 + moves + len(wrong) + 1


def memory_log(places: Sequence[Place]) -> LabelLog:
    """A label log in memory that knows the captchas of these places."""
    catalog = Catalog(IN_MEMORY)
    for image_id in sorted({image_id for image_id, _ in places}):
        given, _ = catalog.add_image(f"{image_id:064x}", "png", 1, 1, 1)
        if given != image_id:
            raise UsageError("Simulated places number their captchas from 1 without gaps.")
    return LabelLog(catalog)


def places_of(count: int, length: int) -> list[Place]:
    """Places of `count` glyphs cut from captchas of `length` characters, numbered from 1."""
    return [(1 + row // length, row % length) for row in range(count)]


def accuracy(labels: Sequence[str], truth: Sequence[str]) -> float:
    """Share of labels that equal the truth."""
    return sum(a == b for a, b in zip(labels, truth, strict=True)) / len(truth)


def simulate(
    glyphs: NDArray[np.uint8],
    truth: Sequence[str],
    alphabet: Alphabet,
    *,
    length: int = 4,
    error_rate: float = 0.0,
    most_keys: int = 200,
    queues: Sequence[str] = ("seed", "uncertain", "grid"),
    config: LabelConfig | None = None,
    seed: int = 0,
) -> Curve:
    """Label a set from nothing, always in the queue whose next key is worth most, and record the curve.

    Args:
        glyphs: uint8 [N, H, W], captcha by captcha.
        truth: N characters, what the labeller sees.
        alphabet: the characters that can be labels.
        length: glyphs per captcha.
        error_rate: chance that a typed character is another one.
        most_keys: stop after so many keys, or when nothing is left to ask.
        queues: those the labeller uses.
        config: of the engine.
        seed: of the slips of the finger.
    """
    if len(truth) != len(glyphs):
        raise UsageError(f"The truth names {len(truth)} characters for {len(glyphs)} glyphs.")
    places = places_of(len(glyphs), length)
    engine = GlyphEngine(glyphs, places, alphabet, memory_log(places), config)
    labeller = Labeller(truth, alphabet, error_rate, seed)
    return play(engine, labeller, most_keys, queues)


def simulate_texts(
    truth: Sequence[str],
    alphabet: Alphabet,
    proposer: TextProposer | None,
    *,
    error_rate: float = 0.0,
    most_keys: int = 200,
    config: LabelConfig | None = None,
    seed: int = 0,
) -> Curve:
    """Label whole captchas from nothing, always in the queue whose next key is worth most, and record the curve.

    Args:
        truth: N texts, what the labeller sees.
        alphabet: the characters that slips hit.
        proposer: proposes texts for the captchas, numbered from 1; without one, every text is typed.
        error_rate: chance that a typed character is another one.
        most_keys: stop after so many keys, or when nothing is left to ask.
        config: of the engine.
        seed: of the slips of the finger.
    """
    images = range(1, len(truth) + 1)
    engine = TextEngine(images, memory_log(places_of(len(truth), 1)), alphabet, config)
    engine.proposer = proposer
    engine.read(lambda done, total: None)
    if engine.due(0):  # the labeller waits until the reader has learned by itself
        engine.retrain()
    return play(engine, Labeller(truth, alphabet, error_rate, seed), most_keys, ASKED_TEXTS, engine.check)


def play(
    engine: GlyphEngine | TextEngine,
    labeller: Labeller,
    most_keys: int,
    queues: Sequence[str],
    check: Callable[[], None] = lambda: None,
) -> Curve:
    """Let a labeller answer an engine until the keys are spent or nothing is left to ask.

    `check` looks for suspects, which takes as long as trainings do: it waits until keys elsewhere gain little.
    """
    points: list[Point] = []
    keys = shown = since = 0
    while True:
        question = best_question(engine, queues)
        if question is None or question.worth < WORTH_CHECKING:
            check()
            question = best_question(engine, queues)
        if question is None:
            break
        answer = labeller.answer(question)
        if keys + answer.keystrokes > most_keys:
            break
        engine.answer(answer)
        keys += answer.keystrokes
        shown += len(question.members)
        since += answer.keystrokes
        if engine.due(since):
            engine.retrain()
            since = 0
        points.append(Point(keys, accuracy(engine.best_labels(), labeller.truth), shown, question.queue))
    return Curve(tuple(points), tuple(engine.best_labels()))


def best_question(engine: GlyphEngine | TextEngine, queues: Sequence[str]) -> Question | None:
    """The next question of the queue whose next key is worth most."""
    waiting = [q for q in engine.queues() if q.name in queues and q.count]
    if not waiting:
        return None
    found = engine.questions(max(waiting, key=lambda q: q.worth).name, 1)
    return found[0] if found else None
