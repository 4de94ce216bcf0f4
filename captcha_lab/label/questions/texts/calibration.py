"""How far a reader's confidences are to be believed, by the answers given so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from captcha_lab.recognise.contract import Reading

SPREAD = np.array([1.5, 0.5])  # standard deviations of the prior of offset and slope, about 0 and 1
OLDER = 0.3  # weight that outcomes keep when a new reader takes over
NEWTON_STEPS = 12


@dataclass
class Calibration:
    """Logistic recalibration (Platt 1999): a confidence p becomes σ(a + b logit p), a and b by maximum a posteriori.

    The prior is that the reader is calibrated, so that few answers change little. A reader made elsewhere, or from few
    labels, may be far from calibrated on the captchas at hand.
    """

    _outcomes: list[tuple[float, bool, float]] = field(default_factory=list)  # logit, right, weight
    _line: tuple[float, float] = (0.0, 1.0)

    def observe(self, confidence: float, *, right: bool) -> None:
        """A text that was proposed with this confidence turned out right or wrong."""
        self._outcomes.append((float(logit(np.array([confidence]))[0]), right, 1.0))

    def new_reader(self) -> None:
        """Outcomes so far are of an earlier reader: they count less."""
        self._outcomes = [(score, right, OLDER * weight) for score, right, weight in self._outcomes]

    def fit(self) -> None:
        """Work offset and slope out from the outcomes."""
        line, prior = np.array([0.0, 1.0]), np.array([0.0, 1.0])
        if self._outcomes:
            scores, right, weights = np.array(self._outcomes, np.float64).T
            basis = np.stack([np.ones_like(scores), scores])
            for _ in range(NEWTON_STEPS):
                chance = 1 / (1 + np.exp(-np.clip(line @ basis, -30, 30)))
                gradient = basis @ (weights * (right - chance)) - (line - prior) / SPREAD**2
                curvature = (basis * (weights * chance * (1 - chance))) @ basis.T + np.diag(SPREAD**-2)
                line = line + np.linalg.solve(curvature, gradient)
        self._line = float(line[0]), max(float(line[1]), 0.05)

    def apply(self, readings: Sequence[Reading]) -> list[Reading]:
        """Readings with the confidences that the outcomes suggest; their order by confidence stays."""
        known = np.array([reading.confidence for reading in readings])
        offset, slope = self._line
        believed = 1 / (1 + np.exp(-(offset + slope * logit(known))))
        # The characters' probabilities change so that their product changes as the text's does.
        powers = np.log(np.clip(believed, 1e-6, 1 - 1e-6)) / np.log(np.clip(known, 1e-6, 1 - 1e-6))
        return [
            Reading(reading.text, share, tuple([own**power for own in reading.per_character]), reading.boxes)
            for reading, share, power in zip(readings, believed.tolist(), powers.tolist(), strict=True)
        ]


def logit(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """log p / (1 - p), p kept away from 0 and 1."""
    kept = np.clip(share, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(kept / (1 - kept)))
