"""The glyph reader among the kinds of readers: captchas that can be cut into cells."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from captcha_lab.errors import CaptchaLabError
from captcha_lab.progress import PhaseProgress
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.recognise.glyph.reader import KIND, GlyphReader, cut_by_reader
from captcha_lab.recognise.glyph.train import train_glyph_reader
from captcha_lab.recognise.networks.lenet import ARCHITECTURE
from captcha_lab.recognise.registry import CaptchaViews, ReaderKind, ReaderReport

ENOUGH = 0.5  # share of the training characters that must have a cell of their own


def settings_of(values: dict[str, Any]) -> ClassifierConfig:
    """The settings that concern this reader, as its configuration.

    Raises:
        UsageError: a value is impossible.
    """
    known = {f.name for f in fields(ClassifierConfig)}
    return ClassifierConfig(**{name: value for name, value in values.items() if name in known})


def _train(
    views: CaptchaViews, models: Path, settings: dict[str, Any], name: str | None, progress: PhaseProgress
) -> ReaderReport:
    config = settings_of(settings)
    return train_glyph_reader(views.glyphs(), models, config, name, views.texts, progress, views.group)


def _suits(views: CaptchaViews) -> str | None:
    try:
        data = views.glyphs()
    except CaptchaLabError as error:
        return str(error)
    if cut_by_reader(data.info):
        return "the captchas are cut by another reader"
    labelled = len(data.part("train", labelled=True))
    characters = sum(map(len, views.texts.part("train").texts))
    if not labelled and not characters:
        return "nothing is labelled"
    return None if labelled >= ENOUGH * characters else "the cut fits the texts of too few captchas"


READER = ReaderKind(
    KIND, "cuts captchas into cells, a LeNet reads each", (ARCHITECTURE,), GlyphReader.load, _train, _suits
)
