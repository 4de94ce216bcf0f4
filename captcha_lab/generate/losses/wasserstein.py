"""Losses that are linear in the scores: Wasserstein and hinge."""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from captcha_lab.generate.losses.base import Adversarial, LossFamily
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.recipe import Recipe

THESIS_CLIP = 0.05


class Wasserstein(Adversarial):
    """Arjovsky et al. 2017, eq. 2 and 3; needs a constraint (clip, penalty, spectral norm) to mean a distance."""

    estimate = "wasserstein"

    def critic_loss(self, real: Criticism, fake: Criticism) -> Tensor:
        """Mean f - mean r: minus the estimate of the Wasserstein distance."""
        return fake.score.mean() - real.score.mean()

    def generator_loss(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """-mean f."""
        return -fake.score.mean()


class Hinge(Adversarial):
    """Lim and Ye 2017, eq. 5: the critic stops caring about images beyond the margin 1."""

    def critic_loss(self, real: Criticism, fake: Criticism) -> Tensor:
        """max(0, 1 - r) + max(0, 1 + f)."""
        return F.relu(1 - real.score).mean() + F.relu(1 + fake.score).mean()

    def generator_loss(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """-mean f."""
        return -fake.score.mean()


def constrained(recipe: Recipe, name: str) -> Recipe:
    """The recipe with the loss, and the thesis's clip where nothing else constrains the critic."""
    held = (
        recipe.clip or recipe.gradient_penalty or (recipe.r1 and recipe.r2) or recipe.options.get("spectral")
    )
    return replace(recipe, loss=name, loss_options={}, clip=recipe.clip if held else THESIS_CLIP)


LOSSES = (
    LossFamily(
        "wgan", "Wasserstein distance; Arjovsky et al. 2017", Wasserstein,
        recipe="wdcgan", glyph_recipe="fast-wgan", face_recipe="face-wdcgan", apply=constrained,
    ),
    LossFamily("hinge", "hinge; Lim and Ye 2017", Hinge),
)  # fmt: skip
