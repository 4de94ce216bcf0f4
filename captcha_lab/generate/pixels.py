"""The one place where generators' pixels change form: uint8 as received <-> float32 [N, C, H, W]."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def channels_first(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(H, W) or (H, W, 3) as (C, H, W)."""
    return (1, shape[0], shape[1]) if len(shape) == 2 else (shape[2], shape[0], shape[1])


def to_network(
    images: np.ndarray, output_range: tuple[float, float], size: tuple[int, int] | None = None
) -> Tensor:
    """Images as networks see them: 0 becomes the range's lower end, 255 its upper; ink is not inverted.

    Args:
        images: uint8 [N, H, W] or [N, H, W, 3].
        output_range: (0, 1) or (-1, 1).
        size: (H, W) to scale to (bilinear), None = as they are.

    Returns:
        [N, C, H, W] of torch's default type (float32).
    """
    low, high = output_range
    pixels = torch.from_numpy(np.ascontiguousarray(images))
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
    values = pixels.to(torch.get_default_dtype()).mul_((high - low) / 255).add_(low)
    if size is not None and tuple(values.shape[2:]) != tuple(size):
        values = F.interpolate(values, size=size, mode="bilinear", align_corners=False, antialias=True)
        values.clamp_(low, high)
    return values.contiguous()


def to_images(values: Tensor, output_range: tuple[float, float]) -> np.ndarray:
    """The inverse of `to_network`, rounded: uint8 [N, H, W] for one channel, [N, H, W, 3] for three."""
    low, high = output_range
    scaled = (values.detach().float().cpu() - low) * (255 / (high - low))
    pixels = scaled.round().clamp(0, 255).to(torch.uint8)
    return (pixels[:, 0] if pixels.shape[1] == 1 else pixels.permute(0, 2, 3, 1)).contiguous().numpy()


def scaled(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Uint8 images [N, H, W(, 3)] at another (H, W), bilinear, as they are scaled for networks."""
    if images.shape[1:3] == tuple(size):
        return images
    return to_images(to_network(images, (0.0, 1.0), size), (0.0, 1.0))


def unit(values: Tensor, output_range: tuple[float, float]) -> Tensor:
    """Network pixels mapped to [0, 1], for losses that measure pixels."""
    low, high = output_range
    return (values - low) / (high - low)
