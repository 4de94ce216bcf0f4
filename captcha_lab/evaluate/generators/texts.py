"""Whether a generator of whole captchas draws the texts it is asked for: read by a reader that no training saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.generators.figures import Tally, Value, pool
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Extractor, Images
from captcha_lab.metrics.intervals import Share
from captcha_lab.metrics.samples.measure import compute
from captcha_lab.metrics.samples.subjects import HeldOutTexts, TextReadings
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.contract import CaptchaJudge, CaptchaReader

MOST_READ = 1000  # captchas: a share of so many is known to within a percent or two
SHOWN = 64  # captchas kept for the report

Codes = np.ndarray  # conditions [N, K] of texts


@dataclass(frozen=True)
class TextJudge:
    """Who reads generated captchas, and how they are asked for.

    Attributes:
        reader: trained on data that no training of a generator and no choice of a checkpoint saw.
        encode: texts to conditions [N, K].
        draw: (number, seed) to random texts of the lengths and characters that the data has.
        decode: conditions [N, K] to texts.
        teach: captchas and texts to a reader that learned from them alone (the captcha form of GAN-train).
        accuracy: of the reader on held-out real captchas.
    """

    reader: CaptchaJudge
    encode: Callable[[Sequence[str]], Codes]
    draw: Callable[[int, int], list[str]]
    decode: Callable[[Codes], list[str]]
    teach: Callable[[Images, Sequence[str], str, PhaseProgress], CaptchaReader]
    accuracy: Share | None = None

    @property
    def extractor(self) -> Extractor:
        """Its features, to measure distances in."""
        return Extractor("judge of texts", self.reader.features, "reader")

    def read(self, images: Images) -> list[str]:
        """What it reads."""
        return [reading.text for reading in self.reader.read(images)]


@dataclass(frozen=True)
class AskedTexts:
    """Captchas by what they were asked to say.

    Attributes:
        images: some of them, uint8 [M, …].
        asked: their texts.
        read: what is read.
        figures: of all of them.
    """

    images: Images
    asked: list[str]
    read: list[str]
    figures: dict[str, Value]


def measure_asked(
    candidate: Candidate,
    real: RealData,
    judge: TextJudge,
    config: EvalConfig,
    seed: int,
    progress: PhaseProgress = no_progress,
) -> AskedTexts:
    """Ask for random texts and read what comes."""
    count = min(config.samples, MOST_READ)
    asked = judge.draw(count, seed)
    images, read = [], []
    for number, start in enumerate(range(0, count, config.batch_size)):
        part = asked[start : start + config.batch_size]
        made = candidate.draw(judge.encode(part), len(part), (seed, 5, number))
        read += judge.read(made)
        images += [made] if number == 0 else []
        progress(f"{candidate.name}: reading captchas", start + len(part), count)
    figures = compute(TextReadings(asked=tuple(asked), read=tuple(read)))
    shown = images[0][:SHOWN]
    return AskedTexts(shown, asked[: len(shown)], read[: len(shown)], pool([figures]))


def text_train(
    candidate: Candidate,
    real: RealData,
    judge: TextJudge,
    config: EvalConfig,
    seed: int,
    progress: PhaseProgress,
) -> Tally:
    """A reader that learned from as many samples as there are real training captchas, tested on held-out real ones.

    The samples are of random texts: of the training captchas' texts a generator that knows these by heart would give
    the training captchas.
    """
    asked = judge.draw(len(real.train), seed + 1)
    samples = candidate.matched(judge.encode(asked), len(asked), seed + 1, config.batch_size)
    return taught(samples, asked, real, judge, candidate.name, progress)


def taught(
    images: Images, texts: Sequence[str], real: RealData, judge: TextJudge, what: str, progress: PhaseProgress
) -> Tally:
    """How a reader that learned from these captchas alone reads held-out real ones."""
    reader = judge.teach(images, texts, what, progress)
    truth = judge.decode(np.asarray(real.held_conditions))
    read = [reading.text for reading in reader.read(real.held)]
    return compute(HeldOutTexts(truth=tuple(truth), read=tuple(read)))


def read_real(real: RealData, judge: TextJudge) -> dict[str, Value]:
    """How the judge reads held-out real captchas: the baseline of `measure_asked`."""
    truth = judge.decode(np.asarray(real.held_conditions))
    return pool([compute(TextReadings(asked=tuple(truth), read=tuple(judge.read(real.held))))])
