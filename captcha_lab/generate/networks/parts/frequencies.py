"""Pictures made of cosine waves, so that a layer learns coarse forms first and single pixels last."""

from __future__ import annotations

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor, nn

KNEE = 2.0  # half waves to a side, below which amplitudes are nearly alike


class Frequencies(nn.Module):
    """Amplitudes [N, H * W] of two-dimensional cosine waves to the picture [N, 1, H, W] that they add up to.

    The picture is the inverse of the orthonormal discrete cosine transform (type II) of the amplitudes, each first
    multiplied by (1 + f / 2)^-slope, where f is its frequency in half waves to a side, and by a number that is the same
    for all and makes the mean variance of the pixels 1 where that of the amplitudes is 1. Natural pictures have a slope
    near 1 (Field 1987). A layer that gives amplitudes can draw whatever one that gives pixels can; only how fast an
    optimiser changes each frequency differs.

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
        """See the class; computed in float32 even where the networks use bfloat16, whose rounding would be visible."""
        with torch.autocast(amplitudes.device.type, enabled=False):
            pictures = (
                self.down
                @ (amplitudes.to(self.scale.dtype).view(-1, *self.scale.shape) * self.scale)
                @ self.across
            )
        return pictures[:, None]
