"""A trained network that classifies single pictures: glyphs, digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.recognise.networks.lenet import ARCHITECTURE, GlyphNetwork, LeNet
from captcha_lab.recognise.restore import described, restore
from captcha_lab.recognise.tensors import SCALING, to_tensor
from captcha_lab.store.runs import Run, all_runs, load_weights

BATCH = 1024  # pictures through the network at a time


class Classifier:
    """A `GlyphClassifier` by a network; `load` is how to get a stored one.

    Args:
        network: trained.
        classes: names of its K classes.
        size: side in pixels of the square pictures it takes.
    """

    def __init__(self, network: GlyphNetwork, classes: tuple[str, ...], size: int) -> None:
        self.network = network.eval()
        self.classes = classes
        self.size = size

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.classes)} classes, {self.size}x{self.size} pixels)"

    @classmethod
    def load(cls, path: Path | str) -> Classifier:
        """Rebuild a LeNet from a run folder or a model file alone.

        Raises:
            CaptchaLabError: the file is absent, damaged, or another kind of model.
        """
        network, facts = restore(Path(path), "a classifier of glyphs", ARCHITECTURE, {SCALING}, lenet_of)
        with described(Path(path)):
            return cls(network, tuple(facts["classes"]), int(facts["size"]))

    def probabilities(self, glyphs: np.ndarray) -> NDArray[np.float32]:
        """Class probabilities: uint8 [N, size, size] (or [N, size, size, 3]) to float32 [N, K]."""
        return self.logits(glyphs).softmax(1).numpy()

    @torch.inference_mode()
    def logits(self, glyphs: np.ndarray) -> torch.Tensor:
        """Scores before the softmax: uint8 as above to float32 [N, K]."""
        parts = [self.network(to_tensor(part)) for part in self._parts(glyphs)]
        return torch.cat(parts) if parts else torch.empty(0, len(self.classes))

    def features(self, glyphs: np.ndarray) -> NDArray[np.float32]:
        """Penultimate activations: uint8 as above to float32 [N, F]."""
        return self.examine(glyphs)[0]

    @torch.inference_mode()
    def examine(self, glyphs: np.ndarray) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Features and most probable classes in one pass: uint8 as above to float32 [N, F] and int64 [N]."""
        features = [np.empty((0, self.network.hidden.out_features), np.float32)]
        classes = [np.empty(0, np.int64)]
        for part in self._parts(glyphs):
            seen = self.network.features(to_tensor(part))
            features.append(seen.numpy())
            classes.append(self.network.output(seen).argmax(1).numpy())
        return np.concatenate(features), np.concatenate(classes)

    def _parts(self, glyphs: np.ndarray) -> list[np.ndarray]:
        if glyphs.shape[1:3] != (self.size, self.size):
            raise CaptchaLabError(
                f"The recogniser reads glyphs of {self.size}x{self.size} pixels, not "
                f"{glyphs.shape[2]}x{glyphs.shape[1]}: cut them with --size {self.size} or train anew."
            )
        return [glyphs[start : start + BATCH] for start in range(0, len(glyphs), BATCH)]


def fitting_classifier(
    models: Path, classes: tuple[str, ...], shape: tuple[int, ...]
) -> tuple[Classifier, Run] | None:
    """The newest stored classifier of pictures of such a shape, and its run; None where there is none.

    Args:
        models: folder of runs.
        classes: names of the classes it must read; empty: any.
        shape: (H, W) or (H, W, 3) of the pictures.
    """
    for run in reversed(all_runs(models, "recogniser")):
        if not run.weights.is_file() or load_weights(run.weights)[1]["architecture"] != ARCHITECTURE:
            continue
        found = Classifier.load(run.root)
        if (found.size, found.size) == shape[:2] and (not classes or found.classes == classes):
            return found, run
    return None


def lenet_of(facts: dict[str, Any]) -> LeNet:
    """The untrained LeNet that a model file's metadata describes."""
    return LeNet(len(facts["classes"]), int(facts["size"]), int(facts["channels"]))
