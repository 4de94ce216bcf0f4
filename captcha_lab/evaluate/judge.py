"""The independent judge: a second recogniser that no training and no choice of checkpoint ever asks.

It has another architecture and seed than the workspace's recogniser and learns from one half of the training
captchas, drawn by their numbers; the other half it never sees. A generator can therefore not have been tuned to
its mistakes, and where recogniser and judge read a sample differently the sample is doubtful.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.subject import Images, Progress, RealData, silent
from captcha_lab.metrics.accuracy import glyph_accuracy
from captcha_lab.metrics.intervals import Share
from captcha_lab.recognise.config import TrainConfig
from captcha_lab.recognise.tensors import SCALING, to_tensor
from captcha_lab.recognise.train import fit
from captcha_lab.store.packed import UNLABELLED, PackedSet
from captcha_lab.store.runs import Run, all_runs, load_weights, save_weights

ARCHITECTURE = "judge-conv3"
KIND = "judge"
# Far from every seed a user would give, so that no recogniser starts from the judge's weights.
SEED = 7_919_000
FEATURES = 128
EPOCHS = 24
_BATCH = 1000


class JudgeNet(nn.Module):
    """Four 3x3 convolutions in two stages, pooled to 5x5 cells and then to 128 features; unlike the LeNet's 5x5.

    Args:
        classes: K.
        channels: 1 for grey, 3 for RGB; images of any size from 8 pixels.
    """

    def __init__(self, classes: int, channels: int = 1) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(16, 24, 3, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(24, 40, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(40, 48, 3, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            nn.AdaptiveAvgPool2d(5),
            nn.Flatten(),
        )
        self.dropout = nn.Dropout(0.25)
        self.hidden = nn.Linear(48 * 25, FEATURES)
        self.output = nn.Linear(FEATURES, classes)

    def features(self, glyphs: Tensor) -> Tensor:
        """[N, C, H, W] in [0, 1] to [N, 128]."""
        return torch.tanh(self.hidden(self.dropout(self.stages(glyphs))))

    def forward(self, glyphs: Tensor) -> Tensor:
        """Logits [N, K]."""
        return self.output(self.features(glyphs))


class Judge:
    """A trained judge; reads as `captcha_lab.recognise.read.Recogniser` does."""

    def __init__(
        self, network: JudgeNet, classes: tuple[str, ...], size: int, accuracy: Share | None
    ) -> None:
        self.network, self.classes, self.size = network.eval(), classes, size
        self.accuracy = accuracy  # on held-out distinct glyphs

    @torch.inference_mode()
    def probabilities(self, glyphs: Images) -> NDArray[np.float32]:
        """uint8 [N, size, size] to float32 [N, K]."""
        parts = [torch.softmax(self.network(to_tensor(part)), 1).numpy() for part in _parts(glyphs)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.classes)), np.float32)

    @torch.inference_mode()
    def features(self, glyphs: Images) -> NDArray[np.float32]:
        """uint8 [N, size, size] to float32 [N, 128]."""
        parts = [self.network.features(to_tensor(part)).numpy() for part in _parts(glyphs)]
        return np.concatenate(parts) if parts else np.empty((0, FEATURES), np.float32)


def _parts(glyphs: Images) -> list[Images]:
    return [glyphs[start : start + _BATCH] for start in range(0, len(glyphs), _BATCH)]


def judge_half(data: PackedSet, seed: int = SEED) -> NDArray[np.bool_]:
    """Which rows [N] the judge learns from: half of the labelled training captchas, whole captchas only."""
    train = (data.split == 0) & (data.labels != UNLABELLED) if data.labels is not None else data.split == 0
    groups = np.arange(len(data))
    if data.source is not None and data.info.get("kind") == "captcha":
        groups = data.source // 256
    names = np.unique(groups[train])
    chosen = np.random.default_rng(seed).permutation(names)[: (len(names) + 1) // 2]
    return np.asarray(train & np.isin(groups, chosen))


def train_judge(
    data: PackedSet, *, epochs: int = EPOCHS, seed: int = SEED, progress: Progress = silent
) -> Judge:
    """Train a judge on its half of a labelled packed set.

    Raises:
        CaptchaLabError: the half holds fewer than two classes.
    """
    mine = data.take(judge_half(data, seed))
    if mine.labels is None or len(np.unique(mine.labels)) < 2:
        raise CaptchaLabError("Too few labelled glyphs for a judge: label more, or evaluate with --no-judge.")
    validation = data.part("validation", labelled=True, distinct=True)
    size, channels = mine.images.shape[1], 3 if mine.images.ndim == 4 else 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # initial weights and dropout
        network = JudgeNet(len(data.classes), channels)
        held = None if validation.labels is None else (validation.images, validation.labels)
        fit(
            network, mine.images, mine.labels, held,
            TrainConfig(epochs=epochs, seed=seed, learning_rate=2e-3, patience=epochs),
            lambda scalars: progress("training the judge", scalars["epoch"], epochs),
        )  # fmt: skip
    judge = Judge(network, data.classes, size, None)
    real = RealData.from_packed(data)
    judge.accuracy = glyph_accuracy(real.held_conditions, judge.probabilities(real.held).argmax(axis=1))  # type: ignore[arg-type]
    return judge


def _wanted(data: PackedSet) -> dict[str, Any]:
    """What a stored judge must have been trained on to serve this data."""
    return {"data": data.info, "rows": len(data), "seed": SEED, "architecture": ARCHITECTURE}


def stored_judge(data: PackedSet, models: Path) -> Run | None:
    """The run of a judge trained on exactly this state of the data, or None."""
    wanted = _wanted(data)
    for run in reversed(all_runs(models, KIND)):
        if {key: run.config().get(key) for key in wanted} == wanted and run.weights.is_file():
            return run
    return None


def ensure_judge(
    data: PackedSet, models: Path, *, epochs: int = EPOCHS, progress: Progress = silent
) -> tuple[Judge, Run]:
    """The judge of this state of the data: the stored one, else a new one that is stored in `models`.

    Raises:
        CaptchaLabError: see `train_judge`; or the disk refuses.
    """
    known = stored_judge(data, models)
    if known is not None:
        return load_judge(known.weights), known
    judge = train_judge(data, epochs=epochs, progress=progress)
    run = Run.create(models, KIND, None, _wanted(data))
    metadata: dict[str, Any] = {
        "architecture": ARCHITECTURE,
        "classes": list(judge.classes),
        "size": judge.size,
        "channels": judge.network.stages[0].in_channels,
        "scaling": SCALING,
        "accuracy": judge.accuracy,
        "data": data.info,
    }
    save_weights(run.weights, judge.network.state_dict(), metadata)
    return judge, run


def load_judge(path: Path) -> Judge:
    """Rebuild a stored judge.

    Raises:
        CaptchaLabError: the file is absent, damaged or holds another model.
    """
    tensors, metadata = load_weights(path)
    if metadata["architecture"] != ARCHITECTURE or metadata.get("scaling") != SCALING:
        raise CaptchaLabError(f"{path} holds a {metadata['architecture']}, not a judge: remove that run.")
    network = JudgeNet(len(metadata["classes"]), metadata["channels"])
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise CaptchaLabError(
            f"The judge {path} does not fit its own description: remove that run."
        ) from error
    accuracy = metadata.get("accuracy")
    return Judge(
        network, tuple(metadata["classes"]), int(metadata["size"]), Share(*accuracy) if accuracy else None
    )
