"""Short trainings of the thesis's LeNet on glyphs: many of them make the curves of an audit."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.glyphs import shape_keys
from captcha_lab.recognise.classify import build_lenet, readings, train_classifier
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.store.packed.packed import PackedSet

# What one training of these curves may cost: so many glyphs seen, no more than so many of one shape (further copies
# teach nothing new), and a last part at a small rate, which settles the network without a validation set.
SEEN = 20_000
COPIES = 4
RATES = (2e-3, 3e-4)
SETTLING = 0.3  # of the epochs
LARGE = 400  # glyphs, from which larger batches are taken


def train_and_read(
    train: PackedSet, given: NDArray[np.integer], unseen: NDArray[np.uint8], epochs: int, seed: int
) -> NDArray[np.int64]:
    """Classes [M] that the thesis's LeNet reads after learning the given classes [N] of training glyphs."""
    rows = few_of_each_shape(train, given, seed)
    return learn(train.take(rows), given[rows], unseen, epochs, seed)


def learn(
    train: PackedSet, given: NDArray[np.integer], unseen: NDArray[np.uint8], epochs: int, seed: int
) -> NDArray[np.int64]:
    """Classes [M] that a freshly trained LeNet reads of unseen glyphs, after a bounded number of glyphs seen."""
    images = train.images
    network = build_lenet(len(train.classes), images.shape[1], 3 if images.ndim == 4 else 1, seed)
    total = max(1, min(epochs, round(SEEN / len(images))))
    settling = int(SETTLING * total)
    for part, rate in zip((total - settling, settling), RATES, strict=True):
        if part:
            size = 64 if len(images) >= LARGE else 32
            how = ClassifierConfig(epochs=part, patience=part, seed=seed, batch_size=size, learning_rate=rate)
            train_classifier(network, images, given, None, how)
    return readings(network, unseen)


def few_of_each_shape(train: PackedSet, given: NDArray[np.integer], seed: int) -> NDArray[np.integer]:
    """Rows [M], at random no more than a few of those that have one shape and one class."""
    shapes, count, kept = shape_keys(train, np.arange(len(train))), Counter[tuple[bytes, int]](), []
    for row in np.random.default_rng((seed, 5)).permutation(len(train)):
        key = shapes[row], int(given[row])
        count[key] += 1
        if count[key] <= COPIES:
            kept.append(row)
    return np.sort(kept)


def labels_of(part: PackedSet) -> NDArray[np.integer]:
    """Classes of rows [N]; empty where the set has none."""
    return np.empty(0, np.int64) if part.labels is None else np.asarray(part.labels, np.int64)
