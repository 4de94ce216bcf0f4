"""The GAN lecture slides: MNIST in [-1, 1], fully connected at 28x28, convolutional at 32x32.

The deck gives normal noise of 100 and Adam at 2e-4 (.5, .999), and says of the DCGAN that its weights begin as
N(0, .02); the fully connected networks begin as their framework does. It is silent on batch size
(64 here) and shows samples of up to 200 epochs.
"""

from __future__ import annotations

from dataclasses import replace

from captcha_lab.generate.recipe import Recipe

_EPOCHS = 200 * -(-60_000 // 64)  # the last partial batch counts
_SILENT = "Silent in the source: batch size (64). Samples are shown up to 200 epochs (--epochs for fewer)."

_LAYERS = {"linear_norm": False, "bias": True}  # of the convolutional networks, as printed

GAN = Recipe(
    name="slides-gan",
    summary="fully connected GAN with batch norm in the generator",
    source="GAN slides, GAN",
    network="fc",
    options={
        "generator": (128, 256, 512),
        "critic": (512, 256),
        "generator_slope": 0.2,
        "critic_slope": 0.2,
        "generator_norms": ("none", "batch", "batch"),
        "epsilon": 0.8,
        "label_layers": "first",
    },
    image_shape=(1, 28, 28),
    classes=10,
    output_range=(-1.0, 1.0),
    noise_size=100,
    initialisation="torch-default",
    loss="gan",
    learning_rate=2e-4,
    batch_size=64,
    reuse_fake=True,
    iterations=_EPOCHS,
    notes=_SILENT
    + " The batch norm's epsilon of .8 is printed; code that the deck follows passes it where a momentum "
    "was probably meant.",
)

CGAN = replace(
    GAN,
    name="slides-cgan",
    summary="conditional: one-hot at both inputs, generated labels uniform",
    source="GAN slides, conditional GAN",
    conditioning="concat",
    fake_labels="uniform",
    notes=_SILENT,
)

DCGAN = replace(
    GAN,
    name="slides-dcgan",
    summary="convolutional GAN at 32x32 with cross-entropy",
    source="GAN slides, DCGAN",
    network="slides",
    options=_LAYERS,
    initialisation="normal02",
    image_shape=(1, 32, 32),
    resize=True,
    notes=_SILENT + " No activation is printed after the generator's linear layer: none.",
)

RECIPES: tuple[Recipe, ...] = (
    GAN,
    CGAN,
    replace(
        CGAN,
        name="slides-improved-cgan",
        summary="conditional, and real images with wrong labels are further negatives",
        source="GAN slides, improved conditional GAN",
        wrong_labels=True,
    ),
    DCGAN,
    replace(
        DCGAN,
        name="slides-wgan",
        summary="the same networks with the Wasserstein loss and the critic clipped",
        source="GAN slides, WGAN",
        loss="wgan",
        optimiser="rmsprop",
        learning_rate=5e-5,
        beta2=0.99,
        clip=0.01,
        critic_steps=5,
        notes=_SILENT
        + " RMSProp of the two optimisers it offers; learning rate and five critic steps are the paper's."
        " The deck shows it without batch norm too, where the DCGAN fails: "
        '`--set options={"critic_norm":"none","generator_norm":"none"}` on either.',
    ),
    replace(
        DCGAN,
        name="slides-wgan-gp",
        summary="the Wasserstein loss with a gradient penalty",
        source="GAN slides, WGAN-GP",
        options={**_LAYERS, "critic_norm": "none"},
        loss="wgan",
        gradient_penalty=10.0,
        learning_rate=1e-4,
        beta1=0.0,
        beta2=0.9,
        critic_steps=5,
        notes=_SILENT
        + " No networks are printed: the deck's DCGAN without batch norm in the critic. Adam and five "
        "critic steps are the paper's.",
    ),
)
