"""Thesis, chapter 4: captcha glyphs 20x20x1 in [0, 1].

The thesis gives layers, ratios of critic to generator steps, clips and iterations. It is silent on learning rates,
batch sizes, the noise's distribution and the initial weights, and gives the noise's length (128) for the DCGAN
alone; these were chosen by short runs on its own glyphs so that each system does what its figure shows.

The convolutional systems begin as Radford et al. 2016 do, with weights from N(0, .02) and uniform noise. It matters
for the labelled forms: with larger first weights and normal noise the 32 label inputs drown among 3,200 others, above
all under a clip (an early wdcgan-update-label: 6 % of glyphs read as the class asked for after 140 iterations, and
42 % with nothing else changed).
"""

from __future__ import annotations

from dataclasses import replace

from captcha_lab.generate.recipe import Recipe

# Appendix 2: batch normalisation is a function without variables, and sampling normalises by the batch as well.
NORM = {"gain": False, "momentum": 1.0}
_SILENT = "Silent in the source: learning rate, noise and initial weights, chosen by trial; batch size, 64."
_TWICE = (
    " The critic ends in a sigmoid, clipped to [1e-7, 1 - 1e-7], and is passed as logits to a cross-entropy that "
    "applies the sigmoid again: gradients vanish where the critic is sure. The figures show it."
)

GAN_FC = Recipe(
    name="gan-fc",
    summary="fully connected GAN with cross-entropy, the sigmoid applied once",
    source="thesis ch. 4, fig. 4-10",
    network="fc",
    loss="gan",
    critic_steps=3,
    learning_rate=1e-3,
    iterations=8500,
    notes=_SILENT + " The figure was made with the printed loss (gan-fc-printed), which collapses.",
)

GAN_FC_PRINTED = replace(
    GAN_FC,
    name="gan-fc-printed",
    summary="fully connected GAN with the loss as printed: collapses into a wallpaper",
    loss="gan-printed",
    notes=_SILENT + _TWICE,
)

WGAN_FC = replace(
    GAN_FC,
    name="wgan-fc",
    summary="the same networks with the Wasserstein loss and every critic parameter clipped",
    source="thesis ch. 4, fig. 4-9",
    loss="wgan",
    optimiser="rmsprop",
    learning_rate=1e-3,
    beta2=0.9,
    clip=0.05,
    notes=_SILENT + " RMSProp's smoothing of .9 is its framework's default.",
)

DCGAN = Recipe(
    name="dcgan",
    summary="convolutional GAN, one critic step to five of the generator, the sigmoid applied once",
    source="thesis ch. 4, figs. 4-6 and 4-7",
    network="dcgan",
    options=NORM,
    noise="uniform",
    initialisation="normal02",
    loss="gan",
    generator_steps=5,
    iterations=800,
    notes=_SILENT
    + " The figures were made with the printed loss, which applies the sigmoid twice (dcgan-printed); here once.",
)

DCGAN_PRINTED = replace(
    DCGAN,
    name="dcgan-printed",
    summary="the DCGAN with the loss as printed, which saturates: collapses",
    loss="gan-printed",
    notes=_SILENT + _TWICE,
)

WDCGAN = replace(
    DCGAN,
    name="wdcgan",
    summary="the DCGAN's networks with the Wasserstein loss and every critic parameter clipped",
    source="thesis ch. 4, figs. 4-11 and 4-12",
    loss="wgan",
    optimiser="rmsprop",
    learning_rate=5e-4,
    beta2=0.9,
    clip=0.05,
    iterations=460,
    notes=WGAN_FC.notes,
)

WDCGAN_UPDATE = replace(
    WDCGAN,
    name="wdcgan-update",
    summary="the thesis's own: clips fully connected and transposed weights only, one more convolution at the end",
    source="thesis ch. 4, fig. 4-13",
    options={**NORM, "update": True},
    clip_scope="update",
    iterations=300,
    notes=_SILENT
    + " Rate and ratio are the WDCGAN's, which section 4.4 says were not adjusted. The extra convolution "
    "starts as four times the identity; from small random weights it drew flat grey, and the generator had not learnt "
    "in 200 iterations.",
)

WDCGAN_UPDATE_RESTATED = replace(
    WDCGAN_UPDATE,
    name="wdcgan-update-restated",
    summary="the same, more critic steps first and more generator steps once the critic's loss falls steadily",
    source="thesis ch. 4, end of section 4.4",
    opening=(50, 5, 1),
    switch=True,
    notes=_SILENT
    + " The method as the section's last paragraph restates it; no figure shows it. Ratios are given in words only: "
    "five critic steps to one, then the WDCGAN's one to five, after 50 iterations at the latest.",
)

_PENALTY = "The printed penalty takes its norm over one image axis only; here over all pixels of a sample. "

WDCGAN_GP = replace(
    WDCGAN_UPDATE,
    name="wdcgan-gp",
    summary="the update's model with a gradient penalty instead of the clip",
    source="thesis, fig. 6-1",
    options={**WDCGAN_UPDATE.options, "critic_norm": "layer"},
    clip=0.0,
    clip_scope="all",
    gradient_penalty=10.0,
    iterations=860,
    notes=_PENALTY
    + "Chapter 6 changes nothing else of section 4.4: optimiser, rate and ratio are wdcgan-update's. Of "
    "no norm and layer norm in the critic, which it allows, layer norm.",
)

WGAN_FC_GP = replace(
    WGAN_FC,
    name="wgan-fc-gp",
    summary="the fully connected networks with a gradient penalty instead of the clip",
    source="thesis, fig. 6-3",
    clip=0.0,
    gradient_penalty=10.0,
    iterations=4500,
    notes=_PENALTY + "Chapter 6 changes nothing else: optimiser, rate and ratio are wgan-fc's.",
)


def _labelled(recipe: Recipe, name: str, summary: str, iterations: int) -> Recipe:
    """The thesis's labelled form: the one-hot label at the inputs of the fully connected layers."""
    source = "thesis ch. 4, fig. 4-15"
    return replace(
        recipe, name=name, summary=summary, source=source, conditioning="concat", iterations=iterations
    )


RECIPES: tuple[Recipe, ...] = (
    GAN_FC,
    GAN_FC_PRINTED,
    WGAN_FC,
    DCGAN,
    DCGAN_PRINTED,
    WDCGAN,
    WDCGAN_UPDATE,
    WDCGAN_UPDATE_RESTATED,
    _labelled(DCGAN, "dcgan-label", "the DCGAN conditioned on the character", 780),
    _labelled(
        DCGAN_PRINTED,
        "dcgan-label-printed",
        "the conditional DCGAN with the loss as printed, which saturates",
        780,
    ),
    _labelled(WDCGAN, "wdcgan-label", "the WDCGAN conditioned on the character", 580),
    _labelled(WDCGAN_UPDATE, "wdcgan-update-label", "the thesis's own, conditioned on the character", 280),
    WDCGAN_GP,
    WGAN_FC_GP,
)
