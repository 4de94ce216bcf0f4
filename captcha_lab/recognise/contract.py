"""What the rest of the program knows of readers: a captcha goes in, a `Reading` comes out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels of the picture; x1 and y1 exclusive


@dataclass(frozen=True)
class Reading:
    """What a reader makes of one captcha.

    Attributes:
        text: the characters read; empty where the picture holds none.
        confidence: calibrated probability (0 … 1) that the whole text is right.
        per_character: probability (0 … 1) of each character of `text`.
        boxes: where each character stands, or None where the reader does not know.
    """

    text: str
    confidence: float
    per_character: tuple[float, ...] = ()
    boxes: tuple[Box, ...] | None = None

    def __repr__(self) -> str:
        return f"Reading({self.text!r}, {self.confidence:.3f})"


@runtime_checkable
class CaptchaReader(Protocol):
    """Reads whole captchas of any size.

    Attributes:
        kind: the reader's name in the registry, such as "glyph" or "sequence".
        classes: the characters it can read, in the order of its outputs.
    """

    @property
    def kind(self) -> str: ...  # noqa: D102

    @property
    def classes(self) -> tuple[str, ...]: ...  # noqa: D102

    def read(self, images: Iterable[Any]) -> list[Reading]:
        """Read captchas, one reading each, in order: arrays of any sizes, paths, bytes or PIL images.

        Raises:
            CaptchaLabError: one of them is no picture (see `store.pixels.pixels_of`).
        """
        ...


class CaptchaJudge(CaptchaReader, Protocol):
    """A reader of whole captchas that says what it sees in them as well; what judges generated captchas."""

    def features(self, images: Iterable[Any]) -> NDArray[np.float32]:
        """A vector for each captcha: arrays of any sizes to float32 [N, F]."""
        ...


class GlyphClassifier(Protocol):
    """Classifies single glyphs, digits or other small pictures; what judges generated glyphs.

    Attributes:
        classes: names of the K classes.
        size: side in pixels of the square pictures it takes.
    """

    classes: tuple[str, ...]
    size: int

    def probabilities(self, glyphs: np.ndarray) -> NDArray[np.float32]:
        """Class probabilities: uint8 [N, size, size] or [N, size, size, 3] to float32 [N, K]."""
        ...

    def features(self, glyphs: np.ndarray) -> NDArray[np.float32]:
        """Penultimate activations: uint8 as above to float32 [N, F]."""
        ...

    def examine(self, glyphs: np.ndarray) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Features and most probable classes in one pass."""
        ...
