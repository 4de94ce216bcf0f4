"""The independent judge, and the counter-reader that shows how far its word goes.

The workspace's recogniser learns from every labelled training captcha, because it reads best so, and picks the
checkpoints of generators. Neither holds for these two: each learns from a half of these captchas that shares no
captcha and no picture with the other's, and no training and no choice of a checkpoint ever asks them. The judge is
another network with another seed; the counter-reader is the recogniser's own network, trained as `train` does it.
Where the two read a sample differently, what it shows is doubtful.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.glyphs import captcha_of
from captcha_lab.evaluate.judging.halves import two_halves
from captcha_lab.evaluate.readers import SampleReader
from captcha_lab.evaluate.real import RealData
from captcha_lab.metrics.accuracy import glyph_accuracy
from captcha_lab.metrics.intervals import Share
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.classifier import Classifier
from captcha_lab.recognise.classify import EPOCH, train_classifier
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.recognise.networks.lenet import ARCHITECTURE, GlyphNetwork, LeNet
from captcha_lab.recognise.restore import restore
from captcha_lab.recognise.tensors import SCALING
from captcha_lab.store.packed.packed import UNLABELLED, PackedSet
from captcha_lab.store.runs import Run, all_runs, save_weights

# Far from every seed a user would give, so that no recogniser starts from the judge's weights.
SEED = 7_919_000
FEATURES = 128


class JudgeNet(GlyphNetwork):
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


@dataclass(frozen=True)
class Role:
    """One of the two.

    Attributes:
        kind: its name, also the kind of its run.
        architecture: of its network.
        half: of the training captchas, 0 or 1.
        training: how it is trained.
        suffix: of the keys of its figures.
        column: head of its column in the terminal's table; empty: only the report shows it.
        features: names its features where distances are measured in them.
    """

    kind: str
    architecture: str
    half: int
    training: ClassifierConfig
    suffix: str
    column: str = ""
    features: str = ""

    def build(self, classes: int, size: int, channels: int) -> GlyphNetwork:
        """The untrained network."""
        return (
            LeNet(classes, size, channels)
            if self.architecture == ARCHITECTURE
            else JudgeNet(classes, channels)
        )


MOST_SEEN = 100_000  # glyphs in training: small sets are seen in every epoch, MNIST in ten parts
# No real glyph outside its half chooses an epoch: patience is by the training loss.
JUDGE = Role(
    "judge", "judge-conv3", 0, ClassifierConfig(patience=40, batch_size=32, learning_rate=2e-3, seed=SEED),
    "judge", "judge", "judge",
)  # fmt: skip
COUNTER = Role("counter-reader", ARCHITECTURE, 1, ClassifierConfig(seed=SEED + 1), "counter")


class SecondReader(Classifier):
    """A trained judge or counter-reader.

    Attributes:
        accuracy: share of held-out real glyphs that it reads rightly.
        captchas: training captchas in its half.
        glyphs: training glyphs it learned from.
    """

    def __init__(
        self,
        network: GlyphNetwork,
        classes: tuple[str, ...],
        size: int,
        accuracy: Share,
        learned: tuple[int, int],
    ) -> None:
        super().__init__(network, classes, size)
        self.accuracy = accuracy
        self.captchas, self.glyphs = learned

    def as_reader(self, role: Role) -> SampleReader:
        """This reader in its role among the readers of an evaluation."""
        learned = f"Learned from {self.glyphs:,} glyphs of {self.captchas:,} captchas or pictures"
        return SampleReader(
            (self,), role.suffix, role.column, f"{learned}; no training and no choice of a checkpoint asks it.",
            role.features, independent=True, accuracy=self.accuracy,
        )  # fmt: skip


def train_second(role: Role, data: PackedSet, *, progress: PhaseProgress = no_progress) -> SecondReader:
    """Train the judge or the counter-reader on its half of a labelled packed set.

    Raises:
        CaptchaLabError: the half holds fewer than two classes.
    """
    rows = two_halves(data, SEED)[role.half]
    mine = data.take(rows)
    each = min(max(len(mine), 1), EPOCH)
    config = replace(role.training, epochs=min(role.training.epochs, math.ceil(MOST_SEEN / each)))
    if mine.labels is None or len(np.unique(mine.labels)) < 2:
        raise CaptchaLabError(
            f"Too few labelled glyphs for a {role.kind}: label more, or evaluate with --no-judge."
        )
    size, channels = mine.images.shape[1], 3 if mine.images.ndim == 4 else 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)  # initial weights and dropout
        network = role.build(len(data.classes), size, channels)
        train_classifier(
            network, mine.images, mine.labels, None, config,
            lambda scalars: progress(f"training the {role.kind}", scalars["epoch"], config.epochs),
        )  # fmt: skip
    real = RealData.from_packed(data)
    read = Classifier(network, data.classes, size).examine(real.held)[1]
    captchas = len(np.unique(captcha_of(data)[rows]))
    return SecondReader(
        network,
        data.classes,
        size,
        glyph_accuracy(np.asarray(real.held_conditions), read),
        (captchas, len(mine)),
    )


def ensure_second(
    role: Role, data: PackedSet, models: Path, *, progress: PhaseProgress = no_progress
) -> tuple[SecondReader, Run]:
    """The judge or counter-reader of exactly these labelled glyphs: the stored one, else a new one, stored.

    Raises:
        CaptchaLabError: see `train_second`; or the disk refuses.
    """
    known = stored_second(role, data, models)
    if known is not None:
        return load_second(role, known.weights), known
    reader = train_second(role, data, progress=progress)
    run = Run.create(models, role.kind, None, _wanted(role, data))
    metadata: dict[str, Any] = {
        "architecture": role.architecture,
        "classes": list(reader.classes),
        "size": reader.size,
        "channels": 3 if data.images.ndim == 4 else 1,
        "scaling": SCALING,
        "accuracy": reader.accuracy,
        "learned": [reader.captchas, reader.glyphs],
        "segmenter": None,
        "data": data.info,
    }
    save_weights(run.weights, reader.network.state_dict(), metadata)
    return reader, run


def independent_readers(
    data: PackedSet, models: Path, *, progress: PhaseProgress = no_progress
) -> tuple[dict[str, SampleReader], list[str]]:
    """The judge and the counter-reader of exactly these labelled glyphs by name, and notes for the report.

    Raises:
        CaptchaLabError: see `train_second`; or the disk refuses.
    """
    found = {role: ensure_second(role, data, models, progress=progress) for role in (JUDGE, COUNTER)}
    kind = "captchas" if data.info.get("kind") == "captcha" else "images"
    notes = [
        what_each_saw(found[JUDGE][0], found[COUNTER][0], kind),
        f"The judge is run {found[JUDGE][1].name}, the counter-reader {found[COUNTER][1].name}.",
    ]
    return {role.kind: reader.as_reader(role) for role, (reader, _) in found.items()}, notes


def stored_second(role: Role, data: PackedSet, models: Path) -> Run | None:
    """The run that was trained as this one would be, on exactly these labelled glyphs; or None."""
    wanted = _wanted(role, data)
    for run in reversed(all_runs(models, role.kind)):
        if {key: run.config().get(key) for key in wanted} == wanted and run.weights.is_file():
            return run
    return None


def load_second(role: Role, path: Path) -> SecondReader:
    """Rebuild a stored judge or counter-reader.

    Raises:
        CaptchaLabError: the file is absent, damaged or holds another model.
    """

    def build(facts: dict[str, Any]) -> GlyphNetwork:
        return role.build(len(facts["classes"]), int(facts["size"]), int(facts["channels"]))

    network, facts = restore(path, f"a {role.kind}", role.architecture, {SCALING}, build)
    captchas, glyphs = facts["learned"]
    return SecondReader(
        network, tuple(facts["classes"]), int(facts["size"]), Share(*facts["accuracy"]), (captchas, glyphs)
    )


def _wanted(role: Role, data: PackedSet) -> dict[str, Any]:
    """What a stored run must have been trained on, and how: the labelled glyphs by content, not by name."""
    rows = np.ones(len(data), bool) if data.labels is None else data.labels != UNLABELLED
    digest = hashlib.blake2b(repr(data.classes).encode(), digest_size=16)
    for column in (data.images, data.labels, data.split, captcha_of(data)):
        if column is not None:
            digest.update(np.ascontiguousarray(column[rows]).tobytes())
    return {
        "architecture": role.architecture,
        "training": asdict(role.training),
        "glyphs": digest.hexdigest(),
    }


def what_each_saw(judge: SecondReader, counter: SecondReader, kind: str = "captchas") -> str:
    """One sentence on whose training data was what; `kind` of images."""
    return (
        f"The recogniser learns from every labelled training glyph, as generators do; the judge learned from "
        f"{judge.glyphs:,} glyphs of {judge.captchas:,} {kind} and the counter-reader from {counter.glyphs:,} glyphs "
        f"of {counter.captchas:,} others (the halves share neither {kind} nor pictures), and neither of these two "
        "is asked while anything is trained or chosen."
    )
