"""Whether a generator that is told attributes shows them: read by the attribute network, attribute by attribute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.generators.measures import Value
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Images, Progress, silent
from captcha_lab.metrics.intervals import Share, wilson


class AttributeJudge(Protocol):
    """Reads attributes off pictures, such as `captcha_lab.recognise.attributes.AttributeReader`."""

    names: tuple[str, ...]

    def probabilities(self, images: Images) -> NDArray[np.float32]:
        """uint8 [N, …] to float32 [N, A], the probability of each attribute."""
        ...

    def features(self, images: Images) -> NDArray[np.float32]:
        """uint8 [N, …] to float32 [N, D]."""
        ...


@dataclass(frozen=True)
class AttributeAgreement:
    """One attribute: how often it is read as asked, beside what chance and real pictures reach.

    Attributes:
        name: the attribute.
        share: samples in which it is read as asked.
        chance: the share that would agree if reading and asking had nothing to do with each other.
        real: held-out real pictures in which it is read as it is.
        asked: share of samples that were asked to show it.
    """

    name: str
    share: Share
    chance: float
    real: Share
    asked: float


@dataclass(frozen=True)
class AttributeResult:
    """Every attribute a candidate is told, and samples to show: images and, row by row, asked and read [M, K]."""

    agreements: tuple[AttributeAgreement, ...]
    images: Images
    asked: NDArray[np.integer]
    read: NDArray[np.bool_]
    names: tuple[str, ...] = field(default=())

    @property
    def figure(self) -> Value:
        """All attributes of all samples taken together."""
        return _pooled([agreement.share for agreement in self.agreements])

    @property
    def floor(self) -> Value:
        """The same of held-out real pictures."""
        return _pooled([agreement.real for agreement in self.agreements])


def measure_attributes(
    candidate: Candidate,
    real: RealData,
    judge: AttributeJudge,
    config: EvalConfig,
    seed: int,
    progress: Progress = silent,
) -> AttributeResult:
    """Ask for the attributes of held-out real pictures, in turn, and read what comes.

    Raises:
        CaptchaLabError: the data or the judge does not know an attribute.
    """
    names = candidate.attributes
    unknown = [name for name in names if name not in judge.names]
    if unknown:
        raise CaptchaLabError(
            f"The attribute network does not read {', '.join(unknown)}, which {candidate.name} is told."
        )
    columns = [judge.names.index(name) for name in names]
    truth = real.attributes(real.held_conditions, names)
    of_real = _read(judge, real.held, columns, config.batch_size)
    asked = truth[np.arange(config.samples) % len(truth)]
    parts, kept = [], []
    for number, start in enumerate(range(0, len(asked), config.batch_size)):
        told = asked[start : start + config.batch_size]
        images = candidate.draw(told, len(told), (seed, 4, number))
        parts.append(judge.probabilities(images)[:, columns] > 0.5)
        if number == 0:
            kept = [images[:SHOWN]]
        progress(f"{candidate.name}: attributes", start + len(told), len(asked))
    read = np.concatenate(parts)
    agreements = tuple(
        AttributeAgreement(
            name,
            wilson(int((read[:, k] == (asked[:, k] > 0)).sum()), len(read)),
            _chance(read[:, k], asked[:, k] > 0),
            wilson(int((of_real[:, k] == (truth[:, k] > 0)).sum()), len(truth)),
            float((asked[:, k] > 0).mean()),
        )
        for k, name in enumerate(names)
    )
    shown = kept[0]
    return AttributeResult(agreements, shown, asked[: len(shown)], read[: len(shown)], names)


SHOWN = 1000  # samples kept to pick the report's from


def _read(judge: AttributeJudge, images: Images, columns: list[int], size: int) -> NDArray[np.bool_]:
    parts = [judge.probabilities(images[i : i + size])[:, columns] for i in range(0, len(images), size)]
    return np.concatenate(parts) > 0.5


def _chance(read: NDArray[np.bool_], asked: NDArray[np.bool_]) -> float:
    """Agreement expected of independent answers with the same frequencies."""
    p, q = float(read.mean()), float(asked.mean())
    return p * q + (1 - p) * (1 - q)


def _pooled(shares: list[Share]) -> Value:
    whole = wilson(sum(s.successes for s in shares), sum(s.trials for s in shares))
    return Value(whole.value, whole.low, whole.high)
