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

_SILENT = "Silent in the source: learning rate, noise and initial weights, chosen by trial; batch size, 64."

GAN_FC = Recipe(
    name="gan-fc",
    summary="fully connected GAN with cross-entropy: collapses into a wallpaper",
    source="thesis ch. 4, fig. 4-10",
    network="fc",
    loss="gan",
    critic_steps=3,
    learning_rate=5e-3,
    iterations=8500,
    notes=_SILENT
    + " Whether it collapses depends on the learning rate, which is not printed: with Adam at 2e-4, or "
    "RMSProp at wgan-fc's 1e-3, it did not in our runs of 1,200 to 4,000 iterations; from 2e-3 on it did. At 5e-3 it "
    "becomes the wallpaper of the figure within 600.",
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
    summary="convolutional GAN, one critic step to five of the generator; collapses when trained too long",
    source="thesis ch. 4, figs. 4-6 and 4-7",
    network="dcgan",
    noise="uniform",
    initialisation="normal02",
    loss="gan",
    generator_steps=5,
    iterations=800,
    notes=_SILENT
    + " It learnt well to 800 iterations (tried with other first weights); that it collapses near 1,480, as in "
    "fig. 4-7, was not repeated. The printed code applies a sigmoid and then a cross-entropy "
    "that applies it again; here once.",
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
    options={"update": True},
    clip_scope="update",
    opening=(50, 5, 1),
    switch=True,
    iterations=300,
    notes=_SILENT
    + " Ratios are given in words only: five critic steps to one until the critic's loss falls steadily, then the "
    "WDCGAN's one to five. The extra convolution starts as four times the identity; from small random weights it drew "
    "flat grey, and the generator had not learnt in 200 iterations.",
)

WDCGAN_GP = replace(
    WDCGAN,
    name="wdcgan-gp",
    summary="the WDCGAN's networks with a gradient penalty instead of the clip",
    source="thesis, fig. 6-1",
    options={"critic_norm": "layer"},
    clip=0.0,
    gradient_penalty=10.0,
    optimiser="adam",
    learning_rate=2e-4,
    beta2=0.999,
    iterations=860,
    notes="The printed penalty takes its norm over one image axis only; here over all pixels of a sample. Silent in "
    "the source: the ratio of steps (the WDCGAN's), optimiser and rate (the DCGAN's, not tried at length). Of no "
    "norm and layer norm in the critic, which it allows, layer norm.",
)

WGAN_FC_GP = replace(
    WGAN_FC,
    name="wgan-fc-gp",
    summary="the fully connected networks with a gradient penalty instead of the clip",
    source="thesis, fig. 6-3",
    clip=0.0,
    gradient_penalty=10.0,
    optimiser="adam",
    learning_rate=2e-4,
    beta2=0.999,
    iterations=4500,
    notes="The printed penalty takes its norm over one image axis only; here over all pixels of a sample. Silent in "
    "the source: the ratio of steps (that of wgan-fc), optimiser and rate; Adam at 2e-4 learnt for 1,500 iterations "
    "and little from there to 3,000, much as the thesis says.",
)


def _labelled(recipe: Recipe, name: str, summary: str, iterations: int) -> Recipe:
    """The thesis's labelled form: the one-hot label at the inputs of the fully connected layers."""
    source = "thesis ch. 4, fig. 4-15"
    return replace(
        recipe, name=name, summary=summary, source=source, conditioning="concat", iterations=iterations
    )


RECIPES: tuple[Recipe, ...] = (
    GAN_FC,
    WGAN_FC,
    DCGAN,
    WDCGAN,
    WDCGAN_UPDATE,
    _labelled(DCGAN, "dcgan-label", "the DCGAN conditioned on the character", 780),
    _labelled(WDCGAN, "wdcgan-label", "the WDCGAN conditioned on the character", 580),
    _labelled(WDCGAN_UPDATE, "wdcgan-update-label", "the thesis's own, conditioned on the character", 280),
    WDCGAN_GP,
    WGAN_FC_GP,
)
