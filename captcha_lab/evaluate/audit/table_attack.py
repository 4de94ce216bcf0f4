"""Reading by a table: each shape of a glyph is typed once, and looked up ever after."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from captcha_lab.evaluate.audit.attack import (
    Answers,
    Attack,
    EffortPoint,
    captcha_numbers,
    glyph_texts,
    milestones,
)
from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.evaluate.glyphs import shape_keys
from captcha_lab.progress import PhaseProgress
from captcha_lab.store.packed.packed import PackedSet

NAME = "look-up table"
MOST_SHAPES = 2000  # more keys than anybody would type where a network needs fewer
STEPS = 8  # points of its curve


@dataclass(frozen=True)
class TableAttacker:
    """A look-up table of the shapes in labelled training glyphs, the commonest typed first."""

    glyphs: PackedSet

    def attack(self, answers: Answers, config: AuditConfig, progress: PhaseProgress) -> Attack | str:
        """See `Attacker`; one keystroke a shape."""
        train, test = self.glyphs.part("train", labelled=True), self.glyphs.part("test")
        if not len(train):
            return "No look-up table: no glyph is labelled."
        progress("looking shapes up in a table", 0, 1)
        votes: defaultdict[bytes, Counter[int]] = defaultdict(Counter)
        for key, label in zip(
            shape_keys(train, np.arange(len(train))), np.asarray(train.labels), strict=True
        ):
            votes[key][int(label)] += 1
        order = sorted(votes, key=lambda key: -votes[key].total())[:MOST_SHAPES]
        asked = shape_keys(test, np.arange(len(test)))
        sizes = sorted({max(1, round(len(order) * 2.0**-k)) for k in range(STEPS)})
        points, readings = [], {}
        for size in sizes:
            table = {key: votes[key].most_common(1)[0][0] for key in order[:size]}
            readings = glyph_texts(test, np.array([table.get(key, -1) for key in asked]))
            points.append(EffortPoint(len(np.unique(captcha_numbers(train))), size, answers.score(readings)))
        means = f"a table of {sizes[-1]} shapes of glyphs, each typed once; no network at all"
        return Attack(NAME, means, points, milestones(points, config), readings)
