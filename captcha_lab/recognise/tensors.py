"""The one place that turns glyphs into what the recogniser's network takes."""

from __future__ import annotations

import numpy as np
import torch

SCALING = "1 - x/255"  # as named in a model's metadata: ink towards 1, paper 0


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """uint8 [N, H, W] or RGB [N, H, W, 3] to float32 [N, C, H, W] in [0, 1], ink (dark) towards 1."""
    pixels = torch.from_numpy(np.ascontiguousarray(images))
    pixels = pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
    return pixels.to(torch.float32).mul_(-1 / 255).add_(1.0)
