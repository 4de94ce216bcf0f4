"""What keeps a critic smooth: clipping and gradient penalties (spectral norm is in `networks.parts.spectral`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from captcha_lab.errors import UsageError
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.networks.parts.layers import role
from captcha_lab.generate.recipe import CLIP_SCOPES

Critic = Callable[[Tensor, Tensor | None], Criticism]


def clipped_parameters(critic: nn.Module, generator: nn.Module, scope: str) -> list[Tensor]:
    """The parameters that weight clipping holds in a range.

    Args:
        critic: the critic.
        generator: the generator.
        scope: "all": every weight and bias of the critic (Arjovsky et al. 2017, algorithm 1), but not the gains of
            a normalisation, which start at 1: a clip at .05 would divide the signal by 20; "update": the thesis's
            update (section 4.4): weights, never biases, of the critic's fully connected layers and of
            the generator's fully connected and transposed convolution layers.

    Raises:
        UsageError: another scope.
    """
    if scope not in CLIP_SCOPES:
        raise UsageError(f"No clip scope {scope!r}: choose one of {', '.join(CLIP_SCOPES)}.")
    if scope == "all":
        norms = [m for m in critic.modules() if role(m) == "normalisation"]
        left = {id(p) for m in norms for p in m.parameters(recurse=False)}
        return [p for p in critic.parameters() if id(p) not in left]
    held = ((critic, ("dense",)), (generator, ("dense", "transposed")))
    return [m.get_parameter("weight") for net, roles in held for m in net.modules() if role(m) in roles]


@torch.no_grad()
def clip(parameters: Iterable[Tensor], limit: float) -> None:
    """Clip every number to [-limit, limit], in place."""
    held = list(parameters)
    torch._foreach_clamp_min_(held, -limit)
    torch._foreach_clamp_max_(held, limit)


def gradient_penalty(
    critic: Critic, real: Tensor, fake: Tensor, condition: Tensor | None, alpha: Tensor
) -> Tensor:
    """Gulrajani et al. 2017, eq. 3 without lambda: mean over samples of (|grad critic(x^)| - 1)^2.

    The norm is taken over all pixels and channels of a sample, and every sample has its own alpha. The thesis's
    appendix takes the norm over one image axis only, and the CS231n notebook draws one alpha and takes one norm
    for the whole batch: both are mended here.

    Args:
        critic: differentiable twice.
        real: [N, C, H, W].
        fake: [N, C, H, W], detached.
        condition: [N, K] or None.
        alpha: [N] in [0, 1], the place of x^ between real (1) and fake (0).
    """
    weight = alpha.view(-1, *[1] * (real.ndim - 1))
    between = (weight * real + (1 - weight) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between, condition).score.sum(), between, create_graph=True)
    # The root has no derivative at 0, where a dead critic would be.
    norm = (gradient.flatten(1).square().sum(1) + 1e-12).sqrt()
    return (norm - 1).square().mean()


def squared_gradients(scores: Tensor, images: Sequence[Tensor]) -> Tensor:
    """|grad score|^2 of every image: its mean over real images is R1, over generated ones R2 (without gamma/2).

    Mescheder et al. 2018, eq. 9 and 10. All gradients are taken in one pass.

    Args:
        scores: the sum of the scores of all images (a scalar), computed from `images`, which require gradients.
        images: batches [N, C, H, W].

    Returns:
        [sum of all N], in the order of `images`.
    """
    gradients = torch.autograd.grad(scores, list(images), create_graph=True)
    return torch.cat([g.flatten(1).square().sum(1) for g in gradients])
