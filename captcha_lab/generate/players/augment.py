"""Augmentation of what the critic sees: pictures mirrored and moved, so that few pictures last longer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def mirrored(images: Tensor, draws: Tensor) -> Tensor:
    """Each of [N, C, H, W] turned left to right where its draw, [N] uniform in [0, 1), is below one half."""
    return torch.where((draws < 0.5)[:, None, None, None], images.flip(3), images)


def moved(images: Tensor, draws: Tensor, share: float) -> Tensor:
    """Each image moved down and across by whole pixels, zeros coming in at the edges; gradients pass through.

    Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN training", section 3.2, translation.

    Args:
        images: [N, C, H, W].
        draws: [N, 2] uniform in [0, 1).
        share: the furthest an image is moved either way, as a share of its side.
    """
    furthest = [int(share * side) for side in images.shape[2:]]
    if not any(furthest):
        return images
    height, width = images.shape[2:]
    room = F.pad(images, (furthest[1], furthest[1], furthest[0], furthest[0]))
    corners = [(draws[:, k].double() * (2 * most + 1)).long().tolist() for k, most in enumerate(furthest)]
    # Unbound once: slicing the batch itself would make a gradient as large as the batch for every picture.
    parts = [
        picture[:, y : y + height, x : x + width]
        for picture, y, x in zip(room.unbind(), *corners, strict=True)
    ]
    return torch.stack(parts)
