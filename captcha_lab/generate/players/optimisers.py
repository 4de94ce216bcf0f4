"""Optimisers by name, their learning rates over the run, and the one step every network takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from captcha_lab.generate.recipe import Recipe
from captcha_lab.parallel import Group


def make_optimiser(recipe: Recipe, parameters: Sequence[nn.Parameter], times: float = 1.0) -> Optimizer:
    """Adam, RMSProp or SGD over the parameters, with the recipe's betas and so many times its learning rate.

    The fused Adam is one call for all parameters; the loop over small tensors costs more than the arithmetic.
    """
    rate = times * recipe.learning_rate
    if recipe.optimiser == "adam":
        return torch.optim.Adam(parameters, lr=rate, betas=(recipe.beta1, recipe.beta2), fused=True)
    if recipe.optimiser == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=rate, alpha=recipe.beta2, foreach=True)
    if recipe.optimiser == "rmsprop-tensorflow":
        return TensorFlowRMSprop(parameters, rate, recipe.beta2)
    return torch.optim.SGD(parameters, lr=rate, momentum=recipe.beta1, foreach=True)


class TensorFlowRMSprop(Optimizer):
    """RMSProp as TensorFlow 1 has it: the mean square starts at 1, and epsilon stands under the root.

    v = rho v + (1 - rho) g^2, then w = w - rate g / sqrt(v + 1e-10), from v = 1; torch's starts at 0.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], rate: float, rho: float) -> None:
        super().__init__(parameters, {"lr": rate, "rho": rho})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step with the gradients at hand."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                square = state.setdefault("mean_square", torch.ones_like(parameter))
                square.lerp_(parameter.grad.square(), 1 - group["rho"])
                parameter.addcdiv_(parameter.grad, (square + 1e-10).sqrt(), value=-group["lr"])


def set_rate(optimiser: Optimizer, factor: float) -> None:
    """Set every learning rate to the factor times the base rate."""
    for group in optimiser.param_groups:
        group["lr"] = group.setdefault("base_lr", group["lr"]) * factor


Gradients = Sequence[Tensor | None]


def gradients(total: Tensor, parameters: Sequence[nn.Parameter], keep: bool = False) -> Gradients:
    """The gradient of a scalar for each parameter, None where it has none; `keep`: the graph is needed again.

    Only the given parameters get a gradient, so a generator's step costs no gradients of the critic's weights.
    """
    return torch.autograd.grad(total, parameters, allow_unused=True, retain_graph=keep)


def apply(optimiser: Optimizer, parameters: Sequence[nn.Parameter], own: Gradients, group: Group) -> None:
    """One step of an optimiser with gradients that are averaged over the processes."""
    pairs = [(p, g) for p, g in zip(parameters, own, strict=True) if g is not None]
    averaged = group.mean([g for _, g in pairs])
    for parameter in parameters:
        parameter.grad = None
    for (parameter, _), gradient in zip(pairs, averaged, strict=True):
        parameter.grad = _in_order_of(parameter, gradient)
    optimiser.step()


def _in_order_of(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient, laid out in memory as its parameter is.

    The fused Adam reads memory in order, whatever the strides say (torch 2.13, CPU): a transposed gradient, as the
    double backward of a convolution gives, or one with its channels elsewhere, would move the wrong weights.
    """
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def gradient_norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    """The norm of the whole gradient of the last step (a scalar tensor)."""
    return nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
