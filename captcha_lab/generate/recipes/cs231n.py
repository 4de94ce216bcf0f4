"""The CS231n notebook on generative adversarial networks: MNIST 28x28 in [-1, 1]."""

from __future__ import annotations

from dataclasses import replace

from captcha_lab.generate.recipe import Recipe

_IMAGES = 55_000  # the notebook's training split of MNIST


def _epochs(count: int) -> int:
    """Iterations: the notebook runs int(images * epochs / batch)."""
    return _IMAGES * count // 128


# Its framework's batch norm, called with `training=True` everywhere: statistics of the batch, when sampling too.
_NORM = {"epsilon": 1e-3, "momentum": 1.0}

GAN = Recipe(
    name="cs231n-gan",
    summary="fully connected GAN with cross-entropy",
    source="CS231n notebook, vanilla GAN",
    network="fc",
    options={"generator": (1024, 1024), "critic": (256, 256), "critic_slope": 0.01, "label_layers": "first"},
    image_shape=(1, 28, 28),
    classes=10,
    output_range=(-1.0, 1.0),
    noise="uniform",
    noise_size=96,
    initialisation="glorot",
    loss="gan",
    learning_rate=1e-3,
    batch_size=128,
    iterations=_epochs(10),
    notes="Initial weights are its framework's default (Glorot). Has no conditional form; --label concatenates at "
    "the inputs.",
)

DCGAN = replace(
    GAN,
    name="cs231n-dcgan",
    summary="convolutional GAN with cross-entropy",
    source="CS231n notebook, deep convolutional GAN",
    network="cs231n",
    options=_NORM,
    iterations=_epochs(5),
    notes="Initial weights are its framework's default (Glorot).",
)

RECIPES: tuple[Recipe, ...] = (
    GAN,
    replace(
        GAN,
        name="cs231n-lsgan",
        summary="the same networks with least squares on raw scores, factor 1/2",
        source="CS231n notebook, least squares GAN",
        loss="lsgan",
        loss_options={"half": True, "sigmoid": False},
    ),
    DCGAN,
    replace(
        DCGAN,
        name="cs231n-wgan-gp",
        summary="a strided critic, the Wasserstein loss and a gradient penalty",
        source="CS231n notebook, WGAN-GP",
        options={**_NORM, "critic": "strided"},
        loss="wgan",
        gradient_penalty=10.0,
        notes="The source draws one epsilon and takes one norm for the whole batch; here one per sample, as the paper "
        "has it. Its critic keeps one batch norm, which the paper advises against, as printed.",
    ),
    replace(
        DCGAN,
        name="cs231n-semi",
        summary="semi-supervised: the critic names the class, generated images being one more; a few labels suffice",
        source="CS231n notebook, extra credit; Salimans et al. 2016, section 5",
        conditioning="semi-supervised",
        auxiliary_weight=1.0,
        feature_matching=1.0,
        adversarial_weight=0.0,
        learning_rate=3e-4,
        notes="The notebook names it without a program: networks and batch norm are its DCGAN's; loss, feature "
        "matching for the generator and the rate are the paper's. Every step of the critic also sees as many "
        "labelled images as a batch has, drawn with replacement.",
    ),
)
