"""The learning curve over labels: what a reader reads that was trained on more and more labelled captchas."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_lab.metrics.intervals import Share
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.contract import CaptchaReader
from captcha_lab.recognise.registry import CaptchaViews, ReaderKind
from captcha_lab.store.packed.packed import SPLITS
from captcha_lab.store.packed.texts import TextSet


@dataclass(frozen=True)
class CurvePoint:
    """Whole test captchas read right after training on so many labelled captchas, in so many seconds."""

    captchas: int
    share: Share
    seconds: float


@dataclass(frozen=True)
class Trained:
    """A reader that was trained on some of the labels.

    Attributes:
        rows: of the captchas whose labels it was given.
        reader: itself.
        seconds: spent on training.
    """

    rows: NDArray[np.integer]
    reader: CaptchaReader
    seconds: float


def train_on_more(
    kind: ReaderKind,
    views: CaptchaViews,
    sizes: Sequence[int],
    settings: Mapping[str, Any],
    seed: int,
    progress: PhaseProgress = no_progress,
) -> Iterator[Trained]:
    """Readers trained on the first 25, 50, 100, … labels of the training split, in an order drawn by a seed.

    The other captchas are there without their texts, as they are for somebody who has labelled no more; the labels of
    the validation split are not used either, for they are labels too.

    Args:
        kind: of the readers.
        views: the captchas.
        sizes: numbers of labels, rising.
        settings: of the training, by name.
        seed: of the order.
        progress: called with the number of readers that are trained.

    Raises:
        CaptchaLabError: a training is impossible.
    """
    texts = views.texts
    labelled = [k for k, text in enumerate(texts.texts) if text and texts.split[k] == SPLITS.index("train")]
    order = np.random.default_rng(seed).permutation(labelled)
    for number, size in enumerate(sizes):
        progress(f"training the {kind.name} reader on {size} labels", number, len(sizes))
        rows = order[:size]
        with tempfile.TemporaryDirectory() as folder:
            report = kind.train(
                replace(views, texts=_known(texts, rows)),
                Path(folder),
                {"seed": seed, "tensorboard": False, **settings},
                None,
                no_progress,
            )
            yield Trained(rows, kind.load(report.run.root), report.seconds)


def sizes_of(labelled: int, sizes: Sequence[int]) -> list[int]:
    """The sizes below the number of labels, and that number."""
    return [size for size in sizes if size < labelled] + [labelled] * (labelled > 0)


def _known(texts: TextSet, rows: NDArray[np.integer]) -> TextSet:
    """The same captchas, of which only these have a text: the others are there, but nobody typed them."""
    chosen = set(rows.tolist())
    return replace(texts, texts=tuple(text if k in chosen else "" for k, text in enumerate(texts.texts)))
