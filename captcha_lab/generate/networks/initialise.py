"""First weights, drawn from a generator of one's own so that a seed fixes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from captcha_lab.errors import UsageError

M = TypeVar("M", bound=nn.Module)
Draw = Callable[[Tensor, int, int, torch.Generator], object]


@runtime_checkable
class SelfStarting(Protocol):
    """A layer that has first weights of its own."""

    def set_initial_weights(self) -> None:
        """Set them."""


def _torch(weight: Tensor, fan_in: int, fan_out: int, rng: torch.Generator) -> None:
    bound = 1 / math.sqrt(fan_in)
    weight.uniform_(-bound, bound, generator=rng)


def _glorot(weight: Tensor, fan_in: int, fan_out: int, rng: torch.Generator) -> None:
    bound = math.sqrt(6 / (fan_in + fan_out))
    weight.uniform_(-bound, bound, generator=rng)


def _he(weight: Tensor, fan_in: int, fan_out: int, rng: torch.Generator) -> None:
    weight.normal_(0.0, math.sqrt(2 / fan_in), generator=rng)


def _normal02(weight: Tensor, fan_in: int, fan_out: int, rng: torch.Generator) -> None:
    weight.normal_(0.0, 0.02, generator=rng)


SCHEMES: dict[str, Draw] = {
    "torch": _torch,  # U(-1/sqrt(fan_in), ..): what torch's own layers do
    "glorot": _glorot,  # Glorot and Bengio 2010, eq. 16: what Keras layers do
    "he": _he,  # He et al. 2015, eq. 10
    "normal02": _normal02,  # N(0, .02): Radford et al. 2016, section 4; the lecture slides
}


def initialise(network: M, scheme: str, rng: torch.Generator) -> M:
    """Draw every linear and convolutional weight of the network, in place; biases become zero.

    Other modules (normalisation, minibatch discrimination) keep what their constructor gave them; a layer with a
    method `set_initial_weights` begins as that says.

    Args:
        network: on the CPU.
        scheme: a name of `SCHEMES`.
        rng: where the numbers come from.

    Raises:
        UsageError: no such scheme.
    """
    if scheme not in SCHEMES:
        raise UsageError(f"No initialisation {scheme!r}: choose one of {', '.join(SCHEMES)}.")
    draw = SCHEMES[scheme]
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, SelfStarting):
                module.set_initial_weights()
            elif isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                draw(module.weight, *_fans(module), rng)
                if module.bias is not None:
                    module.bias.zero_()
    return network


def _fans(module: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> tuple[int, int]:
    """How many numbers enter and leave one unit of the layer.

    A transposed convolution with stride s gathers kernel^2 / s^2 pixels of each input channel.
    """
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    kernel = module.kernel_size[0] * module.kernel_size[1]
    stride = module.stride[0] * module.stride[1]
    if isinstance(module, nn.ConvTranspose2d):
        return max(1, module.in_channels * kernel // stride), module.out_channels * kernel
    return module.in_channels * kernel, max(1, module.out_channels * kernel // stride)
