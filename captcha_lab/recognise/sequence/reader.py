"""The sequence reader: whole captchas of any size, length and alphabet, read column by column."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from captcha_lab.recognise.codec.ctc import Decoded, decode
from captcha_lab.recognise.contract import Box, Reading
from captcha_lab.recognise.networks.sequence import LEAST_HEIGHT, STRIDE, SequenceNetwork
from captcha_lab.recognise.restore import described, restore
from captcha_lab.recognise.sequence.columns import HEIGHTS, Scaling, columns_of, to_batch
from captcha_lab.store.pixels import pictures

MAX_LENGTH, MAX_STRETCH, MAX_RESIDUALS = 1000, 100.0, 100  # beyond any reader that is trained here
KIND = "sequence"
ARCHITECTURE = "crnn-ctc"
BATCH = 32  # captchas through the network at a time: their activations stay in a core's cache
MULTIPLE = (
    16  # pixels; pictures whose widths round up to the same go together, so no reading depends on the others
)


@dataclass(frozen=True)
class SequenceFacts:
    """What rebuilds a sequence reader beside its weights.

    Attributes:
        classes: the characters it reads, in the order of its outputs.
        forms: of each class, the characters whose pictures it stands for, such as "aA" where labels are folded.
        lengths: numbers of characters that texts have; any where empty. The empty text is always possible.
        stretch: factor of the pictures' width, for texts that need more columns than their pictures have.
        height: pixels that pictures are scaled to; the more, the finer they are seen and the longer it takes.
        temperature: divides the scores; makes confidences probabilities.
        residuals: residual convolutions of the network; a reader started from another one has as many.
    """

    classes: tuple[str, ...]
    forms: tuple[str, ...]
    lengths: tuple[int, ...] = ()
    stretch: float = 1.0
    temperature: float = 1.0
    residuals: int = 0
    height: int = LEAST_HEIGHT

    @classmethod
    def from_metadata(cls, metadata: dict[str, Any]) -> SequenceFacts:
        """The facts as `metadata` wrote them.

        Raises:
            ValueError: they are no reader's. (KeyError, TypeError: one is missing or of another type.)
        """
        facts = cls(
            tuple(metadata["classes"]),
            tuple(metadata["forms"]),
            tuple(int(n) for n in metadata["lengths"]),
            float(metadata["stretch"]),
            float(metadata["temperature"]),
            int(metadata.get("residuals", 0)),
            int(metadata.get("height", LEAST_HEIGHT)),
        )
        characters = facts.classes + facts.forms
        if not facts.classes or not all(isinstance(each, str) and each for each in characters):
            raise ValueError("its classes are no characters")
        if len(set(facts.classes)) != len(facts.classes) or len(facts.forms) != len(facts.classes):
            raise ValueError("its classes are not all different, or have not a form each")
        if not all(0 < n <= MAX_LENGTH for n in facts.lengths) or not 0 <= facts.residuals <= MAX_RESIDUALS:
            raise ValueError(f"its lengths are {facts.lengths}, its residual layers {facts.residuals}")
        if not (0 < facts.stretch <= MAX_STRETCH and 0 < facts.temperature < math.inf):
            raise ValueError(f"its stretch is {facts.stretch}, its temperature {facts.temperature}")
        if facts.height not in HEIGHTS:
            raise ValueError(f"its pictures are {facts.height} pixels high")
        return facts

    @property
    def scaling(self) -> Scaling:
        """How captchas are scaled for it."""
        return Scaling(self.height, self.stretch)

    def metadata(self) -> dict[str, Any]:
        """What a model file keeps."""
        return {"architecture": ARCHITECTURE, "scaling": self.scaling.name, **asdict(self)}

    def extended(self, other: SequenceFacts) -> SequenceFacts:
        """The same with what another reader reads besides: characters, and texts of other lengths."""
        forms = dict(zip(other.classes, other.forms, strict=True)) | dict(
            zip(self.classes, self.forms, strict=True)
        )
        # A character that is a class of its own now is no other form of another one any more.
        own = {k: "".join(c for c in form if c == k or c not in forms) for k, form in sorted(forms.items())}
        lengths = tuple(sorted({*self.lengths, *other.lengths})) if self.lengths and other.lengths else ()
        return replace(
            self,
            classes=tuple(own),
            forms=tuple(own.values()),
            lengths=lengths,
            stretch=max(self.stretch, other.stretch),
        )

    def network(self) -> SequenceNetwork:
        """An untrained network with these outputs."""
        return SequenceNetwork([len(form) for form in self.forms], residuals=self.residuals)


class SequenceReader:
    """A `CaptchaReader` by a convolutional recurrent network and CTC; `load` is how to get one."""

    kind = KIND

    def __init__(self, network: SequenceNetwork, facts: SequenceFacts) -> None:
        self.network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.facts = facts

    @classmethod
    def load(cls, path: Path | str) -> SequenceReader:
        """Rebuild a reader from a run folder or a model file alone.

        Raises:
            CaptchaLabError: the file is absent, damaged, or another kind of model.
        """
        network, metadata = restore(
            Path(path),
            "a sequence reader",
            ARCHITECTURE,
            {Scaling(height).name for height in HEIGHTS},
            lambda metadata: SequenceFacts.from_metadata(metadata).network(),
        )
        with described(Path(path)):
            return cls(network, SequenceFacts.from_metadata(metadata))

    @property
    def classes(self) -> tuple[str, ...]:
        """The characters it reads."""
        return self.facts.classes

    def __repr__(self) -> str:
        return f"SequenceReader({len(self.classes)} classes)"

    def read(self, images: Iterable[Any]) -> list[Reading]:
        """Read captchas (see `CaptchaReader.read`)."""
        received = pictures(images)
        inputs = [self.facts.scaling(image) for image in received]
        found = decode(self.scores(inputs), self.facts.lengths)
        return [
            self._reading(image, picture, decoded)
            for image, picture, decoded in zip(received, inputs, found, strict=True)
        ]

    def scores(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Log-probabilities of the columns of scaled pictures: float32 [T, 1 + K] for each uint8 [H, w, 3]."""
        return self._columns(
            pictures, lambda batch: (self.network(batch) / self.facts.temperature).log_softmax(2)
        )

    def features(self, images: Iterable[Any]) -> NDArray[np.float32]:
        """What the convolutions make of captchas, mean over the columns: pictures of any sizes to float32 [N, F]."""
        inputs = [self.facts.scaling(image) for image in pictures(images)]
        found = self._columns(inputs, self.network.described)
        return np.stack([columns.mean(0) for columns in found]) if found else np.empty((0, 0), np.float32)

    @torch.inference_mode()
    def _columns(
        self, pictures: Sequence[NDArray[np.uint8]], compute: Callable[[torch.Tensor], torch.Tensor]
    ) -> list[NDArray[np.float32]]:
        """What `compute` gives for a batch, [N, T, V], cut to each picture's own columns: float32 [T, V] each."""
        found: list[NDArray[np.float32]] = [np.empty((0, 0), np.float32)] * len(pictures)
        rounded = np.array([-(-p.shape[1] // MULTIPLE) for p in pictures], np.int64)
        for width in np.unique(rounded):
            rows = np.flatnonzero(rounded == width)
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                batch = to_batch([pictures[k] for k in part], MULTIPLE)
                for k, own in zip(part, compute(batch).numpy(), strict=True):
                    found[k] = own[: columns_of(pictures[k].shape[1])]
        return found

    def _reading(self, image: np.ndarray, picture: NDArray[np.uint8], decoded: Decoded) -> Reading:
        text = "".join(self.classes[k - 1] for k in decoded.text)
        height, width = image.shape[:2]
        boxes = _boxes(decoded.columns, STRIDE * width / picture.shape[1], width, height)
        return Reading(text, float(np.exp(decoded.log_probability)), decoded.certainty, boxes)

    def restricted(self, lengths: Sequence[int]) -> SequenceReader:
        """The same reader for texts of these lengths only."""
        return SequenceReader(self.network, replace(self.facts, lengths=tuple(sorted(set(lengths)))))


def _boxes(columns: Sequence[tuple[int, int]], pixels: float, width: int, height: int) -> tuple[Box, ...]:
    """Where characters stand: each reaches half way to its neighbours, the outer ones as far outwards as inwards.

    Args:
        columns: first column and last + 1 of each character.
        pixels: of the captcha's width to one column.
        width: of the captcha in pixels.
        height: likewise.
    """
    centres = [(first + last) / 2 * pixels for first, last in columns]
    if not centres:
        return ()
    edges = [(a + b) / 2 for a, b in pairwise(centres)]
    reach = max((b - a for a, b in pairwise(centres)), default=height) / 2
    edges = [max(centres[0] - reach, 0), *edges, min(centres[-1] + reach, width)]
    return tuple(
        (min(int(a), width - 1), 0, min(max(round(b), int(a) + 1), width), height) for a, b in pairwise(edges)
    )


@lru_cache(maxsize=1)
def base_reader() -> SequenceReader:
    """The reader that comes with the program, trained on captchas drawn for it (see models/base-reader.md)."""
    with as_file(files("captcha_lab.recognise") / "weights" / "base-reader.safetensors") as path:
        return SequenceReader.load(path)
