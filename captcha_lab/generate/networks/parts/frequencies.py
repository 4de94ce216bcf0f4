"""Pictures from frequencies, so that a layer learns coarse forms first and fast, and single pixels last."""

from __future__ import annotations

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor, nn

KNEE = 2.0  # half waves to a side: below it amplitudes are alike


class Frequencies(nn.Module):
    """Amplitudes [N, H * W] of two-dimensional cosine waves to the picture [N, 1, H, W] that they add up to.

    The picture is the inverse of the orthonormal discrete cosine transform (type II) of the amplitudes, each first
    multiplied by (1 + f / 2)^-slope, where f is its frequency in half waves to a side, then by one number for all,
    so that amplitudes of variance 1 give pixels of mean variance 1. Natural pictures have a slope near 1 (Field 1987).
    The layer before it is as expressive as one that gives pixels; what changes is how fast an optimiser moves each
    frequency.

    Args:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        slope: how fast amplitudes fall with the frequency, 0 or more; 0 treats all alike.
    """

    down: Tensor
    across: Tensor
    scale: Tensor

    def __init__(self, height: int, width: int, slope: float) -> None:
        super().__init__()
        frequency = np.hypot(np.arange(height)[:, None], np.arange(width)[None])
        scale = (1 + frequency / KNEE) ** -slope
        waves = {
            "down": dct(np.eye(height), axis=0, norm="ortho").T,
            "across": dct(np.eye(width), axis=0, norm="ortho"),
        }
        for name, values in {**waves, "scale": scale / np.sqrt(np.mean(scale**2))}.items():
            self.register_buffer(
                name, torch.from_numpy(np.ascontiguousarray(values, np.float32)), persistent=False
            )

    def forward(self, amplitudes: Tensor) -> Tensor:
        """See the class; float32 whatever the precision around it, as 28 products of bfloat16 would add up errors."""
        with torch.autocast(amplitudes.device.type, enabled=False):
            pictures = (
                self.down
                @ (amplitudes.to(self.scale.dtype).view(-1, *self.scale.shape) * self.scale)
                @ self.across
            )
        return pictures[:, None]
