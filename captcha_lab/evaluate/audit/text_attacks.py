"""Reading whole captchas: by a ready-made reader without a label, and by readers trained on captchas typed in full."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.audit.attack import TARGETS, Answers, Attack, EffortPoint, milestones
from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.evaluate.reading.texts import read_all
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.contract import CaptchaReader
from captcha_lab.recognise.registry import CaptchaViews, ReaderKind
from captcha_lab.store.packed.packed import SPLITS
from captcha_lab.store.packed.texts import TextSet


@dataclass(frozen=True)
class ReadyMadeAttacker:
    """A reader that is there already, trained on none of these captchas or on some.

    Attributes:
        reader: reads them.
        name: of the way.
        means: what somebody needs for it, in words.
        learned: captchas of this kind that were typed for it.
        keystrokes: pressed for that, Enter included.
    """

    reader: CaptchaReader
    name: str = "ready-made reader"
    means: str = "the reader that comes with this program, which has seen none of these captchas; no label"
    learned: int = 0
    keystrokes: int = 0

    def attack(self, answers: Answers, config: AuditConfig, progress: PhaseProgress) -> Attack | str:
        """See `Attacker`; nothing is trained."""
        if not answers.pictures:
            return f"The {self.name} was not tried: no test captcha has a known text."
        readings = _read(self.reader, answers, progress)
        points = [EffortPoint(self.learned, self.keystrokes, answers.score(readings))]
        return Attack(self.name, self.means, points, milestones(points, config), readings)


@dataclass(frozen=True)
class TypedAttacker:
    """A reader trained on more and more captchas that somebody typed in full.

    Attributes:
        kind: of the reader.
        views: the captchas; only their training split is typed.
    """

    kind: ReaderKind
    views: CaptchaViews

    def attack(self, answers: Answers, config: AuditConfig, progress: PhaseProgress) -> Attack | str:
        """See `Attacker`; one keystroke a character, and Enter."""
        texts = self.views.texts
        typed = [k for k, text in enumerate(texts.texts) if text and texts.split[k] == SPLITS.index("train")]
        order = np.random.default_rng(config.seed).permutation(typed)
        sizes = [size for size in config.typed if size < len(order)] or [len(order)]
        points: list[EffortPoint] = []
        readings: dict[int, str] = {}
        name = f"{self.kind.name} reader"
        for number, size in enumerate(sizes):
            progress(f"training the {name} on typed captchas", number, len(sizes))
            part = _known(texts, order[:size])
            try:
                reader = self._train(part, config)
            except CaptchaLabError as error:
                return f"The {name} was not tried on {size} captchas: {error}"
            readings = _read(reader, answers, no_progress)
            keys = sum(len(texts.texts[k]) + 1 for k in order[:size])
            points.append(EffortPoint(size, keys, answers.score(readings)))
            if points[-1].accuracy.value >= TARGETS[-1]:
                break
        means = f"captchas typed in full, and a minute of training for each try: {self.kind.summary}"
        return Attack(name, means, points, milestones(points, config), readings)

    def _train(self, texts: TextSet, config: AuditConfig) -> CaptchaReader:
        settings = {"seed": config.seed, "time_limit": config.typed_seconds, "tensorboard": False}
        with tempfile.TemporaryDirectory() as folder:
            report = self.kind.train(
                replace(self.views, texts=texts), Path(folder), settings, None, no_progress
            )
            return self.kind.load(report.run.root)


def _read(reader: CaptchaReader, answers: Answers, progress: PhaseProgress) -> dict[int, str]:
    found = read_all(reader, list(answers.pictures.values()), progress)
    return {number: reading.text for number, reading in zip(answers.pictures, found, strict=True)}


def _known(texts: TextSet, rows: np.ndarray) -> TextSet:
    """The same captchas, of which only these have a text: the others are there, but nobody typed them."""
    chosen = set(rows.tolist())
    return replace(texts, texts=tuple(text if k in chosen else "" for k, text in enumerate(texts.texts)))
