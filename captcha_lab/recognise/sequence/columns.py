"""The one place that turns captchas into what the sequence network takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from captcha_lab.recognise.networks.sequence import LEAST_HEIGHT, ROWS, STRIDE

HEIGHTS = range(LEAST_HEIGHT, 257, ROWS)  # pixels that pictures can be scaled to
NARROWEST, WIDEST = 0.5, 32.0  # width after scaling, in heights
LEAST_DEVIATION = 8.0  # grey levels: the noise of a blank picture is not blown up to look like ink


@dataclass(frozen=True)
class Scaling:
    """How captchas are scaled before a network sees them.

    Attributes:
        height: pixels, one of `HEIGHTS`.
        stretch: factor of the width beyond that of the height.
    """

    height: int = LEAST_HEIGHT
    stretch: float = 1.0

    @property
    def name(self) -> str:
        """As named in a model's metadata."""
        return f"height {self.height}, (x - mean) / deviation of the picture"

    def width(self, image: np.ndarray) -> int:
        """Width in pixels of a picture [H, W, …] once it is scaled."""
        height, width = image.shape[:2]
        wanted = round(width * self.height / height * self.stretch)
        return int(np.clip(wanted, NARROWEST * self.height, WIDEST * self.height))

    def __call__(self, image: np.ndarray) -> NDArray[np.uint8]:
        """A captcha at that height: uint8 [H, W] or RGB [H, W, 3] to uint8 [height, w, 3]."""
        height, width = image.shape[:2]
        size = self.width(image), self.height
        if size != (width, height):
            smaller = size[0] < width and height > self.height
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
        return np.ascontiguousarray(
            np.broadcast_to(image[..., None], (*image.shape, 3)) if image.ndim == 2 else image
        )


def columns_of(width: int) -> int:
    """Columns of scores that a scaled picture of this width gives."""
    return width // STRIDE


def to_batch(pictures: Sequence[NDArray[np.uint8]], multiple: int = STRIDE) -> torch.Tensor:
    """Scaled pictures as a batch, as wide as the widest rounded up to a multiple of some pixels.

    Each picture gets mean 0 and deviation 1; what is added on the right is 0.

    Args:
        pictures: uint8 [height, w, 3] each, of one height.
        multiple: of the batch's width.

    Returns:
        float32 [N, 3, height, W].
    """
    widest = -(-max(p.shape[1] for p in pictures) // multiple) * multiple
    batch = np.zeros((len(pictures), pictures[0].shape[0], widest, 3), np.float32)
    for row, picture in zip(batch, pictures, strict=True):
        mean, deviation = cv2.meanStdDev(picture.reshape(-1, 1))
        row[:, : picture.shape[1]] = picture
        row[:, : picture.shape[1]] -= np.float32(mean[0, 0])
        row[:, : picture.shape[1]] /= np.float32(max(deviation[0, 0], LEAST_DEVIATION))
    return torch.from_numpy(batch).permute(
        0, 3, 1, 2
    )  # a channels-last view, which convolutions on a CPU prefer
