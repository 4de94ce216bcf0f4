"""How well a reader reads whole captchas, whatever kind it is: by text, by length, by character, when damaged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.reading.curve import CurvePoint
from captcha_lab.evaluate.reading.damage import DamageCurve, Picture, damage_curves
from captcha_lab.metrics.calibration import Reliability, reliability
from captcha_lab.metrics.intervals import Share
from captcha_lab.metrics.text import character_accuracy, character_error_rate, confusions, text_accuracy
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.contract import CaptchaReader, Reading

MOST_DAMAGED = 200  # captchas damaged and read again, at every level
MOST_ERRORS = 60  # misread captchas kept to be shown, the surest first
BATCH = 256


@dataclass(frozen=True)
class ReadCaptcha:
    """A captcha to show: its picture, its text, and what was read."""

    picture: Picture
    truth: str
    reading: Reading


@dataclass(frozen=True)
class TextResult:
    """Figures of a reader on whole captchas.

    Attributes:
        kind: of the reader, as the registry names it.
        captchas: share of captchas whose whole text is right.
        characters: share of characters read as themselves, by alignment.
        error_rate: character error rate, 0 and up.
        by_length: captchas right, by the number of characters of their text.
        confusions: (true, read, how often), "" for no character; most frequent first.
        calibration: of the confidence in a whole text, over 15 bins.
        speed: captchas read per CPU-second, from arrays.
        damages: captchas right under damages.
        errors: misread captchas to show, the surest of the reader's errors first.
        examples: captchas read right to show, the least sure first.
        curve: captchas right over the number of labels learned from; empty where it was not asked for.
    """

    kind: str
    captchas: Share
    characters: Share
    error_rate: float
    by_length: dict[int, Share]
    confusions: list[tuple[str, str, int]]
    calibration: Reliability
    speed: float
    damages: list[DamageCurve]
    errors: list[ReadCaptcha]
    examples: list[ReadCaptcha]
    curve: list[CurvePoint] = field(default_factory=list)


def measure_texts(
    reader: CaptchaReader,
    images: Sequence[Picture],
    texts: Sequence[str],
    *,
    seed: int = 0,
    progress: PhaseProgress = no_progress,
) -> TextResult:
    """All figures of a reader on captchas whose texts are known.

    Args:
        reader: reads captchas.
        images: uint8 [H, W] or [H, W, 3], of any sizes.
        texts: the whole text of each, as a person reads it.
        seed: of the damages, and of which captchas are damaged.
        progress: told what is being measured.

    Raises:
        CaptchaLabError: there is no captcha.
    """
    if not len(images):
        raise CaptchaLabError(
            "No labelled test captchas to read: label more of them (`captcha-lab label`), a tenth are for tests."
        )
    started = time.process_time()
    readings = read_all(reader, images, progress)
    speed = len(images) / max(time.process_time() - started, 1e-9)
    read = [reading.text for reading in readings]
    right = np.array([text == truth for text, truth in zip(read, texts, strict=True)])
    lengths = sorted({len(text) for text in texts})
    confidence = np.array([reading.confidence for reading in readings])
    shown = [ReadCaptcha(*facts) for facts in zip(images, texts, readings, strict=True)]
    surest = [int(k) for k in np.argsort(-confidence, kind="stable")]
    return TextResult(
        kind=reader.kind,
        captchas=text_accuracy(texts, read),
        characters=character_accuracy(texts, read),
        error_rate=character_error_rate(texts, read),
        by_length={
            length: text_accuracy(*_where(texts, read, [len(text) == length for text in texts]))
            for length in lengths
        },
        confusions=[(true, said, count) for (true, said), count in confusions(texts, read).items()],
        calibration=reliability(confidence, right),
        speed=speed,
        damages=_damages(reader, images, texts, seed, progress),
        errors=[shown[k] for k in surest if not right[k]][:MOST_ERRORS],
        examples=[shown[k] for k in reversed(surest) if right[k]][:MOST_ERRORS],
    )


def read_all(
    reader: CaptchaReader, images: Sequence[Picture], progress: PhaseProgress = no_progress
) -> list[Reading]:
    """Readings of any number of captchas, a batch at a time."""
    found: list[Reading] = []
    for start in range(0, len(images), BATCH):
        progress("reading captchas", start, len(images))
        found += reader.read(images[start : start + BATCH])
    return found


def _where(texts: Sequence[str], read: Sequence[str], chosen: Sequence[bool]) -> tuple[list[str], list[str]]:
    rows = [k for k, wanted in enumerate(chosen) if wanted]
    return [texts[k] for k in rows], [read[k] for k in rows]


def _damages(
    reader: CaptchaReader, images: Sequence[Picture], texts: Sequence[str], seed: int, progress: PhaseProgress
) -> list[DamageCurve]:
    rows = np.sort(np.random.default_rng(seed).permutation(len(images))[:MOST_DAMAGED])

    def right(pictures: list[Picture]) -> NDArray[np.bool_]:
        read = read_all(reader, pictures)
        return np.array([reading.text == texts[k] for reading, k in zip(read, rows, strict=True)])

    return damage_curves([images[k] for k in rows], right, seed=seed, progress=progress)
