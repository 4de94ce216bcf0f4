"""Normalisation layers; the batch norm takes its statistics over all processes of a distributed run.

torch's SyncBatchNorm refuses CPUs and cannot be differentiated twice, which a gradient penalty on a critic with
batch norm needs; here the sums are `parallel.sum_over_processes`, differentiable any number of times.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from captcha_lab.errors import UsageError
from captcha_lab.parallel import sum_over_processes

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


def distributed() -> bool:
    """Whether this process is one of several that train together."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


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


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation (Ioffe and Szegedy 2015, algorithm 1) of [N, F] or [N, C, H, W] over the global batch.

    In one process exactly torch's own; over several, mean and variance are those of all their samples together.
    """

    couples_samples = True
    """The output for one sample depends on the batch it comes in."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in (2, 4):
            raise ValueError(f"BatchNorm takes [N, F] or [N, C, H, W], got {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """The normalised tensor, of the same shape; updates the running statistics in training mode."""
        if not (self.training and distributed()):
            return super().forward(input)
        self._check_input_dim(input)
        mean, variance, count = _global_moments(input)
        self._track(mean.detach(), variance.detach(), count)
        shape = (1, -1) + (1,) * (input.ndim - 2)
        scale = (variance + self.eps).rsqrt()
        if not self.affine:
            return (input - mean.view(shape)) * scale.view(shape)
        return (input - mean.view(shape)) * (scale * self.weight).view(shape) + self.bias.view(shape)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics towards this batch's; the variance by Bessel's correction, as torch does."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        momentum = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), momentum)


def _global_moments(tensor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [C], biased variance [C] and number of values per channel, over all processes (two passes)."""
    over = [d for d in range(tensor.ndim) if d != 1]
    count = tensor.new_tensor([tensor.numel() / tensor.shape[1]])
    packed = sum_over_processes(torch.cat([tensor.sum(over), count]))
    total = packed[-1:].detach()
    mean = packed[:-1] / total
    shape = (1, -1) + (1,) * (tensor.ndim - 2)
    variance = sum_over_processes((tensor - mean.view(shape)).square().sum(over)) / total
    return mean, variance, total


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
