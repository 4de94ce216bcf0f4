"""Small parts that several families use."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

import torch
from torch import Tensor, nn

from captcha_lab.errors import UsageError
from captcha_lab.generate.networks.base import NetworkSpec
from captcha_lab.generate.networks.parts.normalise import LayerNorm, gather_batch, rank_and_world
from captcha_lab.parallel import distributed
from captcha_lab.recognise.networks.batch_norm import BatchNorm


def joined(tensor: Tensor, condition: Tensor | None) -> Tensor:
    """[N, F] and [N, K] side by side; the tensor itself without a condition."""
    return tensor if condition is None else torch.cat([tensor, condition], dim=1)


def with_planes(images: Tensor, condition: Tensor | None) -> Tensor:
    """[N, C, H, W] with each of the K condition values as one more constant plane."""
    if condition is None:
        return images
    planes = condition[:, :, None, None].expand(-1, -1, *images.shape[2:])
    return torch.cat([images, planes], dim=1)


def activation(slope: float) -> nn.Module:
    """Leaky ReLU with that slope below zero; slope 0 is the plain ReLU."""
    return nn.LeakyReLU(slope) if slope else nn.ReLU()


def output_activation(spec: NetworkSpec) -> nn.Module:
    """What squeezes a generator's last layer into its output range."""
    return nn.Sigmoid() if spec.output_range == (0.0, 1.0) else nn.Tanh()


def halving(spec: NetworkSpec, times: int) -> tuple[int, int]:
    """Height and width after so many strides of two.

    Raises:
        UsageError: the image's sides cannot be halved that often.
    """
    _, height, width = spec.image_shape
    step = 2**times
    if height % step or width % step or min(height, width) < 2 * step:
        raise UsageError(
            f"The networks {spec.family!r} halve an image {times} times, so its sides must be multiples of {step} "
            f"from {2 * step} on; {width}x{height} is not. Pick another recipe or prepare another --size."
        )
    return height // step, width // step


def conv_half(inputs: int, outputs: int, bias: bool) -> nn.Conv2d:
    """5x5, stride 2, "same" padding: [N, inputs, H, W] to [N, outputs, H/2, W/2].

    TensorFlow pads one row before and two behind, here it is two and one: the same layer on mirrored images with a
    mirrored kernel, which learned weights make no difference between.
    """
    return nn.Conv2d(inputs, outputs, 5, stride=2, padding=2, bias=bias)


def conv_double(inputs: int, outputs: int, bias: bool) -> nn.ConvTranspose2d:
    """5x5 transposed, stride 2, "same" padding: [N, inputs, H, W] to [N, outputs, 2H, 2W]; mirrored as `conv_half`."""
    return nn.ConvTranspose2d(inputs, outputs, 5, stride=2, padding=2, output_padding=1, bias=bias)


@singledispatch
def role(module: nn.Module) -> str:
    """What kind of weight a layer holds: dense, convolution, transposed, normalisation, or "" for none of these."""
    return ""


@role.register
def _(module: nn.Linear) -> str:
    return "dense"


@role.register
def _(module: nn.Conv2d) -> str:
    return "convolution"


@role.register
def _(module: nn.ConvTranspose2d) -> str:
    return "transposed"


@role.register
def _(module: BatchNorm) -> str:
    return "normalisation"


@role.register
def _(module: LayerNorm) -> str:
    return "normalisation"


class Dropout(nn.Dropout):
    """Dropout whose mask is drawn for the global batch, of which each process keeps its rows."""

    couples_samples = True
    """The mask must be drawn for the same batch however many processes there are."""

    def forward(self, input: Tensor) -> Tensor:
        """[n, ...] of this process; in training mode the same as torch's dropout of all [P n, ...] rows."""
        if not (self.training and self.p and distributed()):
            return super().forward(input)
        n, (rank, world) = len(input), rank_and_world()
        mask = torch.empty(n * world, *input.shape[1:]).bernoulli_(1 - self.p)
        return input * mask[rank * n : (rank + 1) * n].to(input.device) / (1 - self.p)


class ExtraConvolution(nn.Conv2d):
    """The update's 5x5 convolution, [N, C, H, W] to the same; starts as four times the identity.

    Behind a tanh and before a sigmoid that is a picture of nearly full contrast from the first step on. From small
    random weights it would begin as flat grey, and took hundreds of steps to reach white paper.
    """

    def __init__(self, channels: int, bias: bool) -> None:
        super().__init__(channels, channels, 5, padding=2, bias=bias)

    @torch.no_grad()
    def set_initial_weights(self) -> None:
        """The first weights, whatever the scheme of the rest."""
        self.weight.zero_()
        for channel in range(self.in_channels):
            self.weight[channel, channel, 2, 2] = 4.0
        if self.bias is not None:
            self.bias.zero_()


class Ending(nn.Sequential):
    """A generator's last step, on images [N, C, H, W]: the output activation, after the thesis's update if asked.

    The update (thesis, chapter 4) puts a tanh and one more 5x5 convolution before the activation, so that the
    clipped weights no longer bound the contrast of the picture.
    """

    __call__: Callable[..., Tensor]

    def __init__(self, spec: NetworkSpec, update: bool, bias: bool) -> None:
        channels = spec.image_shape[0]
        extra = [nn.Tanh(), ExtraConvolution(channels, bias)] if update else []
        super().__init__(*extra, output_activation(spec))


class MinibatchDiscrimination(nn.Module):
    """How close each sample is to the others of its batch (Salimans et al. 2016, section 3.2).

    With M = f T of shape [N, B, C], output b of sample i is the sum over all samples j of
    exp(-||M[i, b] - M[j, b]||_1); j = i included, as printed. In a distributed run the batch is the global one.
    """

    couples_samples = True

    def __init__(self, features: int, kernels: int, size: int) -> None:
        super().__init__()
        self.kernels, self.size = kernels, size
        self.tensor = nn.Parameter(torch.randn(features, kernels * size) * features**-0.5)

    def forward(self, features: Tensor) -> Tensor:
        """[N, F] to [N, F + kernels]: the features with the closeness appended."""
        own = (features @ self.tensor).view(-1, self.kernels, self.size)  # (N, B, C)
        batch = gather_batch(own)  # (P N, B, C)
        distance = (own[:, None] - batch[None]).abs().sum(3)  # (N, P N, B)
        return torch.cat([features, torch.exp(-distance).sum(1)], dim=1)
