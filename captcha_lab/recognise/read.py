"""Reading: captchas in, text and confidence out, exactly as training saw them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from captcha_lab.errors import CaptchaLabError
from captcha_lab.recognise.lenet import ARCHITECTURE, GlyphNetwork, LeNet
from captcha_lab.recognise.restore import restore
from captcha_lab.recognise.tensors import SCALING, to_tensor
from captcha_lab.segment import Segmenter
from captcha_lab.store.images import decode, read_image

BATCH = 1024  # glyphs through the network at a time


@dataclass(frozen=True)
class Reading:
    """One captcha's text, with the probability (0 … 1) of each character read."""

    text: str
    confidences: tuple[float, ...]

    @property
    def confidence(self) -> float:
        """Probability that the whole text is right, were the characters independent."""
        return float(np.prod(self.confidences))


class Recogniser:
    """A trained recogniser with its alphabet and segmenter; `load` is how to get one."""

    def __init__(
        self, network: GlyphNetwork, classes: tuple[str, ...], size: int, segmenter: Segmenter | None
    ) -> None:
        self.network = network.eval()
        self.classes = classes
        self.size = size
        self.segmenter = segmenter

    @classmethod
    def load(cls, path: Path | str) -> Recogniser:
        """Rebuild a recogniser from a run folder or a model file alone.

        Raises:
            CaptchaLabError: the file is absent, damaged, or another kind of model.
        """

        def build(facts: dict[str, Any]) -> LeNet:
            _segmenter(facts)  # a damaged description is said as such
            return LeNet(len(facts["classes"]), int(facts["size"]), int(facts["channels"]))

        network, facts = restore(Path(path), "a recogniser", ARCHITECTURE, SCALING, build)
        return cls(network, tuple(facts["classes"]), int(facts["size"]), _segmenter(facts))

    @torch.inference_mode()
    def probabilities(self, glyphs: np.ndarray) -> np.ndarray:
        """Class probabilities of glyphs: uint8 [N, size, size] (or [N, size, size, 3]) to float32 [N, K]."""
        parts = [torch.softmax(self.network(to_tensor(part)), 1).numpy() for part in self._parts(glyphs)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.classes)), np.float32)

    @torch.inference_mode()
    def features(self, glyphs: np.ndarray) -> np.ndarray:
        """Penultimate activations of glyphs: uint8 as above to float32 [N, 500]."""
        return self.examine(glyphs)[0]

    @torch.inference_mode()
    def examine(self, glyphs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features and most probable classes in one pass: uint8 as above to float32 [N, 500] and int64 [N]."""
        features = [np.empty((0, self.network.hidden.out_features), np.float32)]
        classes = [np.empty(0, np.int64)]
        for part in self._parts(glyphs):
            seen = self.network.features(to_tensor(part))
            features.append(seen.numpy())
            classes.append(self.network.output(seen).argmax(1).numpy())
        return np.concatenate(features), np.concatenate(classes)

    def read(self, images: Sequence[np.ndarray]) -> list[Reading]:
        """Texts of captchas of any sizes: uint8 [H, W] or RGB [H, W, 3] each.

        Raises:
            CaptchaLabError: the model reads single pictures (digits, faces), not captchas.
        """
        if self.segmenter is None:
            raise CaptchaLabError("This model was trained on single pictures and cannot cut captchas.")
        if len(images) == 0:
            return []
        boxes = self.segmenter.boxes(images)
        probabilities = self.probabilities(self.segmenter.crop(images, boxes))
        best, sure = probabilities.argmax(axis=1).tolist(), probabilities.max(axis=1).tolist()
        ends = np.cumsum([0, *(len(own) for own in boxes)]).tolist()
        return [
            Reading("".join(self.classes[k] for k in best[a:b]), tuple(sure[a:b])) for a, b in pairwise(ends)
        ]

    def read_bytes(self, files: Sequence[bytes]) -> list[Reading]:
        """Texts of captchas as encoded image files (see `store.images.decode` for errors)."""
        return self.read([decode(data) for data in files])

    def _parts(self, glyphs: np.ndarray) -> list[np.ndarray]:
        if glyphs.shape[1:3] != (self.size, self.size):
            raise CaptchaLabError(
                f"The recogniser reads glyphs of {self.size}x{self.size} pixels, not "
                f"{glyphs.shape[2]}x{glyphs.shape[1]}: cut them with --size {self.size} or train anew."
            )
        return [glyphs[start : start + BATCH] for start in range(0, len(glyphs), BATCH)]


def _segmenter(facts: dict[str, Any]) -> Segmenter | None:
    return Segmenter.from_dict(facts["segmenter"]) if facts["segmenter"] else None


@dataclass(frozen=True)
class FileReading:
    """One file's text, with the probability of each character."""

    file: str
    text: str
    confidences: tuple[float, ...]


@dataclass(frozen=True)
class ReadReport:
    """What `read_files` read, what it could not and why, and how fast it was (wall-clock seconds)."""

    readings: list[FileReading]
    unreadable: list[str]
    seconds: float


def read_files(
    recogniser: Recogniser,
    paths: Sequence[Path],
    progress: Callable[[int, int], None] = lambda done, total: None,
    batch: int = 256,
) -> ReadReport:
    """Read image files, and the files in folders (recursively, by name), in batches.

    A file that is no image is reported and the rest goes on.

    Raises:
        CaptchaLabError: a named path does not exist, or a folder holds no file.
    """
    files = [file for path in paths for file in files_in(path)]
    readings: list[FileReading] = []
    problems: list[str] = []
    started = time.perf_counter()
    for start in range(0, len(files), batch):
        decoded: list[tuple[Path, np.ndarray]] = []
        for file in files[start : start + batch]:
            try:
                decoded.append((file, read_image(file)))
            except CaptchaLabError as error:
                problems.append(str(error))
        for (file, _), reading in zip(decoded, recogniser.read([image for _, image in decoded]), strict=True):
            readings.append(FileReading(str(file), reading.text, reading.confidences))
        progress(min(start + batch, len(files)), len(files))
    return ReadReport(readings, problems, time.perf_counter() - started)


def files_in(path: Path) -> list[Path]:
    """The path itself, or all files under a folder in the order of their names.

    Raises:
        CaptchaLabError: it does not exist, or the folder is empty.
    """
    if not path.exists():
        raise CaptchaLabError(f"{path} does not exist: name image files or folders of them.")
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    if not found:
        raise CaptchaLabError(f"The folder {path} holds no files.")
    return found
