"""What an evaluation found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.attributes import AttributeResult
from captcha_lab.evaluate.generators.candidate import Training
from captcha_lab.evaluate.generators.figures import Value
from captcha_lab.evaluate.generators.stream import Stream
from captcha_lab.evaluate.generators.texts import AskedTexts
from captcha_lab.evaluate.generators.verdict import Verdict
from captcha_lab.evaluate.readers import SampleReader
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Images
from captcha_lab.metrics.intervals import Share
from captcha_lab.metrics.samples.measure import Measure


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
    baseline: dict[str, Value]  # the same of held-out real images
    verdict: Verdict
    distance_samples: int  # on each side of the distances
    read_samples: int  # read by the recogniser, over all seeds
    per_class: list[Share] = field(default_factory=list)  # GAN-test of each class
    confusion: NDArray[np.int64] | None = None  # [K, K] asked, read
    stream: Stream | None = None  # of the first seed, with the samples to show
    neighbours: Neighbourhood | None = None
    attributes: AttributeResult | None = None  # of the first seed, where it is conditioned on attributes
    texts: AskedTexts | None = None  # of the first seed, where it draws whole captchas
    strips: list[Images] = field(default_factory=list)  # walks from one sample to another, [steps, …] each
    training: Training | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation of generators found.

    Attributes:
        results: the leaderboard, best first.
        baselines: real against real, by sample size.
        real: the data.
        config: how it was measured.
        extractors: names of the features, the main one first.
        readers: who read, by name.
        measures: every measure by key, in the order of tables.
    """

    results: list[CandidateResult]
    baselines: dict[int, dict[str, Value]]
    real: RealData
    config: EvalConfig
    extractors: tuple[str, ...]
    readers: dict[str, SampleReader]
    measures: dict[str, Measure]
