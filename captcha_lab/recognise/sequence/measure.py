"""How well a sequence reader reads captchas whose texts are known, and the temperature that makes it honest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from captcha_lab.metrics.intervals import Share, share_of
from captcha_lab.recognise.codec.ctc import decode, log_probabilities
from captcha_lab.recognise.sequence.reader import SequenceReader
from captcha_lab.store.packed.texts import TextSet

MOST = 1000  # captchas of a split that are read to measure it
TEMPERATURES = np.geomspace(0.6, 4, 25)
USUAL_TEMPERATURE = 1.2  # where nothing is held out to measure it on
PRIOR_WIDTH = 0.3  # of the temperature's logarithm
LEAST_LIKELY = -3.0  # nats of a text: a few wrong labels must not outweigh all that is read right


def evaluation(reader: SequenceReader, part: TextSet) -> dict[str, float]:
    """Share of whole captchas read right and CTC's loss per captcha (nats, of each at most 3), of at most a thousand.

    None of none.
    """
    part = part.take(np.arange(min(len(part), MOST)))
    if not len(part):
        return {}
    scores, truth = _scores(reader, part), _numbers(part.texts, reader.classes)
    right = [
        found.text == text for found, text in zip(decode(scores, reader.facts.lengths), truth, strict=True)
    ]
    loss = -log_probabilities(scores, truth).clip(LEAST_LIKELY).mean()
    return {"validation_accuracy": float(np.mean(right)), "validation_loss": float(loss)}


def share_right(reader: SequenceReader, part: TextSet) -> Share | None:
    """Captchas of a part read right, of at most a thousand; None of none."""
    part = part.take(np.arange(min(len(part), MOST)))
    if not len(part):
        return None
    readings = reader.read(part.images)
    return share_of([reading.text == text for reading, text in zip(readings, part.texts, strict=True)])


def calibrated(reader: SequenceReader, held_out: TextSet) -> float:
    """The temperature at which confidences on held-out captchas are most truthful.

    The log-likelihood of being right or wrong is maximised (Guo et al. 2017, but for whole texts); a weak prior at
    the usual temperature decides where few captchas are held out. The reader's own temperature must be 1.
    """
    part = held_out.take(np.arange(min(len(held_out), MOST)))
    scores = _scores(reader, part)
    texts = [found.text for found in decode(scores, reader.facts.lengths)]
    truth = _numbers(part.texts, reader.classes)
    right = np.array([a == b for a, b in zip(texts, truth, strict=True)], bool)
    likelihood = -0.5 * (np.log(TEMPERATURES / USUAL_TEMPERATURE) / PRIOR_WIDTH) ** 2
    for k, temperature in enumerate(TEMPERATURES):
        confidence = np.exp(log_probabilities([_at(own, temperature) for own in scores], texts))
        confidence = confidence.clip(1e-4, 1 - 1e-4)
        likelihood[k] += np.log(np.where(right, confidence, 1 - confidence)).sum()
    return float(TEMPERATURES[likelihood.argmax()])


def _scores(reader: SequenceReader, part: TextSet) -> list[NDArray[np.float32]]:
    return reader.scores([reader.facts.scaling(image) for image in part.images])


def _numbers(texts: Sequence[str], classes: Sequence[str]) -> list[tuple[int, ...]]:
    """Class numbers of texts as the network counts them; -1 for a character that it does not know."""
    number = {c: k + 1 for k, c in enumerate(classes)}
    return [tuple(number.get(c, -1) for c in text) for text in texts]


def _at(scores: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Log-probabilities at another temperature."""
    return torch.from_numpy(scores / temperature).log_softmax(1).numpy()
