"""Batch normalisation over all processes of a distributed training.

torch's SyncBatchNorm refuses CPUs and cannot be differentiated twice, which a gradient penalty on a critic with
batch norm needs; here the sums are `parallel.sum_over_processes`, differentiable any number of times.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from captcha_lab.parallel import Group, distributed, sum_over_processes


def share_statistics(network: nn.Module, group: Group) -> None:
    """Let a network's batch norms take their statistics over the group's global batch; of its own if it is alone."""
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.global_batch = group.world > 1


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation (Ioffe and Szegedy 2015, algorithm 1) of [N, F] or [N, C, H, W] over the global batch.

    In one process exactly torch's own; over several, mean and variance are those of all their samples together.
    """

    couples_samples = True
    """The output for one sample depends on the batch it comes in."""
    global_batch = True
    """Whether the processes that have joined train together; False where one of them trains by itself."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in (2, 4):
            raise ValueError(f"BatchNorm takes [N, F] or [N, C, H, W], got {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """The normalised tensor, of the same shape; updates the running statistics in training mode."""
        if not (self.training and self.global_batch and distributed()):
            return super().forward(input)
        self._check_input_dim(input)
        wide = input if input.dtype == torch.float64 else input.float()  # sums of bfloat16 would lose digits
        return self._normalise(wide).to(input.dtype)

    def _normalise(self, input: Tensor) -> Tensor:
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
