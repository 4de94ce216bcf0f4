"""The one place that turns captchas into what the sequence network takes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from captcha_lab.recognise.networks.sequence import HEIGHT, STRIDE

SCALING = "height 32, (x - mean) / deviation of the picture"  # as named in a model's metadata
NARROWEST, WIDEST = 16, 1024  # pixels of width after scaling
LEAST_DEVIATION = 8.0  # grey levels: the noise of a blank picture is not blown up to look like ink


def scaled_width(image: np.ndarray, stretch: float = 1.0) -> int:
    """Width in pixels of a picture [H, W, …] once it is 32 pixels high; `stretch` widens it further."""
    height, width = image.shape[:2]
    return int(np.clip(round(width * HEIGHT / height * stretch), NARROWEST, WIDEST))


def scaled(image: np.ndarray, stretch: float = 1.0) -> NDArray[np.uint8]:
    """A captcha at the network's height: uint8 [H, W] or RGB [H, W, 3] to uint8 [32, w, 3]."""
    height, width = image.shape[:2]
    size = scaled_width(image, stretch), HEIGHT
    if size != (width, height):
        smaller = size[0] < width and height > HEIGHT
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return np.ascontiguousarray(
        np.broadcast_to(image[..., None], (*image.shape, 3)) if image.ndim == 2 else image
    )


def columns_of(width: int) -> int:
    """Columns of scores that a scaled picture of this width gives."""
    return width // STRIDE


def to_batch(pictures: Sequence[NDArray[np.uint8]], multiple: int = STRIDE) -> torch.Tensor:
    """Scaled pictures, uint8 [32, w, 3] each, to float32 [N, 3, 32, W], W the widest as a multiple of some pixels.

    Each picture gets mean 0 and deviation 1; what is added on the right is 0.
    """
    widest = -(-max(p.shape[1] for p in pictures) // multiple) * multiple
    batch = np.zeros((len(pictures), HEIGHT, widest, 3), np.float32)
    for row, picture in zip(batch, pictures, strict=True):
        mean, deviation = cv2.meanStdDev(picture.reshape(-1, 1))
        row[:, : picture.shape[1]] = picture
        row[:, : picture.shape[1]] -= np.float32(mean[0, 0])
        row[:, : picture.shape[1]] /= np.float32(max(deviation[0, 0], LEAST_DEVIATION))
    return torch.from_numpy(batch).permute(
        0, 3, 1, 2
    )  # a channels-last view, which convolutions on a CPU prefer
