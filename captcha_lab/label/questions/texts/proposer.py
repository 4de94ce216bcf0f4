"""Where the proposals for whole captchas come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from captcha_lab.label.questions.protocol import Progress, Readings
from captcha_lab.recognise.contract import CaptchaReader

# Makes a reader of captchas and their texts, "" where a text is not known.
Train = Callable[[list[np.ndarray], list[str]], CaptchaReader]
Start = Callable[[list[np.ndarray]], CaptchaReader]  # makes one of captchas alone, at once
# Trains one on what it reads surely; None where that does not help.
Teach = Callable[[list[np.ndarray]], CaptchaReader | None]
Pixels = Callable[[int], "np.ndarray | None"]  # of a captcha by its id: uint8 [H, W] or [H, W, 3]

FEWEST = 8  # texts below which a reader is not trained
FOLDS = 2
BATCH = 64  # captchas read at once
AT_START = 400  # captchas shown to what makes the reader before there are labels
TAUGHT = 800  # captchas that it may learn from by itself


class TextProposer(Protocol):
    """Proposes texts."""

    name: str  # of the reader behind it, for the person

    @property
    def learns(self) -> bool:
        """Whether the proposals get better with labels."""

    def read(self, images: Sequence[int], progress: Progress) -> Readings:
        """Read captchas before anything was learned from them."""

    def propose(self, images: Sequence[int], texts: Mapping[int, str], progress: Progress) -> Readings:
        """Learn from the texts known so far, or from the captchas alone while these are few, and read all captchas.

        Nothing where nothing was learned.
        """

    def cross_read(self, images: Sequence[int], texts: Mapping[int, str]) -> Readings:
        """Read labelled captchas by readers that did not learn these labels (out of fold)."""


class TrainedProposer:
    """Proposals of a captcha reader that is trained again as labels come.

    Args:
        pixels: gives a captcha's picture.
        start: makes the reader before there are enough labels to train one; None where there is none.
        train: makes a reader; None where `start` is all there is.
        name: of the reader.
        teach: makes one that learned from captchas without labels; None where there is none.
    """

    def __init__(
        self, pixels: Pixels, start: Start | None, train: Train | None, name: str, teach: Teach | None = None
    ) -> None:
        self._pixels, self._start, self._train, self.name = pixels, start, train, name
        self._teach = teach

    @property
    def learns(self) -> bool:
        """Whether the proposals get better with labels."""
        return self._train is not None

    def read(self, images: Sequence[int], progress: Progress) -> Readings:
        """Read captchas before anything was learned from them."""
        if self._start is None:
            return {}
        return self._read(self._start(self._some(images, AT_START)), images, progress)

    def propose(self, images: Sequence[int], texts: Mapping[int, str], progress: Progress) -> Readings:
        """Learn from the texts known so far, or from the captchas alone while these are few, and read all captchas."""
        reader = self._reader(images, texts)
        return {} if reader is None else self._read(reader, images, progress)

    def cross_read(self, images: Sequence[int], texts: Mapping[int, str]) -> Readings:
        """Read labelled captchas by readers that did not learn these labels (out of fold)."""
        found: Readings = {}
        if self._train is None or len(texts) < FOLDS * FEWEST:
            return found
        folds = [[k for n, k in enumerate(texts) if n % FOLDS == fold] for fold in range(FOLDS)]
        for fold in folds:
            reader = self._reader(images, {k: text for k, text in texts.items() if k not in set(fold)})
            if reader is not None:
                found |= self._read(reader, fold, lambda done, total: None)
        return found

    def _reader(self, images: Sequence[int], texts: Mapping[int, str]) -> CaptchaReader | None:
        if self._train is None or len(texts) < FEWEST:
            return self._teach(self._some(images, TAUGHT)) if self._teach else None
        known = [(picture, texts.get(k, "")) for k in images if (picture := self._pixels(k)) is not None]
        return self._train([picture for picture, _ in known], [text for _, text in known])

    def _some(self, images: Sequence[int], most: int) -> list[np.ndarray]:
        """Pictures of so many captchas at most, spread evenly."""
        some = images[:: max(len(images) // most, 1)][:most]
        return [picture for k in some if (picture := self._pixels(k)) is not None]

    def _read(self, reader: CaptchaReader, images: Sequence[int], progress: Progress) -> Readings:
        found: Readings = {}
        for start in range(0, len(images), BATCH):
            pictures = [(k, self._pixels(k)) for k in images[start : start + BATCH]]
            kept = [(k, picture) for k, picture in pictures if picture is not None]
            read = reader.read([picture for _, picture in kept])
            found |= {k: reading for (k, _), reading in zip(kept, read, strict=True)}
            progress(min(start + BATCH, len(images)), len(images))
        return found
