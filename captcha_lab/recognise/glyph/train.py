"""Training the glyph reader: the thesis's LeNet on labelled glyphs, and what to know about the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from captcha_lab.errors import CaptchaLabError
from captcha_lab.metrics.accuracy import glyph_accuracy
from captcha_lab.metrics.intervals import Share, share_of
from captcha_lab.parallel import ALONE, Group
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.classifier import Classifier
from captcha_lab.recognise.classify import build_lenet, readings, train_classifier
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.recognise.contract import Reading
from captcha_lab.recognise.glyph.reader import KIND, ONLY_JUDGES, GlyphReader, cut_by_reader
from captcha_lab.recognise.networks.lenet import ARCHITECTURE, LeNet
from captcha_lab.recognise.registry import ReaderReport
from captcha_lab.recognise.tensors import SCALING
from captcha_lab.segment import Segmenter
from captcha_lab.store.board import open_board
from captcha_lab.store.packed.packed import PackedSet
from captcha_lab.store.packed.texts import TextSet
from captcha_lab.store.runs import Run, save_weights

FEW = 5  # training examples; a class with fewer gets a warning
MIN_VALIDATION = 30  # distinct glyphs; with fewer the best epoch would be chosen by chance
MEMORISED_GAP = 0.10  # training accuracy 100 % and validation lower by more: said as over-fitting
TEMPERATURES = np.geomspace(1, 5, 40)


def train_glyph_reader(
    data: PackedSet,
    models: Path,
    config: ClassifierConfig | None = None,
    name: str | None = None,
    texts: TextSet | None = None,
    progress: PhaseProgress = no_progress,
    group: Group = ALONE,
) -> ReaderReport:
    """Train the thesis's LeNet on a packed set and leave a run folder.

    The run holds `metrics.jsonl`, TensorBoard scalars, `curves.png` and the weights of the best epoch. An unfinished
    run of that name goes on from its checkpoint.

    Args:
        data: the glyph view, or single labelled pictures.
        models: folder of runs.
        config: see `ClassifierConfig`.
        name: of the run; by date where None.
        texts: the text view of the same captchas, on which whole captchas are counted; None for single pictures.
        progress: called after each epoch.
        group: the processes that train it together.

    Raises:
        CaptchaLabError: there are too few labelled glyphs to train on.
    """
    config = config or ClassifierConfig()
    train, validation = data.part("train", labelled=True), _held_out(data)
    if data.labels is None or len(np.unique(_labels(train))) < 2:
        raise CaptchaLabError(
            f"Only {len(train)} labelled training glyphs of fewer than two classes: give labels with "
            "`captcha-lab label` or `captcha-lab import PATH --labels filename`."
        )
    size, channels = train.images.shape[1], 3 if train.images.ndim == 4 else 1
    network = build_lenet(len(data.classes), size, channels, config.seed)
    if config.start:
        start_from(network, data.classes, config.start)
    run = Run.continued(
        models, "recogniser", name, {"reader": KIND, "train": asdict(config), "data": data.info}
    )
    started = time.perf_counter()

    resumed = run.resume.is_file()

    def logged(scalars: dict[str, Any]) -> None:
        nonlocal resumed
        if resumed:  # what was logged after the checkpoint is about to be logged again
            run.cut_history("epoch", scalars["epoch"] - 1)
            resumed = False
        run.log(**scalars)
        progress(
            "training the glyph reader", scalars["epoch"], config.epochs, f"loss {scalars['train_loss']:.3f}"
        )

    pair = validation.images, _labels(validation)
    history = train_classifier(network, train.images, _labels(train), pair, config, logged, run.resume, group)
    seconds = time.perf_counter() - started
    classifier = Classifier(network, data.classes, size)
    temperature = calibrated(classifier, validation)
    save_weights(
        run.weights,
        network.state_dict(),
        {
            "architecture": ARCHITECTURE,
            "classes": list(data.classes),
            "size": size,
            "channels": channels,
            "scaling": SCALING,
            "segmenter": data.info.get("segmenter"),
            "temperature": temperature,
            "data": data.info,
        },
    )
    _draw(run, history)
    report = _report(run, classifier, data, texts, temperature, seconds)
    run.log(
        summary=True,
        **report.glyphs,
        **{f"{split}_captchas": getattr(report, split) for split in ("train", "validation", "test")},
        warnings=report.warnings,
    )
    run.resume.unlink(missing_ok=True)
    return report


def start_from(network: LeNet, classes: tuple[str, ...], path: str) -> None:
    """Give an untrained network the weights of a trained one; classes that one does not know stay untrained.

    Raises:
        CaptchaLabError: the trained one reads glyphs of another size or in another number of colours.
    """
    trained = Classifier.load(path)
    weights, fresh = trained.network.state_dict(), network.state_dict()
    rows = {name: k for k, name in enumerate(trained.classes)}
    for key in ("output.weight", "output.bias"):
        known, weights[key] = weights[key], fresh[key].clone()
        for k, name in enumerate(classes):
            if name in rows:
                weights[key][k] = known[rows[name]]
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CaptchaLabError(
            f"{path} reads glyphs of {trained.size}x{trained.size} pixels, this dataset's are others: cut them with "
            f"`captcha-lab segment --size {trained.size}`, or train without --from."
        ) from error


def _labels(part: PackedSet) -> np.ndarray:
    return np.empty(0, np.int16) if part.labels is None else part.labels


def _held_out(data: PackedSet) -> PackedSet:
    """The validation glyphs that occur in no training glyph; all of them where that leaves too few to choose by."""
    distinct = data.part("validation", labelled=True, distinct=True)
    return distinct if len(distinct) >= MIN_VALIDATION else data.part("validation", labelled=True)


def calibrated(classifier: Classifier, held_out: PackedSet) -> float:
    """The temperature at which probabilities on held-out glyphs are most truthful (Guo et al. 2017).

    It is at least 1, because a validation without a mistake would ask for certainty, and 1 where nothing is held out.
    """
    logits, labels = classifier.logits(held_out.images), torch.from_numpy(_labels(held_out).astype(np.int64))
    nats = [float(F.cross_entropy(logits / t, labels, reduction="sum")) for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(nats))])


def _report(
    run: Run,
    classifier: Classifier,
    data: PackedSet,
    texts: TextSet | None,
    temperature: float,
    seconds: float,
) -> ReaderReport:
    def glyphs(part: PackedSet) -> Share | None:
        if not len(part):
            return None
        return glyph_accuracy(_labels(part), readings(classifier.network, part.images))

    train = data.part("train", labelled=True)
    found = {
        "train": glyphs(train),
        "validation": glyphs(_held_out(data)),
        "test": glyphs(data.part("test", labelled=True)),
        # Test glyphs whose shape occurs in no training glyph.
        "test_distinct": glyphs(data.part("test", labelled=True, distinct=True)),
    }
    counts = np.bincount(_labels(train), minlength=len(data.classes))
    captchas: dict[str, Share | None] = {}
    judge = cut_by_reader(data.info)
    if texts is not None and not judge:
        reader = GlyphReader(classifier, Segmenter.from_dict(data.info["segmenter"]), temperature)
        captchas = {
            split: read_right(reader.read, texts.part(split)) for split in ("train", "validation", "test")
        }
    return ReaderReport(
        run=run,
        kind=KIND,
        seconds=seconds,
        train=captchas.get("train"),
        validation=captchas.get("validation"),
        test=captchas.get("test"),
        glyphs=found,
        warnings=[ONLY_JUDGES] * judge
        + warnings_for(found["train"] or share_of([]), found["validation"], counts, data.classes),
    )


def read_right(read: Callable[[Sequence[np.ndarray]], list[Reading]], part: TextSet) -> Share | None:
    """Share of captchas whose whole text is read as labelled; None where there are none."""
    if not len(part):
        return None
    return share_of(
        [reading.text == text for reading, text in zip(read(part.images), part.texts, strict=True)]
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
    few = [f"{name} ({count})" for name, count in zip(classes, counts, strict=True) if 0 < count < FEW]
    if few:
        found.append(f"Fewer than {FEW} training glyphs of {', '.join(few)}: label more of these.")
    return found


def _draw(run: Run, history: list[dict[str, Any]]) -> None:
    from captcha_lab.recognise.curves import draw_curves

    draw_curves(run.root / "curves.png", history)
    board = open_board(run.tensorboard)
    if board is not None:
        for scalars in history:
            board.readers(scalars, scalars["epoch"])
        board.close()
