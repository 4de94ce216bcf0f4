"""What an evaluation found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.attributes import AttributeResult
from captcha_lab.evaluate.generators.measures import Value
from captcha_lab.evaluate.generators.stream import Stream
from captcha_lab.evaluate.generators.verdict import Verdict
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Images
from captcha_lab.metrics.intervals import Share


@dataclass(frozen=True)
class Neighbourhood:
    """Samples and the training image nearest to each: uint8 [M, …] both, distances float64 [M]."""

    samples: NDArray[np.uint8]
    nearest: NDArray[np.uint8]
    distance: NDArray[np.float64]


@dataclass(frozen=True)
class CandidateResult:
    """What was found out about one candidate (or about real images in its place)."""

    name: str
    figures: dict[str, Value]
    floor: dict[str, Value]
    verdict: Verdict
    distance_samples: int  # on each side of the distances
    read_samples: int  # read by the recogniser, over all seeds
    per_class: list[Share] = field(default_factory=list)  # GAN-test of each class
    confusion: NDArray[np.int64] | None = None  # [K, K] asked, read
    stream: Stream | None = None  # of the first seed, with the samples to show
    neighbours: Neighbourhood | None = None
    attributes: AttributeResult | None = None  # of the first seed, where it is told attributes
    strips: list[Images] = field(default_factory=list)  # walks from one sample to another, [steps, …] each
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Evaluation:
    """A leaderboard, best first, with the floor of each sample size."""

    results: list[CandidateResult]
    floors: dict[int, dict[str, Value]]
    real: RealData
    config: EvalConfig
    extractors: tuple[str, ...]
    reader_name: str | None
    judge_accuracy: Share | None
    counter_accuracy: Share | None = None
