"""What every part of an evaluation speaks of: images, samplers, extractors of features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]  # [N, H, W] grey or [N, H, W, 3] RGB
# (class numbers int [N] or conditions [N, K] or None, count, seed) to images [count, ...]
Sampler = Callable[[NDArray[Any] | None, int, int], Images]

_BATCH = 1000
PIXEL_SIDE = 16  # pixels: the side images are shrunk to when pixels themselves are the features


@dataclass(frozen=True)
class Extractor:
    """Features under a name.

    Attributes:
        name: as shown in the report.
        features: uint8 [N, …] to float [N, D].
        kind: "reader", "attributes", "pixels" or "inception": a measure says for which of them it is defined.
        suffix: of the keys of the figures made from them.
    """

    name: str
    features: Callable[[Images], NDArray[np.floating]]
    kind: str
    suffix: str = ""


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
        "pixels",
    )


def in_batches(function: Callable[[Images], NDArray[np.floating]], images: Images) -> NDArray[np.floating]:
    """Apply a function of images to a thousand at a time and join what it gives."""
    return np.concatenate([function(images[i : i + _BATCH]) for i in range(0, len(images), _BATCH)])
