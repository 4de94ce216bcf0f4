"""Probabilities of the glyphs in a captcha's cells to a reading of the captcha."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_lab.recognise.contract import Box, Reading


@dataclass(frozen=True)
class GlyphCodec:
    """Character k is class k; a cell without ink is no character.

    Attributes:
        classes: names of the K classes.
        temperature: the scores of glyphs are divided by it before they become probabilities, so that these are right
            as often as they say (Guo et al. 2017).
    """

    classes: tuple[str, ...]
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"a temperature of {self.temperature}")
        if not all(isinstance(name, str) for name in self.classes):
            raise ValueError("classes that are no texts")

    def decode(
        self, logits: NDArray[np.float32], inked: NDArray[np.bool_], boxes: Sequence[Sequence[Box]]
    ) -> list[Reading]:
        """Readings of captchas.

        Args:
            logits: float32 [M, K], scores of all cells of all captchas in order.
            inked: bool [M], whether a cell holds ink.
            boxes: the cells of each captcha, M in all.
        """
        scaled = logits / self.temperature
        sure = (
            1 / np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1)
            if len(scaled)
            else scaled[:, 0]
        )
        best, certain, ink = logits.argmax(axis=1).tolist(), sure.tolist(), inked.tolist()
        readings, start = [], 0
        for own in boxes:
            cells = [(k, box) for k, box in enumerate(own, start) if ink[k]]
            start += len(own)
            per_character = tuple(certain[k] for k, _ in cells)
            readings.append(
                Reading(
                    "".join(self.classes[best[k]] for k, _ in cells),
                    float(np.prod(per_character)) if cells else 1.0,
                    per_character,
                    tuple(box for _, box in cells),
                )
            )
        return readings
