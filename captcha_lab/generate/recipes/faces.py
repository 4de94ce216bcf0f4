"""Thesis, chapter 5: CelebA faces 128x128x3 in [0, 1] (64x64 works as well).

The thesis gives layers, ratios of steps and iterations. It is silent on the noise's length, learning rates, batch
sizes and the clip's limit, which are those of chapter 4 here; for the fully connected systems it is silent on ratio
and length too.
"""

from __future__ import annotations

from dataclasses import replace

from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.recipes.thesis import DCGAN, WDCGAN, WDCGAN_UPDATE, WGAN_FC

_SILENT = "Silent in the source: noise, initial weights, learning rate, batch size, clip limit; taken from chapter 4."
_SHAPE = (3, 128, 128)
_ATTRIBUTES = 40

DCGAN_FACES = replace(
    DCGAN,
    name="face-dcgan",
    summary="faces: four strided convolutions each way, cross-entropy",
    source="thesis ch. 5, fig. 5-1",
    network="faces",
    options={},
    image_shape=_SHAPE,
    classes=_ATTRIBUTES,
    generator_steps=2,
    iterations=7200,
    notes=_SILENT
    + " No activation is printed after the critic's last convolution and no biases; see the network family.",
)

WDCGAN_FACES = replace(
    WDCGAN,
    name="face-wdcgan",
    summary="faces: the same with the Wasserstein loss and every critic parameter clipped",
    source="thesis ch. 5, fig. 5-3",
    network="faces",
    options={},
    image_shape=_SHAPE,
    classes=_ATTRIBUTES,
    learning_rate=DCGAN_FACES.learning_rate,
    opening=(25, 5, 2),
    critic_steps=2,
    generator_steps=1,
    iterations=5300,
    notes=_SILENT + " Section 5.3: learning rate unchanged from face-dcgan.",
)

WDCGAN_UPDATE_FACES = replace(
    WDCGAN_FACES,
    name="face-wdcgan-update",
    summary="faces: the thesis's update, a clip of chosen weights and one more convolution",
    source="thesis ch. 5, fig. 5-5",
    options={"update": True},
    clip_scope=WDCGAN_UPDATE.clip_scope,
    iterations=3300,
    notes=_SILENT + " Steps as in face-wdcgan. The extra convolution starts as four times the identity.",
)

WGAN_FC_FACES = replace(
    WGAN_FC,
    name="face-wgan-fc",
    summary="faces: fully connected networks of 50 million parameters each; collapses to an average face",
    source="thesis ch. 5, fig. 5-7",
    options={"generator": (1024,), "critic": (1024,), "critic_slope": 0.2},
    image_shape=_SHAPE,
    classes=_ATTRIBUTES,
    iterations=5300,
    notes=_SILENT + " Also the ratio of steps (chapter 4) and the length (that of face-wdcgan).",
)

WGAN_FC_UPDATE_FACES = replace(
    WGAN_FC_FACES,
    name="face-wgan-fc-update",
    summary="faces: fully connected with the thesis's update; a little more diverse",
    source="thesis ch. 5, fig. 5-9",
    options={**WGAN_FC_FACES.options, "update": True},
    clip_scope="update",
)

WGAN_DECONV_UPDATE_FACES = replace(
    WGAN_FC_FACES,
    name="face-wgan-deconv-update",
    summary="faces: a small transposed-convolution generator without batch norm against the fc critic; blurred",
    source="thesis ch. 5, fig. 5-11",
    network="deconv",
    options={},
    clip_scope="update",
)

RECIPES: tuple[Recipe, ...] = (
    DCGAN_FACES,
    WDCGAN_FACES,
    WDCGAN_UPDATE_FACES,
    WGAN_FC_FACES,
    WGAN_FC_UPDATE_FACES,
    WGAN_DECONV_UPDATE_FACES,
)
