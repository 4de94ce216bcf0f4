"""Training a classifier of glyphs, and what is worth warning about afterwards."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from captcha_lab.errors import CaptchaLabError
from captcha_lab.metrics.accuracy import captcha_accuracy, glyph_accuracy
from captcha_lab.metrics.intervals import Share
from captcha_lab.recognise.config import TrainConfig
from captcha_lab.recognise.lenet import ARCHITECTURE, LeNet
from captcha_lab.recognise.tensors import SCALING, to_tensor
from captcha_lab.store.packed.packed import PackedSet
from captcha_lab.store.runs import Run, save_weights

EpochHook = Callable[[dict[str, Any]], None]
FEW = 5  # training examples; a class with fewer gets a warning
MIN_GAIN = 0.05  # share by which the loss must fall, at equal accuracy, for training to be worth going on
MIN_VALIDATION = 30  # distinct glyphs; with fewer the best epoch would be chosen by chance
EPOCH = (
    10_000  # images at most: of larger sets each epoch draws so many anew, so that one does not take minutes
)
MEMORISED_GAP = 0.10  # training accuracy 100 % and validation lower by more: said as over-fitting


@dataclass(frozen=True)
class TrainReport:
    """A trained recogniser: figures as shares with Wilson intervals; `None` where a split has no labels."""

    run: Run
    epochs: int
    seconds: float
    train: Share
    validation: Share | None
    test: Share | None
    test_captchas: Share | None
    test_distinct: Share | None  # test glyphs whose pixels occur in no training glyph
    warnings: list[str] = field(default_factory=list)


def build_lenet(classes: int, size: int, channels: int, seed: int) -> LeNet:
    """A LeNet whose initial weights depend on the seed alone, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LeNet(classes, size, channels)


def fit(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray] | None,
    config: TrainConfig,
    on_epoch: EpochHook = lambda scalars: None,
) -> list[dict[str, Any]]:
    """Train a classifier by Adam and cross-entropy; it ends with the weights of its best epoch.

    Best is by validation accuracy, ties by validation loss; by training loss where there is no validation.

    Args:
        network: takes float32 [N, C, H, W] in [0, 1], gives logits [N, K].
        images: uint8 [N, H, W] or [N, H, W, 3].
        labels: integer [N].
        validation: the same pair held out, or None.
        config: see `TrainConfig`.
        on_epoch: called after each epoch with its scalars.

    Returns:
        The scalars of each epoch: epoch, seconds, train_loss, train_accuracy, and with a validation set
        validation_loss and validation_accuracy.
    """
    generator = torch.Generator().manual_seed(config.seed)
    x, y = to_tensor(images), torch.from_numpy(np.asarray(labels, np.int64))
    held_out = None
    if validation is not None and len(validation[0]):
        held_out = to_tensor(validation[0]), torch.from_numpy(np.asarray(validation[1], np.int64))
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
    best: tuple[float, float] = (-1.0, 0.0)
    gained, best_weights = 0, copy.deepcopy(network.state_dict())
    history: list[dict[str, Any]] = []
    started = time.perf_counter()
    for epoch in range(1, config.epochs + 1):
        loss, accuracy = _train_epoch(network, optimiser, x, y, config, generator)
        scalars: dict[str, Any] = {"epoch": epoch, "train_loss": loss, "train_accuracy": accuracy}
        score = (accuracy, -loss)
        if held_out is not None:
            loss, accuracy = loss_and_accuracy(network, *held_out)
            scalars |= {"validation_loss": loss, "validation_accuracy": accuracy}
            score = (accuracy, -loss)
        scalars["seconds"] = time.perf_counter() - started
        history.append(scalars)
        on_epoch(scalars)
        if score > best:
            if score[0] > best[0] or -score[1] < (1 - MIN_GAIN) * -best[1]:
                gained = epoch
            best, best_weights = score, copy.deepcopy(network.state_dict())
        if epoch - gained >= config.patience:
            break
    network.load_state_dict(best_weights)
    network.eval()
    return history


def _train_epoch(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    config: TrainConfig,
    generator: torch.Generator,
) -> tuple[float, float]:
    network.train()
    total = torch.zeros(())
    right = torch.zeros((), dtype=torch.int64)
    drawn = torch.randperm(len(x), generator=generator)[:EPOCH]
    for rows in drawn.split(config.batch_size):
        batch, target = shifted(x[rows], config.shift, generator), y[rows]
        logits = network(batch)
        loss = F.cross_entropy(logits, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.detach() * len(rows)
        right += (logits.argmax(1) == target).sum()
    return float(total) / len(drawn), float(right) / len(drawn)


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


def train_recogniser(
    data: PackedSet,
    models: Path,
    config: TrainConfig | None = None,
    name: str | None = None,
    on_epoch: EpochHook = lambda scalars: None,
) -> TrainReport:
    """Train the thesis's LeNet on a packed set and leave a run folder.

    The run holds `metrics.jsonl`, TensorBoard scalars, `curves.png` and the weights of the best epoch.

    Raises:
        CaptchaLabError: there are too few labelled glyphs to train on.
    """
    config = config or TrainConfig()
    train = data.part("train", labelled=True)
    validation = _held_out(data)
    if data.labels is None or len(np.unique(_labels(train))) < 2:
        raise CaptchaLabError(
            f"Only {len(train)} labelled training glyphs of fewer than two classes: give labels with "
            "`captcha-lab label` or `captcha-lab import PATH --labels filename`."
        )
    size, channels = train.images.shape[1], 3 if train.images.ndim == 4 else 1
    network = build_lenet(len(data.classes), size, channels, config.seed)
    run = Run.create(models, "recogniser", name, {"train": asdict(config), "data": data.info})
    started = time.perf_counter()

    def logged(scalars: dict[str, Any]) -> None:
        run.log(**scalars)
        on_epoch(scalars)

    history = fit(
        network,
        train.images,
        _labels(train),
        (validation.images, _labels(validation)),
        config,
        logged,
    )
    seconds = time.perf_counter() - started
    save_weights(run.weights, network.state_dict(), _metadata(data, size, channels))
    _draw(run, history)
    report = _report(run, network, data, history, seconds)
    run.log(
        summary=True,
        **{k: getattr(report, k) for k in ("train", "validation", "test", "test_captchas", "test_distinct")},
        warnings=report.warnings,
    )
    return report


def _labels(part: PackedSet) -> np.ndarray:
    return np.empty(0, np.int16) if part.labels is None else part.labels


def _held_out(data: PackedSet) -> PackedSet:
    """The validation glyphs that occur in no training glyph; all of them where that leaves too few to choose by."""
    distinct = data.part("validation", labelled=True, distinct=True)
    return distinct if len(distinct) >= MIN_VALIDATION else data.part("validation", labelled=True)


def _metadata(data: PackedSet, size: int, channels: int) -> dict[str, Any]:
    return {
        "architecture": ARCHITECTURE,
        "classes": list(data.classes),
        "size": size,
        "channels": channels,
        "scaling": SCALING,
        "segmenter": data.info.get("segmenter"),
        "data": data.info,
    }


def _report(
    run: Run, network: nn.Module, data: PackedSet, history: list[dict[str, Any]], seconds: float
) -> TrainReport:
    def share(part: PackedSet) -> Share | None:
        return glyph_accuracy(_labels(part), readings(network, part.images)) if len(part) else None

    train, test = data.part("train", labelled=True), data.part("test", labelled=True)
    captchas = None
    if len(test) and test.image is not None:
        captchas = captcha_accuracy(_labels(test), readings(network, test.images), test.image)
    trained = glyph_accuracy(_labels(train), readings(network, train.images))
    validation = share(_held_out(data))
    counts = np.bincount(_labels(train), minlength=len(data.classes))
    return TrainReport(
        run=run,
        epochs=len(history),
        seconds=seconds,
        train=trained,
        validation=validation,
        test=share(test),
        test_captchas=captchas,
        test_distinct=share(data.part("test", labelled=True, distinct=True)),
        warnings=warnings_for(trained, validation, counts, data.classes),
    )


def warnings_for(
    train: Share, validation: Share | None, counts: np.ndarray, classes: tuple[str, ...]
) -> list[str]:
    """One clear line for each thing that makes a recogniser untrustworthy.

    Args:
        train: accuracy on the training glyphs.
        validation: accuracy on held-out distinct glyphs, if there are any.
        counts: int [K], labelled training glyphs of each class.
        classes: K names.
    """
    found = []
    present = int((counts > 0).sum())
    chance = float(counts.max() / max(counts.sum(), 1))
    held_out = validation or train
    if present > 1 and held_out.low <= chance:
        found.append(
            f"Accuracy is at chance level ({held_out.value:.0%}, the commonest class alone gives {chance:.0%}): "
            "check the labels and the cut (`captcha-lab segment --preview`)."
        )
    elif validation is not None and train.value >= 0.999 and train.value - validation.value > MEMORISED_GAP:
        found.append(
            f"Training glyphs are read 100 %, validation glyphs {validation.value:.1%}: it has memorised; label more."
        )
    if validation is None:
        found.append("No captcha was left for validation: label more, or trust no figure here.")
    few = [f"{name} ({count})" for name, count in zip(classes, counts, strict=True) if count < FEW]
    if few:
        found.append(f"Fewer than {FEW} training glyphs of {', '.join(few)}: label more of these.")
    return found


def _draw(run: Run, history: list[dict[str, Any]]) -> None:
    from torch.utils.tensorboard import SummaryWriter

    from captcha_lab.recognise.curves import draw_curves

    with SummaryWriter(str(run.tensorboard)) as writer:
        for scalars in history:
            for key, value in scalars.items():
                if key != "epoch":
                    writer.add_scalar(key.replace("_", "/", 1), value, scalars["epoch"])
    draw_curves(run.root / "curves.png", history)
