"""Batches of captchas for the sequence reader: drawn anew for every step, from the step's number alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from captcha_lab.recognise.codec.ctc import encode
from captcha_lab.recognise.networks.sequence import STRIDE
from captcha_lab.recognise.sequence.augment import Augmentation
from captcha_lab.recognise.sequence.columns import Scaling, columns_of, to_batch

BLANK_SHARE = 0.03  # of a batch are pictures without a text, so that a blank captcha is read as such


class TextBatch(NamedTuple):
    """Pictures [N, 3, H, W], the columns each has [N], and the targets of CTC."""

    pictures: Tensor
    columns: Tensor
    targets: Tensor
    lengths: Tensor


class TextBatches:
    """Draws augmented batches; every captcha once before any comes again.

    Args:
        images: uint8 [H, W] or RGB [H, W, 3] each.
        texts: of each captcha, in characters of `classes`.
        classes: the characters.
        scaling: of the pictures before they are augmented.
        size: captchas in a batch.
        seed: with the step's number it determines a batch.
        augmentation: None for none.
    """

    def __init__(
        self,
        images: Sequence[np.ndarray],
        texts: Sequence[str],
        classes: Sequence[str],
        scaling: Scaling,
        size: int,
        seed: int,
        augmentation: Augmentation | None,
    ) -> None:
        self.images, self.texts, self.classes, self.scaling = images, texts, classes, scaling
        self.size, self.seed, self.augmentation = size, seed, augmentation
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def __call__(self, step: int) -> TextBatch:
        """The batch of a step."""
        rng = np.random.default_rng([self.seed, step])
        pictures, texts = [], []
        for row in self._rows(step):
            picture, text = self.scaling(self.images[row]), self.texts[row]
            if rng.random() < BLANK_SHARE:
                picture, text = _without_text(picture, rng), ""
            pictures.append(self.augmentation(picture, rng) if self.augmentation else picture)
            texts.append(text)
        return text_batch(pictures, texts, self.classes)

    def _rows(self, step: int) -> list[int]:
        count = len(self.images)
        rows = []
        for place in range(step * self.size, (step + 1) * self.size):
            epoch, k = divmod(place, count)
            if epoch != self._epoch:
                self._epoch = epoch
                self._order = np.random.default_rng([self.seed, epoch, 1]).permutation(count)
            rows.append(int(self._order[k]))
        return rows


def _without_text(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Paper of a captcha's colour, with noise or a stroke, and nothing written on it."""
    paper = np.median(picture.reshape(-1, 3), axis=0)
    noise = rng.normal(0, rng.uniform(0, 12), (*picture.shape[:2], 1))
    blank: NDArray[np.uint8] = np.clip(np.broadcast_to(paper, picture.shape) + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        height, width = picture.shape[:2]
        ink = picture.reshape(-1, 3)[np.abs(picture.astype(int) - paper).sum(2).argmax()].tolist()
        a, b = (rng.uniform(0, 1, 2) * (width, height) for _ in range(2))
        cv2.line(blank, a.astype(int).tolist(), b.astype(int).tolist(), ink, 1)
    return blank


def text_batch(
    pictures: Sequence[NDArray[np.uint8]],
    texts: Sequence[str],
    classes: Sequence[str],
    multiple: int = STRIDE,
) -> TextBatch:
    """Scaled pictures and their texts as tensors, as wide as the widest rounded up to a multiple of some pixels."""
    targets, lengths = encode(texts, classes)
    columns = torch.tensor([columns_of(picture.shape[1]) for picture in pictures])
    return TextBatch(to_batch(pictures, multiple), columns, targets, lengths)


def joined(first: TextBatch, second: TextBatch) -> TextBatch:
    """Two batches as one, the narrower pictures padded with 0."""
    width = max(first.pictures.shape[3], second.pictures.shape[3])
    pictures = [F.pad(part.pictures, (0, width - part.pictures.shape[3])) for part in (first, second)]
    columns, targets, lengths = (torch.cat(pair) for pair in zip(first[1:], second[1:], strict=True))
    return TextBatch(torch.cat(pictures), columns, targets, lengths)


def rows_of(batch: TextBatch, rows: slice) -> TextBatch:
    """Some captchas of a batch, whose pictures stay as wide as they are."""
    first, last = (int(batch.lengths[: rows.start].sum()), int(batch.lengths[: rows.stop].sum()))
    return TextBatch(
        batch.pictures[rows], batch.columns[rows], batch.targets[first:last], batch.lengths[rows]
    )


def ctc_objective(network: nn.Module, batch: TextBatch) -> dict[str, Tensor]:
    """`loss`: the mean over captchas of CTC's loss per character (nats)."""
    scores = network(batch.pictures).log_softmax(2)
    losses = F.ctc_loss(
        scores.transpose(0, 1),
        batch.targets,
        batch.columns,
        batch.lengths,
        reduction="none",
        zero_infinity=True,
    )
    return {"loss": (losses / batch.lengths.clamp(min=1)).mean()}
