"""GAN-train: can a recogniser that saw samples only read real glyphs?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.generators.figures import Tally
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Images
from captcha_lab.metrics.samples.measure import compute
from captcha_lab.metrics.samples.subjects import HeldOutReadings
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.classify import build_lenet, readings, train_classifier
from captcha_lab.recognise.config import ClassifierConfig


def train_and_read(
    images: Images,
    labels: NDArray[np.integer],
    real: RealData,
    config: EvalConfig,
    seed: int,
    what: str,
    progress: PhaseProgress = no_progress,
) -> Tally:
    """Train the thesis's LeNet on images [N, size, size] and read the held-out real glyphs with it.

    The same recogniser, seed and number of epochs for samples and for real glyphs (classification accuracy score:
    Ravuri and Vinyals 2019; GAN-train: Shmelkov et al. 2018, section 3). No real glyph chooses the epoch.
    """
    epochs = config.gan_train_epochs
    network = build_lenet(len(real.classes), images.shape[1], 3 if images.ndim == 4 else 1, seed)
    train_classifier(
        network,
        images,
        labels,
        None,
        ClassifierConfig(epochs=epochs, patience=epochs, seed=seed),
        lambda scalars: progress(f"{what}: training on it", scalars["epoch"], epochs),
    )
    truth = np.asarray(real.held_conditions)
    return compute(HeldOutReadings(truth=truth, read=readings(network, real.held)))


def can_train(candidate: Candidate, real: RealData) -> bool:
    """Whether samples come with classes, as many as wanted, in a size the recogniser takes."""
    square = len(real.image_shape) >= 2 and real.image_shape[0] == real.image_shape[1]
    return candidate.labelled and candidate.capacity is None and real.labelled and square


def gan_train(
    candidate: Candidate, real: RealData, config: EvalConfig, seed: int, progress: PhaseProgress = no_progress
) -> Tally:
    """As many samples as there are real training glyphs, of the same classes, instead of these."""
    labels = np.asarray(real.train_conditions)
    samples = candidate.matched(labels, len(labels), seed + 1, config.batch_size)
    return train_and_read(samples, labels, real, config, seed, candidate.name, progress)
