"""Normalisation layers of generators and critics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from captcha_lab.errors import UsageError
from captcha_lab.parallel import distributed, sum_over_processes
from captcha_lab.recognise.networks.batch_norm import BatchNorm

NORMS = ("batch", "layer", "none")


@dataclass(frozen=True)
class NormOptions:
    """Keyword options of the normalisation layers, which most families have."""

    epsilon: float = 1e-5  # added to the variance
    # Share of the newest batch in the running statistics that sampling uses; 1: those of the last training batch alone,
    # as where a source normalises by the batch when sampling too. (A batch of one class drawn by itself would be
    # normalised by its own mean, which takes out what the condition put in.)
    momentum: float = 0.1
    gain: bool = True  # batch norm learns a gain and a shift per channel; False: it has no variables


def rank_and_world() -> tuple[int, int]:
    """This process's number and how many there are."""
    return (dist.get_rank(), dist.get_world_size()) if distributed() else (0, 1)


def gather_batch(tensor: Tensor) -> Tensor:
    """[n, ...] of each of P processes to [P n, ...] on all, differentiably; every n must be the same."""
    if not distributed():
        return tensor
    slots = [torch.zeros_like(tensor)] * dist.get_world_size()
    slots[dist.get_rank()] = tensor
    return sum_over_processes(torch.cat(slots))


class LayerNorm(nn.Module):
    """Layer normalisation (Ba et al. 2016): each sample over all its values, then a gain and shift per channel.

    What Gulrajani et al. 2017 (section 4) put in critics with a gradient penalty, since batch norm makes one
    sample's score depend on the others.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, tensor: Tensor) -> Tensor:
        """[N, C, ...] to the same shape."""
        return F.group_norm(tensor, 1, self.weight, self.bias, self.eps)


def normaliser(kind: str, channels: int, options: NormOptions) -> nn.Module:
    """The layer for `batch`, `layer` or `none` (UsageError for anything else)."""
    if kind == "batch":
        return BatchNorm(channels, options.epsilon, options.momentum, affine=options.gain)
    if kind == "layer":
        return LayerNorm(channels, options.epsilon)
    if kind == "none":
        return nn.Identity()
    raise UsageError(f"No normalisation {kind!r}: choose one of {', '.join(NORMS)}.")
