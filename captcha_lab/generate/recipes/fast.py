"""Ours: the default recipe, a quick draft of it and a long run of it."""

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
    auxiliary_weight=0.1,
    auxiliary_on_fake=False,
    loss="rpgan",
    r1=0.5,
    r2=0.5,
    learning_rate=1e-3,
    beta1=0.0,
    beta2=0.99,
    batch_size=128,
    schedule="cosine",
    warmup=100,
    ema=0.998,
    iterations=3000,
)

DRAFT = replace(
    FAST,
    name="draft",
    summary="the default in a quarter of its time",
    ema=0.99,
    iterations=800,
)

QUALITY = replace(
    FAST,
    name="quality",
    summary="the default with more codes, trained several minutes",
    ema=0.999,
    iterations=15000,
)

RECIPES = (FAST, DRAFT, QUALITY)
