"""Ours: the default recipe, a quick draft of it, a long run of it, and its form with the Wasserstein loss."""

from __future__ import annotations

from dataclasses import replace

from captcha_lab.generate.recipe import Recipe

FAST = Recipe(
    name="fast",
    summary="the default: a stencil times an ink, relativistic pairing with R1 and R2; about a minute",
    source="ours; loss and penalties after Huang et al. 2024 (R3GAN)",
    network="fast",
    noise_size=128,
    conditioning="projection",
    auxiliary_weight=0.05,
    auxiliary_on_fake=False,
    loss="rpgan",
    r1=4.0,
    r2=4.0,
    penalty_end=0.3,
    penalty_every=4,
    learning_rate=1.5e-3,
    beta1=0.0,
    beta2=0.99,
    batch_size=128,
    reuse_fake=True,
    bfloat16=True,
    schedule="cosine",
    rate_end=0.1,
    warmup=100,
    ema=0.999,
    iterations=3000,
    notes="Noise without codes leaves broken glyphs between the shapes, and 256 codes without the critic's tone figure "
    "lose a fifth of recall. Penalties on every fourth step are as good as on every step. How often each shape comes "
    "is the last thing learnt: a low last rate and a long average settle it. Strong penalties allow a higher rate: "
    "edges are exact after 2,000 iterations instead of 3,000.",
)

WGAN_LABEL = replace(
    FAST,
    name="fast-wgan-label",
    summary="the default's networks with the Wasserstein loss, conditioned on the label; about a minute",
    source="ours; loss after Arjovsky et al. 2017, penalties after Mescheder et al. 2018",
    loss="wgan",
    notes="The critic is held by penalties on its squared gradient at real and generated images (R1 and R2) instead "
    "of a clip. Clipped, the same networks read 40 % as asked after 800 iterations; with the penalties 99.8 %.",
)

WGAN = replace(
    WGAN_LABEL.without_label(),
    name="fast-wgan",
    summary="the default's networks with the Wasserstein loss, without a condition; about a minute",
)

DRAFT = replace(
    FAST,
    name="draft",
    summary="the default in a third of its time",
    iterations=1000,
)

QUALITY = replace(
    FAST,
    name="quality",
    summary="the default trained three times as long: several minutes",
    iterations=9000,
)

DIGITS = replace(
    FAST,
    name="fast-digits",
    summary="the default for light ink on black with soft edges, as MNIST's",
    image_shape=(1, 28, 28),
    classes=10,
    options={"paper": 0.0, "crisp": False, "codes": 0, "spectrum": 1.0},
    r1=0.3,
    r2=0.3,
    penalty_end=30.0,
    rate_end=0.3,
    ema=0.995,
    spread=1.2,
    notes="With crisp edges and white paper MNIST collapses. The stencil is made of cosine waves: with pixels recall "
    "after a minute is 55 % instead of 70. Strong penalties from the start cost recall; with weak ones, or a rate that "
    "falls to a tenth, the critic gets ahead towards the end: so they grow thirtyfold. What is drawn is too typical: "
    "noise that is wider than in training gives recall for a little of what is read as asked. Codes are no better than "
    "noise as it is.",
)

# What they reached on real data and in which time; models/README.md has the commands. Of glyphs: the thesis's captchas.
REACHED = {
    "fast": "glyphs, 1 min of two cores: 99.9 % read as asked, Fréchet distance 22 (real 23), recall 99 % (real 99)",
    "draft": "glyphs, 42 s: Fréchet distance 18.0 (real 16.9), speckled",
    "quality": "glyphs, 5 min: Fréchet distance 16.0 (real 16.9), coverage 97.9 % (real 96.5)",
    "fast-wgan-label": "glyphs, 2 min of one core: 100 % read as asked, recall 99.0 % (real 99.5)",
    "fast-digits": "MNIST, 5 min of one core: 99.2 % read as asked, recall 84.8 % (real 94.2), coverage 90.1 % (95.4)",
}

RECIPES = (FAST, DIGITS, DRAFT, QUALITY, WGAN, WGAN_LABEL)
