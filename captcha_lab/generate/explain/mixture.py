"""Eight Gaussians on a ring, the usual example of many modes, and small networks that learn them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

MODES, RADIUS, SPREAD = 8, 2.0, 0.1


def centres() -> Tensor:
    """[8, 2] on a circle of radius 2."""
    angles = torch.arange(MODES) * (2 * math.pi / MODES)
    return RADIUS * torch.stack([angles.cos(), angles.sin()], dim=1)


def ring(n: int) -> Tensor:
    """Samples [n, 2] of the mixture, from torch's global random state."""
    return centres()[torch.randint(MODES, (n,))] + SPREAD * torch.randn(n, 2)


def covered(samples: Tensor, least: float = 0.02) -> int:
    """How many of the modes hold at least this share of samples [n, 2] within four standard deviations."""
    near = torch.cdist(samples, centres()) < 4 * SPREAD
    return int((near.float().mean(0) >= least).sum())


def perceptron(inputs: int, outputs: int, width: int = 64) -> nn.Sequential:
    """Two hidden layers with ReLU."""
    return nn.Sequential(
        *(nn.Linear(inputs, width), nn.ReLU()),
        *(nn.Linear(width, width), nn.ReLU()),
        nn.Linear(width, outputs),
    )
