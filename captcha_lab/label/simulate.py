"""A simulated labeller: presses the keys the engine's queues ask for, and the curve keystrokes → label accuracy.

How keys are counted: one for each character typed, Enter, accepted page, cursor move or click. Looking is free but
reported as glyphs shown. Label accuracy is over all glyphs: a glyph's label is what a person gave it, else what
followed along with one, else the model's proposal at that moment; nothing is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import UsageError
from captcha_lab.label.questions.engine import Engine
from captcha_lab.label.questions.pages import STRAY_KEYS
from captcha_lab.label.questions.types import Answer, Item, LabelConfig, Place
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog

IN_MEMORY = Path(":memory:")  # SQLite's own name for a database that is on no disk


@dataclass(frozen=True)
class Point:
    """The state of the work after so many keys; `accuracy` is the share of all glyphs labelled as in the truth."""

    keystrokes: int
    accuracy: float
    shown: int  # glyphs the labeller looked at so far
    queue: str  # where the last key went


@dataclass(frozen=True)
class Curve:
    """A simulated session; `labels` is what it ended with, one string per glyph."""

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
        truth: the character of every glyph, in the order of the glyph array ("" where it is none).
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
        """The character typed for a glyph."""
        right = self.truth[row]
        if self.error_rate and self._random.random() < self.error_rate:
            return str(self._random.choice([c for c in self._characters if c != right]))
        return right

    def answer(self, item: Item) -> Answer:
        """The keys for one question."""
        if item.kind == "page":
            strays = {m.place: self.sees(m.row) for m in item.members if m.proposal != self.truth[m.row]}
            return item.accepted(corrections=strays, keystrokes=1 + STRAY_KEYS * len(strays))
        if item.kind == "captcha":
            text = "".join(self.sees(m.row) for m in item.members)
            return item.typed(text, keystrokes=len(text) + 1)
        if item.proposal is not None and item.proposal == self.truth[item.members[0].row]:
            return item.typed(item.proposal)  # Enter can't be mistyped
        return item.typed(self.sees(item.members[0].row))


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
    engine = Engine(glyphs, places, alphabet, memory_log(places), config)
    labeller = Labeller(truth, alphabet, error_rate, seed)
    return play(engine, labeller, most_keys, queues)


def play(engine: Engine, labeller: Labeller, most_keys: int, queues: Sequence[str]) -> Curve:
    """Let a labeller answer an engine until the keys are spent or nothing is left to ask."""
    points: list[Point] = []
    keys = shown = since = 0
    while True:
        item = best_item(engine, queues)
        if item is None:
            break
        answer = labeller.answer(item)
        if keys + answer.keystrokes > most_keys:
            break
        engine.answer(answer)
        keys += answer.keystrokes
        shown += len(item.members)
        since += answer.keystrokes
        if since >= engine.config.retrain_after:
            engine.retrain()
            since = 0
        points.append(Point(keys, accuracy(engine.best_labels(), labeller.truth), shown, item.queue))
    return Curve(tuple(points), tuple(engine.best_labels()))


def best_item(engine: Engine, queues: Sequence[str]) -> Item | None:
    """The next question of the queue whose next key is worth most."""
    waiting = [q for q in engine.queues() if q.name in queues and q.count]
    if not waiting:
        return None
    found = engine.items(max(waiting, key=lambda q: q.worth).name, 1)
    return found[0] if found else None
