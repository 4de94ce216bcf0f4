"""What in the picture resists: the endpoint's style drawn again with one trait changed, or else a guess."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.audit.attack import Answers
from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.metrics.intervals import Share, share_of
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.contract import CaptchaReader
from captcha_lab.recognise.registry import CaptchaViews, ReaderKind
from captcha_lab.store.packed.packed import SPLITS, PackedSet
from captcha_lab.store.packed.texts import TextSet

LEAST_COMPARED = 20  # test captchas on either side of a comparison, below which it says nothing


@dataclass(frozen=True)
class Redrawn:
    """Captchas drawn as the endpoint draws them, but for one trait.

    Attributes:
        trait: that was changed; empty for the endpoint's own style.
        text: what the pictures show.
        added: whether they have the trait, and the endpoint's have not.
        draw: text and picture, uint8 [H, W, 3], of captcha number k.
    """

    trait: str
    text: str
    added: bool
    draw: Callable[[int], tuple[str, NDArray[np.uint8]]]


@dataclass(frozen=True)
class TraitResult:
    """What a change of one trait does to readers of whole captchas.

    Attributes:
        trait: see `Redrawn`.
        text: likewise.
        added: likewise.
        unlabelled: of the changed captchas, those that the ready-made reader reads; None where there is none.
        learned: those that a reader reads that was trained on `captchas` of them.
        captchas: typed for that.
        own: what such a reader reads of captchas in the endpoint's own style.
    """

    trait: str
    text: str
    added: bool
    unlabelled: Share | None
    learned: Share
    captchas: int
    own: Share

    @property
    def gain(self) -> float:
        """Share of readings that the trait takes from the reader: the added one, or the removed one before."""
        difference = self.own.value - self.learned.value
        return difference if self.added else -difference

    @property
    def sure(self) -> bool:
        """Whether the two shares differ by more than chance: their intervals do not meet."""
        return self.own.low > self.learned.high or self.learned.low > self.own.high


@dataclass(frozen=True)
class Guess:
    """Captchas of a kind against the others of the same endpoint, by what the best attack reads.

    They may differ in other things as well, so it is a guess that the trait makes the difference.
    """

    trait: str
    text: str
    having: Share
    others: Share


def measure_traits(
    redrawn: Sequence[Redrawn],
    kind: ReaderKind,
    ready_made: Callable[[Sequence[np.ndarray]], CaptchaReader] | None,
    config: AuditConfig,
    progress: PhaseProgress = no_progress,
) -> list[TraitResult]:
    """Train a reader on the endpoint's own style and on each changed one, with as many captchas and steps.

    Args:
        redrawn: the endpoint's own style first.
        kind: of the reader that is trained.
        ready_made: makes the reader that needs no label, from captchas without their texts.
        config: says how many captchas and steps.
        progress: called with the number of styles that are done.
    """
    shares = []
    for number, style in enumerate(redrawn):
        progress("drawing the style with a trait changed", number, len(redrawn), style.text)
        data = _drawn(style, config)
        with tempfile.TemporaryDirectory() as folder:
            settings = {
                "steps": config.trait_steps,
                "seed": config.seed,
                "unlabelled": False,
                "tensorboard": False,
            }
            report = kind.train(CaptchaViews(data, _no_glyphs), Path(folder), settings, None, no_progress)
        reader = ready_made(data.images) if ready_made is not None else None
        shares.append((_read(reader, data.part("test")), report.test or share_of([])))
    own = shares[0][1]
    return [
        TraitResult(style.trait, style.text, style.added, unlabelled, learned, config.trait_captchas, own)
        for style, (unlabelled, learned) in zip(redrawn[1:], shares[1:], strict=True)
    ]


def _drawn(style: Redrawn, config: AuditConfig) -> TextSet:
    count = config.trait_captchas + config.trait_tests
    texts, images = zip(*(style.draw(k) for k in range(count)), strict=True)
    split = np.full(count, SPLITS.index("test"), np.uint8)
    split[: config.trait_captchas] = SPLITS.index("train")
    return TextSet(images, texts, split, np.arange(count), np.zeros(count, np.uint8), {"dataset": style.text})


def _no_glyphs() -> PackedSet:
    raise AssertionError("a reader of whole pictures asks for no glyphs")


def _read(reader: CaptchaReader | None, test: TextSet) -> Share | None:
    if reader is None:
        return None
    readings = reader.read(list(test.images))
    return share_of([found.text == text for found, text in zip(readings, test.texts, strict=True)])


def guess_traits(
    answers: Answers, readings: Mapping[int, str], flags: Mapping[int, list[str]]
) -> list[Guess]:
    """Compare the test captchas among themselves, where there are enough of two kinds.

    Args:
        answers: the test captchas.
        readings: of the best attack, by number.
        flags: of each captcha, the flags of its cells.
    """
    numbers = list(answers.texts)
    lengths = {k: len(text) for k, text in answers.texts.items()}
    middle = float(np.median(list(lengths.values()))) if lengths else 0.0
    tones = {k: _tones(picture) for k, picture in answers.pictures.items()}
    ink = {k: dark for k, (dark, _) in tones.items()}
    colour = {k: vivid for k, (_, vivid) in tones.items()}
    kinds: list[tuple[str, str, Mapping[int, Any], Callable[[Any], bool]]] = [
        ("length", f"more than {middle:g} characters", lengths, lambda n: n > middle),
        ("touching", "characters that do not cut cleanly", flags, any),
        ("strokes", "more ink than most", ink, lambda share: share > np.median(list(ink.values()))),
        ("colour", "more colour than most", colour, lambda vivid: vivid > np.median(list(colour.values()))),
    ]
    found = []
    for trait, text, values, has in kinds:
        right: dict[bool, list[bool]] = {True: [], False: []}
        for k in numbers:
            if k in values:
                right[bool(has(values[k]))].append(readings.get(k) == answers.texts[k])
        if min(map(len, right.values())) >= LEAST_COMPARED:
            found.append(Guess(trait, text, share_of(right[True]), share_of(right[False])))
    return found


def _tones(picture: NDArray[np.uint8]) -> tuple[float, float]:
    """Share of a picture's pixels that are far from its paper, and its mean difference between channels."""
    values = picture.astype(float)
    grey = values.mean(2) if values.ndim == 3 else values
    ink = float((np.abs(grey - np.median(grey)) > 64).mean())
    return ink, float(np.ptp(values, axis=2).mean()) if values.ndim == 3 else 0.0
