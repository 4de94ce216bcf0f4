"""The gradient that a generator gets from a trained critic in one dimension, loss by loss."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from captcha_lab.generate.explain.topic import Explanation, Topic
from captcha_lab.generate.losses import make_loss
from captcha_lab.generate.losses.base import Adversarial
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.players.penalties import clip

REAL, FAKE, SPREAD = 2.0, -2.0, 0.5
STEPS, BATCH, CLIP = 300, 256, 0.1
SHOWN = {
    "minimax": "minimax",
    "gan": "non-saturating",
    "gan-printed": "sigmoid twice, as the thesis prints it",
    "wgan": "Wasserstein",
}


def explain(seed: int) -> Explanation:
    """A critic for each loss is trained to tell N(2, .5) from N(-2, .5); gradients of the generator's loss follow."""
    grid = torch.linspace(-4, 4, 161)
    gradients: dict[str, Tensor] = {}
    for name in SHOWN:
        loss = cast(Adversarial, make_loss(name, {}))
        critic = _trained(loss, name == "wgan", seed)
        at = grid[:, None].clone().requires_grad_()
        total = sum(loss.generator_loss(_judged(critic, x[None])) for x in at)
        (gradient,) = torch.autograd.grad(cast(Tensor, total), at)
        gradients[name] = gradient.abs().squeeze(1)
    between = gradients["wgan"][(grid >= FAKE) & (grid <= REAL)]
    here = int((grid - FAKE).abs().argmin())
    sizes = {name: float(gradient[here]) for name, gradient in gradients.items()}
    paragraph = (
        f"Real numbers lie about {REAL:g}, generated ones about {FAKE:g}; a small critic is trained for "
        f"{STEPS} steps "
        "with each loss, until it is nearly always right. What matters to the generator is the slope of its "
        "loss where its "
        f"own samples are. With the minimax loss it is {sizes['minimax']:.1e} there: the better the critic, the less "
        "the generator learns. The non-saturating loss, which maximises log D(G(z)), leaves "
        f"{sizes['gan']:.1e}. The loss as the thesis prints it, which applies the sigmoid twice, leaves "
        f"{sizes['gan-printed']:.1e}. The Wasserstein critic, its weights clipped to ±{CLIP:g}, has a slope of "
        f"{sizes['wgan']:.1e}, and between {float(between.min()):.1e} and {float(between.max()):.1e} on the "
        f"way to the "
        "real numbers: its scale is the clip's, and it does not vanish."
    )

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for name, label in SHOWN.items():
            axes.semilogy(grid, gradients[name].clamp_min(1e-12), label=label)
        for place, label in ((FAKE, "generated"), (REAL, "real")):
            axes.axvline(place, linestyle=":", color="black", linewidth=1)
            axes.text(place, axes.get_ylim()[0], f" {label}", va="bottom")
        axes.set_xlabel("sample")
        axes.set_ylabel("size of the generator's gradient")
        axes.legend(fontsize="small")

    return Explanation(paragraph, {"gradient_at_generated": sizes}, draw)


def _trained(loss: Adversarial, clipped: bool, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        critic = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
        optimiser = torch.optim.Adam(critic.parameters(), lr=5e-3)
        for _ in range(STEPS):
            real, fake = (place + SPREAD * torch.randn(BATCH, 1) for place in (REAL, FAKE))
            optimiser.zero_grad()
            loss.critic_loss(_judged(critic, real), _judged(critic, fake)).backward()
            optimiser.step()
            if clipped:
                clip(critic.parameters(), CLIP)
    return critic.requires_grad_(False)


def _judged(critic: nn.Module, samples: Tensor) -> Criticism:
    return Criticism(critic(samples).squeeze(1), samples)


TOPIC = Topic(
    "saturation",
    "the generator's gradient from a good critic: GAN losses beside Wasserstein, in one dimension",
    "thesis, Wasserstein chapter and appendix (the printed loss); Arjovsky et al. 2017, figure 2",
    explain,
)
