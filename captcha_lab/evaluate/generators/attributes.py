"""Whether a generator that is conditioned on attributes shows them: read off by the attribute network, one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.generators.figures import Value, pool
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Images
from captcha_lab.metrics.intervals import Share, wilson
from captcha_lab.metrics.samples.measure import compute
from captcha_lab.metrics.samples.subjects import AttributeReadings
from captcha_lab.progress import PhaseProgress, no_progress


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
    """Every attribute a candidate is conditioned on.

    Attributes:
        agreements: attribute by attribute.
        images: samples to show, uint8 [M, …].
        asked: what was asked of them, int [M, K].
        read: what is read off them, bool [M, K].
        names: of the K attributes.
        figures: of all attributes of all samples together.
        baseline: the same of held-out real pictures.
    """

    agreements: tuple[AttributeAgreement, ...]
    images: Images
    asked: NDArray[np.integer]
    read: NDArray[np.bool_]
    names: tuple[str, ...] = field(default=())
    figures: dict[str, Value] = field(default_factory=dict)
    baseline: dict[str, Value] = field(default_factory=dict)


def measure_attributes(
    candidate: Candidate,
    real: RealData,
    judge: AttributeJudge,
    config: EvalConfig,
    seed: int,
    progress: PhaseProgress = no_progress,
) -> AttributeResult:
    """Ask for the attributes of held-out real pictures, in turn, and read what comes.

    Raises:
        CaptchaLabError: the data or the judge does not know an attribute.
    """
    names = candidate.attributes
    unknown = [name for name in names if name not in judge.names]
    if unknown:
        raise CaptchaLabError(
            f"The attribute network does not read {', '.join(unknown)}, which {candidate.name} is conditioned on."
        )
    columns = [judge.names.index(name) for name in names]
    truth = real.attributes(real.held_conditions, names)
    of_real = _read(judge, real.held, columns, config.batch_size)
    asked = truth[np.arange(config.samples) % len(truth)]
    parts, kept = [], []
    for number, start in enumerate(range(0, len(asked), config.batch_size)):
        wanted = asked[start : start + config.batch_size]
        images = candidate.draw(wanted, len(wanted), (seed, 4, number))
        parts.append(judge.probabilities(images)[:, columns] > 0.5)
        if number == 0:
            kept = [images[:SHOWN]]
        progress(f"{candidate.name}: attributes", start + len(wanted), len(asked))
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
    return AttributeResult(
        agreements, shown, asked[: len(shown)], read[: len(shown)], names,
        pool([compute(AttributeReadings(asked=asked > 0, read=read))]),
        pool([compute(AttributeReadings(asked=truth > 0, read=of_real))]),
    )  # fmt: skip


SHOWN = 1000  # samples kept to pick the report's from


def _read(judge: AttributeJudge, images: Images, columns: list[int], size: int) -> NDArray[np.bool_]:
    parts = [judge.probabilities(images[i : i + size])[:, columns] for i in range(0, len(images), size)]
    return np.concatenate(parts) > 0.5


def _chance(read: NDArray[np.bool_], asked: NDArray[np.bool_]) -> float:
    """Agreement expected of independent answers with the same frequencies."""
    p, q = float(read.mean()), float(asked.mean())
    return p * q + (1 - p) * (1 - q)
