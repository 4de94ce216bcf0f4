"""First weights, drawn from a generator of one's own so that a seed fixes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import singledispatch
from typing import TypeVar

import torch
from torch import Tensor, nn

from captcha_lab.errors import UsageError

M = TypeVar("M", bound=nn.Module)
Draw = Callable[[Tensor, int, int, torch.Generator], object]


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


SCHEMES: dict[str, Draw | None] = {
    "torch": _torch,  # U(-1/sqrt(fan_in), ..), biases zero
    "torch-default": None,  # what torch's own layers draw: the same for weights, and for biases too
    "glorot": _glorot,  # Glorot and Bengio 2010, eq. 16, with Keras's fans: a stride does not divide them
    "he": _he,  # He et al. 2015, eq. 10
    "normal02": _normal02,  # N(0, .02): Radford et al. 2016, section 4; the lecture slides
}


def initialise(network: M, scheme: str, rng: torch.Generator) -> M:
    """Draw every linear and convolutional weight of the network, in place; biases become zero.

    Other modules (normalisation, minibatch discrimination) keep what their constructor gave them; a layer with a
    method `set_initial_weights` is initialised by that.

    Args:
        network: on the CPU.
        scheme: a name of `SCHEMES`; "torch-default" leaves the weights that the constructors drew.
        rng: where the numbers come from.

    Raises:
        UsageError: no such scheme.
    """
    if scheme not in SCHEMES:
        raise UsageError(f"No initialisation {scheme!r}: choose one of {', '.join(SCHEMES)}.")
    draw = SCHEMES[scheme]
    with torch.no_grad():
        for module in network.modules():
            own, fan = getattr(module, "set_initial_weights", None), fans(module, scheme != "glorot")
            if own is not None:
                own()
            elif fan is not None and draw is not None:
                draw(module.get_parameter("weight"), *fan, rng)
                if module.bias is not None:
                    module.get_parameter("bias").zero_()
    return network


@singledispatch
def fans(module: nn.Module, strided: bool = True) -> tuple[int, int] | None:
    """How many numbers enter and leave one unit of a linear or convolutional layer; None for other modules.

    `strided`: what a stride skips is not counted; else every place under the kernel is, as Keras does.
    """
    return None


@fans.register
def _(module: nn.Linear, strided: bool = True) -> tuple[int, int]:
    return module.in_features, module.out_features


@fans.register
def _(module: nn.Conv2d, strided: bool = True) -> tuple[int, int]:
    kernel, stride = _areas(module, strided)
    return module.in_channels * kernel, max(1, module.out_channels * kernel // stride)


@fans.register
def _(module: nn.ConvTranspose2d, strided: bool = True) -> tuple[int, int]:
    # With stride s one pixel gathers kernel^2 / s^2 pixels of each input channel.
    kernel, stride = _areas(module, strided)
    return max(1, module.in_channels * kernel // stride), module.out_channels * kernel


def _areas(module: nn.Conv2d | nn.ConvTranspose2d, strided: bool) -> tuple[int, int]:
    """Pixels under the kernel, and pixels per step."""
    steps = module.stride[0] * module.stride[1] if strided else 1
    return module.kernel_size[0] * module.kernel_size[1], steps
