"""Training the attribute network on a packed set, and how well it reads what it never saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from captcha_lab.datasets.batches import Batches, BatchOptions
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.metrics.intervals import Share, wilson
from captcha_lab.recognise.attributes.config import AttributeConfig
from captcha_lab.recognise.attributes.reader import (
    ARCHITECTURE,
    KIND,
    SCALING,
    AttributeNet,
    AttributeReader,
    to_tensor,
)
from captcha_lab.recognise.fit import Figures, FitConfig, fit
from captcha_lab.store.packed.packed import open_packed
from captcha_lab.store.runs import Run, all_runs, save_weights

MIN_PICTURES = 10
_BATCH = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class AttributeScore:
    """How well one attribute is read on held-out pictures.

    Attributes:
        name: the attribute.
        accuracy: share read right at probability 0.5.
        majority: accuracy of always giving the commoner answer of the training pictures.
        balanced: mean of the shares read right among pictures with and without it; None where one kind is absent.
    """

    name: str
    accuracy: Share
    majority: float
    balanced: float | None


@dataclass(frozen=True)
class AttributeReport:
    """A trained attribute network; scores on the test split (validation where there is no test split)."""

    run: Run
    epochs: int
    scores: tuple[AttributeScore, ...]

    @property
    def accuracy(self) -> float:
        """Mean accuracy over attributes."""
        return float(np.mean([score.accuracy.value for score in self.scores]))

    @property
    def majority(self) -> float:
        """Mean accuracy of always giving the commoner answer."""
        return float(np.mean([score.majority for score in self.scores]))


def train_attributes(
    packed: Path,
    models: Path,
    config: AttributeConfig | None = None,
    name: str | None = None,
    progress: Progress = lambda done, total: None,
) -> AttributeReport:
    """Train on the training split of a packed set with attributes, and leave a run folder.

    The weights of the epoch with the lowest validation loss are kept. Pictures are read as they are needed, so
    the set may be larger than memory.

    Raises:
        UsageError: the set has no attributes.
        CaptchaLabError: too few pictures, or the disk refuses.
    """
    config = config or AttributeConfig()
    held_split = _held_out_split(packed)
    options = BatchOptions(condition="attributes", seed=config.seed)
    with Batches(packed, options) as batches, torch.random.fork_rng(devices=[]):
        if len(batches) < MIN_PICTURES:
            raise CaptchaLabError(
                f"{packed} has only {len(batches)} training pictures with attributes: pack more."
            )
        torch.manual_seed(config.seed)  # initial weights, dropout and flips
        channels = 3 if len(batches.image_shape) == 3 else 1
        network = AttributeNet(len(batches.names), channels)
        run = Run.create(models, KIND, name, {"train": asdict(config), **_wanted(packed)})
        epochs, share = _fit(network, batches, packed, config, run, progress)
        reader = AttributeReader(network, batches.names, channels)
        metadata = {
            "architecture": ARCHITECTURE,
            "attributes": list(batches.names),
            "channels": channels,
            "scaling": SCALING,
        }
        save_weights(run.weights, network.state_dict(), metadata)
        scores = _scores(reader, packed, held_split, share)
    run.log(summary=True, split=held_split, scores=[asdict(score) for score in scores])
    return AttributeReport(run, epochs, scores)


def ensure_attributes(
    packed: Path,
    models: Path,
    config: AttributeConfig | None = None,
    progress: Progress = lambda done, total: None,
) -> tuple[AttributeReader, Run]:
    """The newest stored network trained on exactly this packed set, else a new one (errors as in training)."""
    wanted = _wanted(packed)
    for run in reversed(all_runs(models, KIND)):
        if run.weights.is_file() and {key: run.config().get(key) for key in wanted} == wanted:
            return AttributeReader.load(run.weights), run
    report = train_attributes(packed, models, config, progress=progress)
    return AttributeReader.load(report.run.weights), report.run


def _wanted(packed: Path) -> dict[str, Any]:
    """What identifies the state of the data."""
    with open_packed(packed) as (_, facts):
        return {
            "data": facts.info,
            "rows": len(facts.split),
            "shape": [int(n) for n in facts.images.shape[1:]],
            "attributes": list(facts.attribute_names),
        }


def _fit(
    network: AttributeNet,
    batches: Batches,
    packed: Path,
    config: AttributeConfig,
    run: Run,
    progress: Progress,
) -> tuple[int, NDArray[np.float64]]:
    """Train in place, ending with the best epoch's weights; (epochs, share of training pictures with each)."""
    steps = max(1, len(batches) // config.batch_size)
    seen, present = 0, np.zeros(len(batches.names))

    def batch(step: int) -> tuple[Tensor, Tensor]:
        nonlocal seen, present
        images, attributes = batches.next(min(config.batch_size, len(batches)))
        if attributes is None:
            raise UsageError(f"{packed} has no attributes.")
        if step < steps:
            seen, present = seen + len(attributes), present + attributes.sum(axis=0)
        return _flipped(to_tensor(images)), torch.from_numpy(attributes)

    def evaluate() -> Figures:
        held = _loss(network, packed, _validation_split(packed))
        return {} if held is None else {"validation_loss": held}

    def logged(figures: Figures) -> None:
        epoch = round(figures["step"] / steps)
        run.log(epoch=epoch, train_loss=figures["train_loss"], validation_loss=figures.get("validation_loss"))
        progress(epoch, config.epochs)

    settings = FitConfig(
        steps * config.epochs, config.learning_rate, "cosine", evaluate_every=steps, patience=config.patience
    )
    state = fit(
        network, batch, _objective, settings, evaluate,
        lambda figures: (-figures.get("validation_loss", figures["train_loss"]),), on_evaluation=logged,
    )  # fmt: skip
    return len(state.history), present / max(seen, 1)


def _objective(network: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    return {"loss": F.binary_cross_entropy_with_logits(network(batch[0]), batch[1])}


def _flipped(pictures: Tensor) -> Tensor:
    """Each of [N, C, H, W] mirrored or not, by the toss of a coin: faces have no side."""
    mirrored = torch.rand(len(pictures)) < 0.5
    return torch.where(mirrored[:, None, None, None], pictures.flip(3), pictures)


def _held_parts(packed: Path, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All pictures of a split once, in batches, with their attributes."""
    with Batches(packed, BatchOptions(split=split, condition="attributes")) as held:
        left = len(held)
        while left:
            images, attributes = held.next(min(left, _BATCH))
            left -= len(images)
            if attributes is not None:
                yield images, attributes


@torch.inference_mode()
def _loss(network: AttributeNet, packed: Path, split: str | None) -> float | None:
    """Mean cross-entropy (nats per attribute) on a split, or None where there is none."""
    if split is None:
        return None
    network.eval()
    total, count = 0.0, 0
    for images, attributes in _held_parts(packed, split):
        logits = network(to_tensor(images))
        total += float(
            F.binary_cross_entropy_with_logits(logits, torch.from_numpy(attributes), reduction="sum")
        )
        count += attributes.size
    return total / count


def _scores(
    reader: AttributeReader, packed: Path, split: str, share: NDArray[np.float64]
) -> tuple[AttributeScore, ...]:
    pairs = [
        (reader.probabilities(images) > 0.5, wanted > 0.5) for images, wanted in _held_parts(packed, split)
    ]
    read, wanted = (np.concatenate(column) for column in zip(*pairs, strict=True))
    right = read == wanted
    scores = []
    for k, name in enumerate(reader.names):
        positive = wanted[:, k]
        both = positive.any() and not positive.all()
        balanced = float(right[positive, k].mean() + right[~positive, k].mean()) / 2 if both else None
        majority = float((positive == (share[k] > 0.5)).mean())
        scores.append(AttributeScore(name, wilson(int(right[:, k].sum()), len(right)), majority, balanced))
    return tuple(scores)


def _split_counts(packed: Path) -> NDArray[np.int64]:
    with open_packed(packed) as (_, facts):
        return np.bincount(np.asarray(facts.split), minlength=3)


def _validation_split(packed: Path) -> str | None:
    return "validation" if _split_counts(packed)[1] else None


def _held_out_split(packed: Path) -> str:
    """The split whose scores are reported."""
    counts = _split_counts(packed)
    held = next((name for k, name in ((2, "test"), (1, "validation")) if counts[k]), None)
    if held is None:
        raise CaptchaLabError(f"{packed} holds nothing out for a test: prepare it with more pictures.")
    return held
