"""The registry's recipes at full size against what their sources print: values and parameter counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from captcha_lab.generate.networks import build_critic, build_generator
from captcha_lab.generate.recipes import get_recipe, recipes
from captcha_lab.generate.training.trainer import network_spec
from tests.generate.generator_tools import counting_statistics, trainable

NORM = {"gain": False, "momentum": 1.0}  # batch norm without variables; sampling by the statistics of a batch
UPDATE = {"options": {**NORM, "update": True}, "clip": 0.05, "clip_scope": "update"}
FACE_UPDATE = {**UPDATE, "options": {"update": True}}
CRITICS_FIRST = {"opening": (25, 5, 2), "critic_steps": 2, "generator_steps": 1}
ONE_TO_FIVE = {"critic_steps": 1, "generator_steps": 5, "opening": None, "switch": False}
FC = {"optimiser": "rmsprop", "clip": 0.05, "clip_scope": "all", "critic_steps": 3, "generator_steps": 1}
CS231N_NORM = {"epsilon": 1e-3, "momentum": 1.0}  # always with batch statistics
CS231N = {
    "image_shape": (1, 28, 28), "output_range": (-1, 1), "noise": "uniform", "noise_size": 96, "batch_size": 128,
    "optimiser": "adam", "learning_rate": 1e-3, "beta1": 0.5, "critic_steps": 1, "generator_steps": 1,
}  # fmt: skip
PML_FC = {
    "generator": (100,), "critic": (100,), "generator_slope": 0.3, "critic_slope": 0.3, "generator_bias": False,
    "dropout": 0.5,
}  # fmt: skip
SLIDES_FC = {
    "generator": (128, 256, 512), "critic": (512, 256), "generator_slope": 0.2, "critic_slope": 0.2,
    "generator_norms": ("none", "batch", "batch"), "epsilon": 0.8, "label_layers": "first",
}  # fmt: skip
PML = {"image_shape": (1, 28, 28), "output_range": (-1, 1), "noise": "uniform", "noise_size": 20}
SLIDES = {"output_range": (-1, 1), "noise": "normal", "noise_size": 100}
AS_BUILT = {"initialisation": "torch-default", "reuse_fake": True}  # fully connected: as the framework starts
LAYERS = {"linear_norm": False, "bias": True}
ADAM = {"optimiser": "adam", "learning_rate": 2e-4, "beta1": 0.5, "beta2": 0.999}

PRINTED: dict[str, dict[str, Any]] = {
    "gan-fc": {"loss": "gan", "clip": 0, "iterations": 8500},
    "gan-fc-printed": {"loss": "gan-printed", "learning_rate": 1e-3, "iterations": 8500},
    "wgan-fc": {**FC, "loss": "wgan", "iterations": 8500},
    "dcgan": {"loss": "gan", "noise_size": 128, "optimiser": "adam", "beta1": 0.5, "critic_steps": 1,
              "generator_steps": 5, "iterations": 800},
    "wdcgan": {"loss": "wgan", "optimiser": "rmsprop", "clip": 0.05, "clip_scope": "all", "critic_steps": 1,
               "generator_steps": 5, "iterations": 460},
    "dcgan-printed": {"loss": "gan-printed", "learning_rate": 2e-4, "iterations": 800},
    "dcgan-label-printed": {"loss": "gan-printed", "conditioning": "concat", "iterations": 780},
    "wdcgan-update": {**UPDATE, **ONE_TO_FIVE, "loss": "wgan", "learning_rate": 5e-4, "iterations": 300},
    "wdcgan-update-restated": {**UPDATE, "switch": True, "opening": (50, 5, 1), "generator_steps": 5},
    "dcgan-label": {"conditioning": "concat", "iterations": 780},
    "wdcgan-label": {"conditioning": "concat", "clip": 0.05, "iterations": 580},
    "wdcgan-update-label": {**UPDATE, **ONE_TO_FIVE, "conditioning": "concat", "iterations": 280},
    "wdcgan-gp": {**ONE_TO_FIVE, "gradient_penalty": 10, "clip": 0, "iterations": 860, "optimiser": "rmsprop",
                  "learning_rate": 5e-4, "options": {**NORM, "update": True, "critic_norm": "layer"}},
    "wgan-fc-gp": {**FC, "gradient_penalty": 10, "clip": 0, "iterations": 4500, "learning_rate": 1e-3},
    "ali": {"loss": "ali"},
    "lsgan": {"loss": "lsgan", "loss_options": {"half": False, "sigmoid": True}},
    "acgan": {"loss": "gan", "conditioning": "auxiliary", "auxiliary_weight": 1.0, "auxiliary_on_fake": True},
    "magan": {"loss": "magan", "options": {**NORM, "critic": "autoencoder"}},
    "began": {"loss": "began", "options": {**NORM, "critic": "autoencoder"}, "critic_steps": 1, "generator_steps": 1},
    "mrgan": {"loss": "mrgan"},
    "infogan": {"loss": "infogan", "options": {**NORM, "categories": 32, "continuous": 2}},
    "cs231n-semi": {**CS231N, "learning_rate": 3e-4, "conditioning": "semi-supervised", "feature_matching": 1.0,
                    "adversarial_weight": 0.0, "auxiliary_weight": 1.0},
    "face-dcgan": {"loss": "gan", "critic_steps": 1, "generator_steps": 2, "iterations": 7200},
    "face-wdcgan": {**CRITICS_FIRST, "learning_rate": 2e-4, "loss": "wgan", "clip_scope": "all", "iterations": 5300},
    "face-wdcgan-update": {**CRITICS_FIRST, **FACE_UPDATE, "iterations": 3300},
    "face-wgan-fc": {"loss": "wgan", "clip_scope": "all"},
    "face-wgan-fc-update": {"loss": "wgan", "clip_scope": "update"},
    "face-wgan-deconv-update": {"loss": "wgan", "clip_scope": "update", "network": "deconv"},
    "cs231n-gan": {**CS231N, "loss": "gan", "iterations": 4296},
    "cs231n-lsgan": {**CS231N, "loss": "lsgan", "loss_options": {"half": True, "sigmoid": False}},
    "cs231n-dcgan": {**CS231N, "loss": "gan", "iterations": 2148, "options": CS231N_NORM},
    "cs231n-wgan-gp": {**CS231N, "loss": "wgan", "gradient_penalty": 10, "iterations": 2148,
                       "options": {**CS231N_NORM, "critic": "strided"}},
    "pml-gan": {**PML, "loss": "gan", "learning_rate": 1e-3, "batch_size": 64, "generator_first": True,
                "reuse_fake": True, "options": PML_FC, "iterations": 93_700},
    "pml-dcgan": {**PML, "loss": "gan", "options": {"momentum": 0.01}},
    "pml-wgan-gp": {**PML, "loss": "wgan", "learning_rate": 2e-4, "batch_size": 128, "gradient_penalty": 10,
                    "critic_steps": 1, "generator_steps": 1, "iterations": 46_800, "simultaneous": True,
                    "penalty_inference": True, "options": {"momentum": 0.01}},
    "slides-gan": {**SLIDES, **ADAM, **AS_BUILT, "image_shape": (1, 28, 28), "loss": "gan", "options": SLIDES_FC},
    "slides-cgan": {**SLIDES, **ADAM, **AS_BUILT, "conditioning": "concat", "fake_labels": "uniform"},
    "slides-improved-cgan": {**SLIDES, **ADAM, **AS_BUILT, "conditioning": "concat", "wrong_labels": True},
    "slides-dcgan": {**SLIDES, **ADAM, "image_shape": (1, 32, 32), "loss": "gan", "reuse_fake": True,
                     "options": LAYERS, "initialisation": "normal02"},
    "slides-wgan": {**SLIDES, "loss": "wgan", "optimiser": "rmsprop", "clip": 0.01},
    "slides-wgan-gp": {**SLIDES, "loss": "wgan", "gradient_penalty": 10, "options": {**LAYERS, "critic_norm": "none"}},
    "dcgan-minibatch": {"loss": "gan"},
    "dcgan-feature-matching": {"adversarial_weight": 1, "feature_matching": 1, "options": {**NORM, "features": "maps"}},
    "dcgan-replay": {"replay": 0.5},
}  # fmt: skip
GLYPHS = ((1, 20, 20), (0, 1))
FACES = ((3, 128, 128), (0, 1))

# Weights of the thesis's networks, from the layers it prints. Convolutions without biases; its batch norm has none.
DCGAN_CRITIC = 25 * 64 + 25 * 64 * 128 + 3200 * 1024 + 1024
DCGAN_GENERATOR = 128 * 1024 + 1024 * 3200 + 25 * 128 * 64 + 25 * 64
COUNTS: dict[str, tuple[int | None, int | None]] = {
    "wgan-fc": (128 * 500 + 500 + 500 * 400 + 400, 400 * 500 + 500 + 500 + 1),
    "dcgan": (DCGAN_GENERATOR, DCGAN_CRITIC),
    "wdcgan-update": (DCGAN_GENERATOR + 25, DCGAN_CRITIC),
    "wdcgan-update-label": (DCGAN_GENERATOR + 25 + 32 * (1024 + 3200), DCGAN_CRITIC + 32 * (1024 + 1)),
    "face-wgan-fc": (128 * 1024 + 1024 + 1024 * 49152 + 49152, 49152 * 1024 + 1024 + 1024 + 1),
    "cs231n-gan": (None, 267_009),
    "cs231n-dcgan": (None, 1_102_721),
    "cs231n-wgan-gp": (None, 3_411_393),
    "pml-gan": (81_184, 78_601),
    "slides-dcgan": (783_937, 155_073),
}
WITH_STATISTICS = {"cs231n-dcgan": (6_689_729, None), "pml-dcgan": (817_824, 1_040_385)}


def test_every_recipe_of_a_source_is_in_the_table() -> None:
    sources = ("thesis", "CS231n", "PML", "GAN slides")
    printed = {name for name, recipe in recipes().items() if recipe.source.startswith(sources)}
    assert printed - {"pml-vae"} <= set(PRINTED) <= set(recipes())


@pytest.mark.parametrize("name", PRINTED)
def test_values(name: str) -> None:
    recipe = get_recipe(name)
    assert {field: getattr(recipe, field) for field in PRINTED[name]} == PRINTED[name]
    if recipe.source.startswith("thesis"):
        assert (recipe.image_shape, recipe.output_range) == (FACES if "ch. 5" in recipe.source else GLYPHS)


@pytest.mark.parametrize("name", [*COUNTS, *(name for name in WITH_STATISTICS if name not in COUNTS)])
def test_parameter_counts(name: str) -> None:
    recipe = replace(get_recipe(name), initialisation="torch")  # which is quick, and changes no count
    c, h, w = recipe.image_shape
    names = tuple(map(str, range(recipe.classes))) if recipe.labelled else ()
    spec = network_spec(recipe, (h, w) if c == 1 else (h, w, c), names)
    networks = build_generator(spec, 0), build_critic(spec, 0)
    for counted, table in ((trainable, COUNTS), (counting_statistics, WITH_STATISTICS)):
        for network, printed in zip(networks, table.get(name, (None, None)), strict=True):
            assert printed is None or counted(network) == printed
