"""Gradients through a deep critic whose weights are clipped: they vanish or explode with the clip."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from captcha_lab.generate.explain.mixture import ring
from captcha_lab.generate.explain.topic import Explanation, Topic
from captcha_lab.generate.players.penalties import clip

LAYERS, WIDTH, STEPS, BATCH = 12, 64, 60, 128
CLIPS = (0.01, 0.05, 0.1, 0.3)


def explain(seed: int) -> Explanation:
    """A Wasserstein critic of twelve layers is trained on a ring of Gaussians under each clip."""
    norms = {limit: _layer_norms(limit, seed) for limit in CLIPS}
    ratios = {limit: values[0] / max(values[-1], 1e-30) for limit, values in norms.items()}
    small, large = CLIPS[0], CLIPS[-1]
    paragraph = (
        f"A critic of {LAYERS} layers of {WIDTH} units is trained for {STEPS} steps with the Wasserstein loss, its "
        "weights clipped to ±c after each. The gradient of its loss is followed back through the layers: from "
        "the last "
        f"to the first it is multiplied by {ratios[small]:.1e} with c = {small:g} and by {ratios[large]:.1e} "
        f"with c = "
        f"{large:g}. Every layer scales it by a factor that grows with the clip, so it vanishes or explodes "
        f"exponentially "
        "in the depth, and only a narrow range of clips lets it through. A penalty on the gradient's norm has "
        "no such "
        "range to be found."
    )

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for limit, values in norms.items():
            axes.semilogy(
                range(1, LAYERS + 1), [max(v, 1e-30) for v in values], marker=".", label=f"clip {limit:g}"
            )
        axes.set_xlabel("layer, from the input on")
        axes.set_ylabel("gradient norm at the layer")
        axes.legend(fontsize="small")

    figures = {"gradient_norms": {f"{limit:g}": values for limit, values in norms.items()}}
    return Explanation(paragraph, figures, draw)


def _layer_norms(limit: float, seed: int) -> list[float]:
    """Norms of the loss's gradient at the outputs of the layers, from the first on."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Linear(2 if k == 0 else WIDTH, WIDTH) for k in range(LAYERS)]
        last = nn.Linear(WIDTH, 1)
        parameters = [p for layer in (*layers, last) for p in layer.parameters()]
        optimiser = torch.optim.RMSprop(parameters, lr=1e-3)
        clip(parameters, limit)
        hidden: list[torch.Tensor] = []
        for _ in range(STEPS):
            fake, real = torch.randn(BATCH, 2), ring(BATCH)
            tensor, hidden = torch.cat([real, fake]), []
            for layer in layers:
                tensor = layer(tensor).relu()
                hidden.append(tensor)
            score = last(tensor)
            loss = score[BATCH:].mean() - score[:BATCH].mean()
            found = torch.autograd.grad(loss, [*parameters, *hidden], allow_unused=True)
            for parameter, gradient in zip(parameters, found, strict=False):
                parameter.grad = gradient
            optimiser.step()
            clip(parameters, limit)
    return [0.0 if g is None else float(g.norm()) for g in found[len(parameters) :]]


TOPIC = Topic(
    "clipping",
    "the gradient's norm by layer under several clips: exploding and vanishing",
    "thesis, chapter 6; Gulrajani et al. 2017, figure 1b",
    explain,
)
