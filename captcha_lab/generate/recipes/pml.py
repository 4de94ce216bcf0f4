"""Python Machine Learning, 3rd edition, chapter 17: MNIST 28x28 in [-1, 1], and the remedies it names.

The remedies are shown on the thesis's DCGAN and glyphs, which the thesis saw collapse when trained long.
"""

from __future__ import annotations

from dataclasses import replace

from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.recipes.thesis import DCGAN as THESIS_DCGAN

_IMAGES = 60_000
_NORM = {"momentum": 0.01}  # its framework's batch norm keeps .99 of the running statistics; epsilon 1e-3


def _epochs(count: int, batch: int) -> int:
    """Iterations: the last partial batch of an epoch is dropped."""
    return count * (_IMAGES // batch)


GAN = Recipe(
    name="pml-gan",
    summary="fully connected GAN, dropout in the critic, the generator updated first",
    source="PML 3e ch. 17, first GAN",
    network="fc",
    options={
        "generator": (100,),
        "critic": (100,),
        "generator_slope": 0.3,
        "critic_slope": 0.3,
        "generator_bias": False,
        "dropout": 0.5,
    },
    image_shape=(1, 28, 28),
    classes=10,
    output_range=(-1.0, 1.0),
    noise="uniform",
    noise_size=20,
    initialisation="glorot",
    loss="gan",
    learning_rate=1e-3,
    beta1=0.9,
    batch_size=64,
    generator_first=True,
    reuse_fake=True,
    iterations=_epochs(100, 64),
    notes="The critic sees the images made before the generator's step. Initial weights and Adam's moments are its "
    "framework's defaults (Glorot; .9, .999).",
)

DCGAN = replace(
    GAN,
    name="pml-dcgan",
    summary="convolutional GAN with cross-entropy; trains badly, as the chapter says",
    source="PML 3e ch. 17, DCGAN",
    network="pml",
    options=_NORM,
    notes="The chapter gives no optimiser, batch size or order of steps for this form: those of its first GAN.",
)

WGAN_GP = replace(
    DCGAN,
    name="pml-wgan-gp",
    summary="the same networks with the Wasserstein loss and a gradient penalty",
    source="PML 3e ch. 17, WGAN-GP",
    loss="wgan",
    gradient_penalty=10.0,
    learning_rate=2e-4,
    batch_size=128,
    generator_first=False,
    reuse_fake=False,
    simultaneous=True,
    penalty_inference=True,
    iterations=_epochs(100, 128),
    notes="Its critic keeps batch norm under the penalty; the penalty calls it in inference mode (moving statistics, "
    "no dropout), and both networks step from one forward pass: as printed.",
)

VAE = replace(
    GAN,
    name="pml-vae",
    summary="variational auto-encoder: no critic, an encoder and a bound on the likelihood",
    source="PML 3e ch. 17 (named, not built); Kingma and Welling 2014",
    options={
        "generator": (500, 500),
        "critic": (500, 500),
        "variational": True,
    },
    output_range=(0.0, 1.0),
    noise="normal",
    loss="vae",
    batch_size=128,
    generator_first=False,
    reuse_fake=False,
    iterations=_epochs(20, 128),
    notes="No architecture is printed. Chosen: two hidden layers of 500 ReLU each way; pixels in [0, 1] as Bernoulli "
    "probabilities, so a sigmoid instead of a tanh; 20 epochs.",
)

_REMEDY = (
    "Shown on the thesis's DCGAN and glyphs, which collapsed there near 1,480 iterations (fig. 4-7); the chapter names "
    "the remedy without a run. "
)

RECIPES: tuple[Recipe, ...] = (
    GAN,
    DCGAN,
    WGAN_GP,
    VAE,
    replace(
        THESIS_DCGAN,
        name="dcgan-minibatch",
        summary="remedy for collapse: the critic sees how alike the samples of a batch are",
        source="PML 3e ch. 17; Salimans et al. 2016, section 3.2",
        options={**THESIS_DCGAN.options, "minibatch": 32, "minibatch_size": 8},
        notes=_REMEDY + "32 kernels of 8 values.",
    ),
    replace(
        THESIS_DCGAN,
        name="dcgan-feature-matching",
        summary="remedy for collapse: the generator also matches the critic's mean feature maps",
        source="PML 3e ch. 17; Salimans et al. 2016, section 3.1",
        options={**THESIS_DCGAN.options, "features": "maps"},
        feature_matching=1.0,
        notes=_REMEDY
        + "As the chapter says: a term over the critic's intermediate maps beside the loss (the paper "
        "has the matching alone: adversarial_weight 0). Its weight, 1, is not printed.",
    ),
    replace(
        THESIS_DCGAN,
        name="dcgan-replay",
        summary="remedy for collapse: the critic is reminded of old samples",
        source="PML 3e ch. 17; Shrivastava et al. 2017, section 2.3",
        replay=0.5,
        notes=_REMEDY + "Half of each generated batch is old, as in the paper.",
    ),
)
