"""What every part of an evaluation speaks of: images, samplers, readers that judge, extractors of features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]  # [N, H, W] grey or [N, H, W, 3] RGB
# (class numbers int [N] or conditions [N, K] or None, count, seed) to images [count, ...]
Sampler = Callable[[NDArray[Any] | None, int, int], Images]
Progress = Callable[[str, int, int], None]  # (what, done, total)

PIXEL_SIDE = 16  # pixels: the side images are shrunk to when pixels themselves are the features


def silent(what: str, done: int, total: int) -> None:
    """A progress callback that shows nothing."""


class Reader(Protocol):
    """A classifier of glyphs, such as `captcha_lab.recognise.read.Recogniser`."""

    classes: tuple[str, ...]

    def probabilities(self, glyphs: Images) -> NDArray[np.float32]:
        """uint8 [N, size, size] to float32 [N, K]."""
        ...

    def features(self, glyphs: Images) -> NDArray[np.float32]:
        """uint8 [N, size, size] to penultimate activations float32 [N, D]."""
        ...


@dataclass(frozen=True)
class Extractor:
    """Features under a name that every figure made from them carries; `frechet` is the key of their distance."""

    name: str
    features: Callable[[Images], NDArray[np.floating]]
    frechet: str = "frechet"


def shrink(images: Images, side: int) -> Images:
    """Images no larger than `side` pixels a side, by averaging areas; smaller ones as they are."""
    height, width = images.shape[1:3]
    scale = side / max(height, width)
    if scale >= 1:
        return images
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])


def pixel_extractor() -> Extractor:
    """Pixels themselves, for data that no recogniser reads."""
    return Extractor(
        f"pixels{PIXEL_SIDE}",
        lambda images: shrink(images, PIXEL_SIDE).reshape(len(images), -1) / np.float32(255),
    )
