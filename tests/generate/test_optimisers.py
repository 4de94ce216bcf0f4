"""The one step every network takes."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from captcha_lab.generate.players.optimisers import apply, gradient_norm, gradients, make_optimiser, set_rate
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.parallel import Group


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
def test_a_transposed_gradient_moves_the_right_weights(name: str) -> None:
    recipe = replace(get_recipe("dcgan"), optimiser=name, learning_rate=0.1)
    target = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    weight = nn.Parameter(torch.zeros(3, 5))
    optimiser = make_optimiser(recipe, [weight])
    apply(optimiser, [weight], gradients((weight.t() * target).sum(), [weight]), Group())
    assert torch.equal(weight.detach().sign(), -target.t().sign())


def test_only_the_given_parameters_get_a_gradient() -> None:
    own, others = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    unused = nn.Parameter(torch.ones(1))
    optimiser = make_optimiser(replace(get_recipe("dcgan"), learning_rate=0.1), [own, unused])
    apply(optimiser, [own, unused], gradients((3 * own * others).sum(), [own, unused]), Group())
    assert others.grad is None
    assert unused.item() == 1.0
    assert gradient_norm([own, unused]).item() == pytest.approx((9 + 9) ** 0.5)


def test_rates_are_shares_of_the_base_rate() -> None:
    optimiser = make_optimiser(replace(get_recipe("dcgan"), learning_rate=0.4), [nn.Parameter(torch.ones(1))])
    for factor in (0.5, 0.25, 1.0):
        set_rate(optimiser, factor)
        assert optimiser.param_groups[0]["lr"] == pytest.approx(0.4 * factor)


def test_a_step_is_the_same_whatever_the_order_in_memory() -> None:
    """Weights with the channels last, as in bfloat16, move as those with the channels first."""
    torch.manual_seed(0)
    first = nn.Conv2d(3, 8, 3)
    last = copy.deepcopy(first).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(4, 3, 6, 6)
    for network in (first, last):
        parameters = list(network.parameters())
        optimiser = make_optimiser(replace(get_recipe("fast"), learning_rate=1e-2), parameters)
        for _ in range(3):
            leaf = images.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(network(leaf).square().sum(), leaf, create_graph=True)
            apply(optimiser, parameters, gradients(gradient.square().mean(), parameters), Group())
    assert last.weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last.weight, first.weight)
