"""Losses of critics that also classify: AC-GAN."""

from __future__ import annotations

from dataclasses import replace

from captcha_lab.generate.losses.base import LossFamily
from captcha_lab.generate.losses.gan import NonSaturating
from captcha_lab.generate.recipe import Recipe


def classified(recipe: Recipe, name: str) -> Recipe:
    """The recipe with cross-entropy and a classifier beside the score, both of the same weight unless it says."""
    return replace(
        recipe,
        loss="gan",
        loss_options={} if recipe.loss != "gan" else recipe.loss_options,
        conditioning="auxiliary",
        auxiliary_weight=recipe.auxiliary_weight or 1.0,
        wrong_labels=False,
    )


LOSSES = (
    LossFamily(
        "acgan", "cross-entropy and a classifier in the critic; Odena et al. 2017", NonSaturating,
        recipe="acgan", apply=classified, labelled=True,
    ),
)  # fmt: skip
