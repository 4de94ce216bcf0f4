"""What would make a captcha harder: each damage tried on a reader that has not, and one that has, trained on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.evaluate.audit.training import labels_of, learn
from captcha_lab.evaluate.reading.damage import DAMAGES, damaged
from captcha_lab.metrics.accuracy import glyph_accuracy
from captcha_lab.metrics.intervals import Share
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.contract import GlyphClassifier
from captcha_lab.store.packed.packed import PackedSet

MOST_LEARNED = 4000  # damaged glyphs that a reader is trained on


@dataclass(frozen=True)
class Remedy:
    """A change to the glyphs, and what it does to a reader that has not, and has, trained on it."""

    name: str
    level: float
    unit: str
    unprepared: Share
    prepared: Share


def try_remedies(
    data: PackedSet, reader: GlyphClassifier, config: AuditConfig, *, progress: PhaseProgress = no_progress
) -> list[Remedy]:
    """Damage the test glyphs, and read them with today's reader and with one trained on damaged glyphs.

    A remedy that throws only the unprepared reader buys its owner the hour it takes to train again.
    """
    train, test = data.part("train", labelled=True), data.part("test", labelled=True)
    labels = labels_of(test)
    # Damaged, no two glyphs are alike any more: copies of one shape teach something now.
    few = train.take(np.sort(np.random.default_rng(config.seed).permutation(len(train))[:MOST_LEARNED]))
    remedies = []
    for number, damage in enumerate(DAMAGES):
        progress("trying remedies", number, len(DAMAGES))
        harder = np.stack(damaged(test.images, damage, damage.remedy, config.seed))
        learned = replace(few, images=np.stack(damaged(few.images, damage, damage.remedy, config.seed + 1)))
        read = learn(learned, labels_of(few), harder, config.remedy_epochs, config.seed)
        today = reader.probabilities(harder).argmax(axis=1)
        accuracies = glyph_accuracy(labels, today), glyph_accuracy(labels, read)
        remedies.append(Remedy(damage.name, damage.remedy, damage.unit, *accuracies))
    return remedies
