"""Thesis, chapter 4: captcha glyphs 20x20x1 in [0, 1].

The thesis gives layers, ratios of critic to generator steps, clips and iterations. It is silent on learning rates,
batch sizes, the noise's distribution and the initial weights, and gives the noise's length (128) for the DCGAN
alone; these were chosen by short runs on its own glyphs so that each system does what its figure shows.
"""

from __future__ import annotations

from dataclasses import replace

from captcha_lab.generate.recipe import Recipe

_SILENT = (
    "Silent in the source and chosen by trial: learning rate, batch size, normal noise, initial weights."
)

GAN_FC = Recipe(
    name="gan-fc",
    summary="fully connected GAN with cross-entropy: collapses into a wallpaper",
    source="thesis 4.2.2, fig. 4-10",
    network="fc",
    loss="gan",
    critic_steps=3,
    iterations=8500,
    notes=_SILENT,
)

WGAN_FC = replace(
    GAN_FC,
    name="wgan-fc",
    summary="the same networks with the Wasserstein loss and every critic parameter clipped",
    source="thesis 4.2.2, fig. 4-9",
    loss="wgan",
    optimiser="rmsprop",
    clip=0.05,
)

DCGAN = Recipe(
    name="dcgan",
    summary="convolutional GAN, one critic step to five of the generator; collapses when trained too long",
    source="thesis 4.2.1, figs. 4-6 and 4-7",
    network="dcgan",
    loss="gan",
    generator_steps=5,
    iterations=800,
    notes=_SILENT
    + " The printed code applies a sigmoid and then a cross-entropy that applies it again; here once.",
)

WDCGAN = replace(
    DCGAN,
    name="wdcgan",
    summary="the DCGAN's networks with the Wasserstein loss and every critic parameter clipped",
    source="thesis 4.2.3, figs. 4-11 and 4-12",
    loss="wgan",
    optimiser="rmsprop",
    clip=0.05,
    iterations=460,
    notes=_SILENT,
)

WDCGAN_UPDATE = replace(
    WDCGAN,
    name="wdcgan-update",
    summary="the thesis's own: clips fully connected and transposed weights only, one more convolution at the end",
    source="thesis 4.3, fig. 4-13",
    options={"update": True},
    clip_scope="update",
    opening=(50, 5, 1),
    switch=True,
    iterations=300,
)

RECIPES: tuple[Recipe, ...] = (
    GAN_FC,
    WGAN_FC,
    DCGAN,
    WDCGAN,
    WDCGAN_UPDATE,
    replace(DCGAN, name="dcgan-label", conditioning="concat", iterations=780),
    replace(WDCGAN, name="wdcgan-label", conditioning="concat", iterations=580),
    replace(WDCGAN_UPDATE, name="wdcgan-update-label", conditioning="concat", iterations=280),
)
