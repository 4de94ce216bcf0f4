"""Training of networks that classify single pictures: the thesis's LeNet, the judge, whoever reads glyphs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from captcha_lab.parallel import ALONE, Group
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.recognise.fit import Figures, FitConfig, fit
from captcha_lab.recognise.networks.lenet import LeNet
from captcha_lab.recognise.tensors import to_tensor

EPOCH = (
    10_000  # images at most: of larger sets each epoch draws so many anew, so that one does not take minutes
)
MIN_GAIN = 0.05  # share by which the loss must fall, at equal accuracy, for training to be worth going on


def build_lenet(classes: int, size: int, channels: int, seed: int) -> LeNet:
    """A LeNet whose initial weights depend on the seed alone, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LeNet(classes, size, channels)


class LabelledImages:
    """Batches of labelled images, each epoch in an order of its own; the number of a step decides its batch.

    Args:
        images: uint8 [N, H, W] or [N, H, W, 3].
        labels: integer [N].
        batch_size: images in a batch; the last one of an epoch may be smaller.
        shift: pixels by which each image is moved at most, in both directions.
        seed: of the order and the moves.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, batch_size: int, shift: int, seed: int
    ) -> None:
        self._x, self._y = to_tensor(images), torch.from_numpy(np.asarray(labels, np.int64))
        self._batch_size, self._shift, self._seed = batch_size, shift, seed
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))
        self.steps = math.ceil(min(len(self._x), EPOCH) / batch_size)  # in an epoch

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Float32 [B, C, H, W] in [0, 1] and int64 [B]."""
        epoch, k = divmod(step, self.steps)
        if self._order[0] != epoch:
            drawn = torch.randperm(len(self._x), generator=_generator(self._seed, epoch, 0))
            self._order = epoch, drawn[:EPOCH]
        rows = self._order[1][k * self._batch_size : (k + 1) * self._batch_size]
        return shifted(self._x[rows], self._shift, _generator(self._seed, step, 1)), self._y[rows]


def _generator(seed: int, number: int, purpose: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed * 1_000_003 + number) * 2 + purpose)


def cross_entropy(network: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """The objective of classifiers: mean cross-entropy (nats), and the share read right."""
    logits = network(batch[0])
    return {
        "loss": F.cross_entropy(logits, batch[1]),
        "accuracy": (logits.argmax(1) == batch[1]).float().mean(),
    }


def by_accuracy(figures: Figures) -> tuple[float, ...]:
    """The score of classifiers: accuracy, then a low loss; on validation images where there are any."""
    split = "validation" if "validation_loss" in figures else "train"
    return figures[f"{split}_accuracy"], -figures[f"{split}_loss"]


def train_classifier(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray] | None,
    config: ClassifierConfig,
    on_epoch: Callable[[dict[str, Any]], None] = lambda scalars: None,
    checkpoint: Path | None = None,
    group: Group = ALONE,
) -> list[dict[str, Any]]:
    """Train a classifier by Adam and cross-entropy; it ends with the weights of its best epoch.

    Best is by validation accuracy, ties by validation loss; by the training's figures where there is no validation.

    Args:
        network: takes float32 [N, C, H, W] in [0, 1], gives logits [N, K].
        images: uint8 [N, H, W] or [N, H, W, 3].
        labels: integer [N].
        validation: the same pair held out, or None.
        config: see `ClassifierConfig`.
        on_epoch: called after each epoch with its scalars.
        checkpoint: see `fit`.
        group: see `fit`.

    Returns:
        The scalars of each epoch: epoch, seconds, train_loss, train_accuracy, and with a validation set
        validation_loss and validation_accuracy.
    """
    batches = LabelledImages(images, labels, config.batch_size, config.shift, config.seed)
    held_out = None
    if validation is not None and len(validation[0]):
        held_out = to_tensor(validation[0]), torch.from_numpy(np.asarray(validation[1], np.int64))

    def evaluate() -> Figures:
        if held_out is None:
            return {}
        loss, accuracy = loss_and_accuracy(network, *held_out)
        return {"validation_loss": loss, "validation_accuracy": accuracy}

    def scalars(figures: Figures) -> dict[str, Any]:
        return {"epoch": round(figures["step"] / batches.steps)} | {
            name: value for name, value in figures.items() if name != "step"
        }

    settings = FitConfig(
        config.epochs * batches.steps,
        config.learning_rate,
        evaluate_every=batches.steps,
        patience=config.patience,
        min_gain=MIN_GAIN,
        seed=config.seed,
    )

    def part(step: int) -> tuple[Tensor, Tensor]:
        x, y = batches(step)
        rows = group.rows(len(x))
        return x[rows], y[rows]

    state = fit(
        network, part, cross_entropy, settings, evaluate, by_accuracy, checkpoint,
        lambda figures: on_epoch(scalars(figures)), group=group,
    )  # fmt: skip
    return [scalars(figures) for figures in state.history]


def shifted(batch: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Each image of [N, C, H, W] moved by up to `pixels` in both directions; what comes in is 0 (paper)."""
    if pixels == 0:
        return batch
    side = 2 * pixels + 1
    padded = F.pad(batch, [pixels] * 4)
    height, width = batch.shape[2:]
    moves = torch.randint(side, (len(batch), 2), generator=generator)
    rows = moves[:, :1] + torch.arange(height)  # [N, H]
    columns = moves[:, 1:] + torch.arange(width)  # [N, W]
    samples = torch.arange(len(batch))[:, None, None]
    return padded.movedim(1, -1)[samples, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


@torch.inference_mode()
def loss_and_accuracy(network: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy over float32 [N, C, H, W] and int64 [N], in evaluation mode."""
    network.eval()
    logits = torch.cat([network(part) for part in x.split(1024)])
    return float(F.cross_entropy(logits, y)), float((logits.argmax(1) == y).float().mean())


@torch.inference_mode()
def readings(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """Classes read by a classifier: uint8 images to int64 [N]."""
    network.eval()
    parts = [network(to_tensor(images[a : a + 1024])).argmax(1) for a in range(0, len(images), 1024)]
    return torch.cat(parts).numpy() if parts else np.empty(0, np.int64)
