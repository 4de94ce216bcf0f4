"""The noise that generators are fed."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_noise(kind: str, n: int, size: int, rng: torch.Generator) -> Tensor:
    """Noise [n, size]: N(0, 1) for "normal", U(-1, 1) for "uniform"."""
    if kind == "uniform":
        return torch.rand(n, size, generator=rng) * 2 - 1
    return torch.randn(n, size, generator=rng)
