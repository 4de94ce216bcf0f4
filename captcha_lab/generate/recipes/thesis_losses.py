"""Thesis, sections 2.3 and 3.1: the losses it names and describes, on its own convolutional networks.

The thesis prints formulas only, no run of these. Each therefore has the DCGAN's networks, optimiser and ratio of
steps, but for what the loss itself asks.
"""

from __future__ import annotations

from dataclasses import replace

from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.recipes.thesis import DCGAN

_SAME = "No run is printed: networks, optimiser, ratio and length are the DCGAN's."

RECIPES: tuple[Recipe, ...] = (
    replace(
        DCGAN,
        name="ali",
        summary="the logarithmic loss of ALI/BiGAN in which both players see both terms",
        source="thesis 3.1; Dumoulin et al. 2017",
        loss="ali",
        notes=_SAME
        + " Only the loss is taken over, as described; the paper's encoder and joint critic are not.",
    ),
    replace(
        DCGAN,
        name="lsgan",
        summary="least squares on the critic's probabilities, without the factor 1/2",
        source="thesis 3.1; Mao et al. 2017",
        loss="lsgan",
        loss_options={"half": False, "sigmoid": True},
        notes=_SAME + " The paper takes raw scores and has the factor 1/2 (recipe cs231n-lsgan).",
    ),
    replace(
        DCGAN,
        name="acgan",
        summary="the critic has two heads, real or fake and which class; the generator is conditioned on the class",
        source="thesis 3.1; Odena et al. 2017",
        conditioning="auxiliary",
        auxiliary_weight=1.0,
        notes=_SAME + " Both heads weigh the same, as in the paper.",
    ),
    replace(
        DCGAN,
        name="magan",
        summary="an auto-encoding critic: its error is an energy, with a margin that adapts",
        source="thesis 3.1; Wang et al. 2017",
        loss="magan",
        options={**DCGAN.options, "critic": "autoencoder"},
        generator_steps=1,
        notes=_SAME
        + " One generator step to one of the critic, as in the paper. The critic's decoder is built like "
        "the generator.",
    ),
    replace(
        DCGAN,
        name="began",
        summary="an auto-encoding critic whose energies of real and generated images are kept in balance",
        source="thesis 2.3; Berthelot et al. 2017",
        loss="began",
        options={**DCGAN.options, "critic": "autoencoder"},
        generator_steps=1,
        notes=_SAME
        + " One generator step to one of the critic, balance .5 and rate .001, as in the paper; the energy is the "
        "squared error, the paper's eta = 2. The critic's decoder is built like the generator.",
    ),
    replace(
        DCGAN,
        name="infogan",
        summary="unconditional, but parts of the noise can be read off an image: a category and two continuous codes",
        source="thesis 2.3; Chen et al. 2016",
        loss="infogan",
        options={**DCGAN.options, "categories": 32, "continuous": 2},
        notes=_SAME
        + " The first 32 values of the noise choose the category, the next two are the continuous codes. The head that "
        "reads them has the paper's 128 units with batch norm; both weights are the paper's.",
    ),
    replace(
        DCGAN,
        name="mrgan",
        summary="mode-regularised: an encoder, and a distance between real images and their reconstructions",
        source="thesis 3.1; Che et al. 2017",
        loss="mrgan",
        notes=_SAME + " The encoder is the critic's trunk with the noise's length at its end.",
    ),
)
