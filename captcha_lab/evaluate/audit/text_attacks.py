"""Reading whole captchas: by a ready-made reader without a label, and by readers trained on captchas typed in full."""

from __future__ import annotations

from dataclasses import dataclass

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.audit.attack import TARGETS, Answers, Attack, EffortPoint, milestones
from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.evaluate.reading.curve import train_on_more
from captcha_lab.evaluate.reading.texts import read_all
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.contract import CaptchaReader
from captcha_lab.recognise.registry import CaptchaViews, ReaderKind


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
        texts, name = self.views.texts, f"{self.kind.name} reader"
        labelled = len(texts.part("train"))
        sizes = [size for size in config.typed if size < labelled] or [labelled]
        points: list[EffortPoint] = []
        readings: dict[int, str] = {}
        settings = {"steps": config.typed_steps}
        try:
            for one in train_on_more(self.kind, self.views, sizes, settings, config.seed, progress):
                readings = _read(one.reader, answers, no_progress)
                keys = sum(len(texts.texts[k]) + 1 for k in one.rows)
                points.append(EffortPoint(len(one.rows), keys, answers.score(readings)))
                if points[-1].accuracy.value >= TARGETS[-1]:
                    break
        except CaptchaLabError as error:
            return f"The {name} was not tried: {error}"
        means = f"captchas typed in full, and a minute of training for each try: {self.kind.summary}"
        return Attack(name, means, points, milestones(points, config), readings)


def _read(reader: CaptchaReader, answers: Answers, progress: PhaseProgress) -> dict[int, str]:
    found = read_all(reader, list(answers.pictures.values()), progress)
    return {number: reading.text for number, reading in zip(answers.pictures, found, strict=True)}
