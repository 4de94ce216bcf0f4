"""The sequence reader among the kinds of readers: whole captchas of any size, length and alphabet."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from captcha_lab.progress import PhaseProgress
from captcha_lab.recognise.registry import CaptchaViews, ReaderKind, ReaderReport
from captcha_lab.recognise.sequence.config import SequenceConfig
from captcha_lab.recognise.sequence.reader import ARCHITECTURE, KIND, SequenceReader
from captcha_lab.recognise.sequence.train import train


def _train(
    views: CaptchaViews, models: Path, settings: dict[str, Any], name: str | None, progress: PhaseProgress
) -> ReaderReport:
    known = {field.name for field in fields(SequenceConfig)}
    config = SequenceConfig(**{key: value for key, value in settings.items() if key in known})
    return train(views.texts, models, config, name, progress, views.group)


def _suits(views: CaptchaViews) -> str | None:
    return None if len(views.texts.part("train")) else "nothing is labelled"


READER = ReaderKind(
    KIND,
    "reads whole captchas of any length, column by column",
    (ARCHITECTURE,),
    SequenceReader.load,
    _train,
    _suits,
)
