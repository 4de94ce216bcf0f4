"""Every face recipe takes a step, saves, loads and resumes, with and without attributes, at 64 and 128."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from captcha_lab.errors import UsageError
from captcha_lab.generate.choose import Choice, choose
from captcha_lab.generate.networks import NetworkSpec, build_critic, build_generator
from captcha_lab.generate.networks.faces_fast import FAMILY
from captcha_lab.generate.players.augment import mirrored, moved
from captcha_lab.generate.players.streams import ArrayStream
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.sampling.sample import Generator, load_generator, save_generator
from captcha_lab.generate.training.trainer import Trainer

RECIPES = (
    "face-dcgan", "face-wdcgan", "face-wdcgan-update", "face-wgan-fc", "face-wgan-fc-update",
    "face-wgan-deconv-update", "face-fast",
)  # fmt: skip
NAMES = ("Smiling", "Male")
TINY: dict[str, dict[str, Any]] = {
    "faces": {"channels": 2},
    "fc": {"generator": (4,), "critic": (4,)},
    "deconv": {"start": 1, "channels": (2, 2), "critic": (4,)},
    "faces-fast": {"channels": 2, "generator_channels": 2},
}


def faces(size: int, told: bool) -> ArrayStream:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, size, size, 3), np.uint8)
    attributes = rng.integers(0, 2, (12, 2)) if told else None
    return ArrayStream(images, names=NAMES if told else (), attributes=attributes)


def trainer_of(name: str, size: int, told: bool, tiny: bool) -> Trainer:
    recipe = choose(Choice(name, label=told))
    if tiny:
        recipe = replace(recipe, options={**recipe.options, **TINY[recipe.network]})
    recipe = replace(recipe, batch_size=4, opening=None)
    return Trainer(recipe, faces(size, told), 4, seed=2)


def check(name: str, size: int, told: bool, tiny: bool, path: Path) -> None:
    trainer = trainer_of(name, size, told, tiny)
    before = [p.detach().clone() for p in trainer.players.generator.parameters()]
    figures = trainer.iterate()
    assert all(torch.isfinite(value) for value in figures.values())
    assert any(
        not torch.equal(a, b) for a, b in zip(before, trainer.players.generator.parameters(), strict=True)
    )

    torch.save(trainer.state(), path / "resume.pt")
    resumed = trainer_of(name, size, told, tiny)
    resumed.restore(torch.load(path / "resume.pt", weights_only=True))
    trainer.iterate()
    resumed.iterate()
    pairs = zip(trainer.players.generator.parameters(), resumed.players.generator.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)

    r = trainer.recipe
    made = Generator(
        trainer.players.sampling_network,
        trainer.players.spec,
        r.noise,
        trainer.names,
        exclusive=False,
        recipe=r,
    )
    save_generator(path / "weights.safetensors", made, {})
    loaded = load_generator(path / "weights.safetensors")
    assert loaded.labelled == told
    asked = np.array([[0, 1], [1, 0], [1, 1]]) if told else None
    images = loaded.sample(asked, 3, seed=1)
    assert images.shape == (3, size, size, 3)
    assert images.dtype == np.uint8
    assert np.array_equal(images, made.sample(asked, 3, seed=1))
    if told:
        with pytest.raises(UsageError, match="labelled"):
            loaded.sample(None, 3)


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("name", RECIPES)
def test_every_face_recipe(name: str, size: int, told: bool, tmp_path: Path) -> None:
    check(name, size, told, True, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("name", RECIPES)
def test_every_face_recipe_in_full_size(name: str, size: int, told: bool, tmp_path: Path) -> None:
    check(name, size, told, False, tmp_path)


def test_label_means_the_conditional_form() -> None:
    told = choose(Choice("face-fast", label=True))
    assert (told.name, told.conditioning, told.loss, told.r1 > 0, told.r2 > 0) == (
        "face-fast-label", "projection", "rpgan", True, True,
    )  # fmt: skip
    plain = choose(Choice("face-fast"))
    assert (plain.labelled, plain.flips, plain.ema > 0) == (False, True, True)


def test_first_pictures_are_not_saturated() -> None:
    spec = NetworkSpec("faces-fast", (3, 64, 64), 64, output_range=(-1.0, 1.0), initialisation="he")
    images = build_generator(spec, 0)(torch.randn(16, 64, generator=torch.Generator().manual_seed(0)))
    assert 0.05 < float(images.detach().std()) < 0.6


@pytest.mark.parametrize(("side", "channels"), [(32, 32), (64, 32), (128, 16), (256, 8), (2048, 4)])
def test_larger_pictures_get_narrower_layers_where_asked_for(side: int, channels: int) -> None:
    asked = get_recipe("face-fast").options
    for options, expected in ((asked, channels), ({}, 32)):
        spec = NetworkSpec("faces-fast", (3, side, side), 8, options=options)
        with torch.device("meta"):  # tensors with shapes alone
            critic = FAMILY.critic(spec, FAMILY.options(**options))
            generator = FAMILY.generator(spec, FAMILY.options(**options))
        assert next(critic.parameters()).shape[0] == expected
        assert generator.get_submodule("finest").in_channels == expected


def test_the_last_doubling_leaves_no_grid_where_asked_for() -> None:
    for smooth in (True, False):
        spec = NetworkSpec("faces-fast", (1, 64, 64), 8, options={"channels": 2, "smooth": smooth})
        generator = FAMILY.generator(spec, FAMILY.options(generator_channels=2, smooth=smooth))
        torch.manual_seed(0)
        for parameter in generator.parameters():
            torch.nn.init.normal_(parameter)
        with torch.no_grad():
            for name, parameter in generator.named_parameters():
                if name.startswith(("stages", "paint")) and name.endswith("weight"):
                    parameter.zero_()
            inside = generator(torch.ones(1, 8))[0, 0, 8:-8, 8:-8]
        assert (float(inside.std()) < 1e-6) is smooth


def test_a_width_for_pictures_of_no_side_is_refused() -> None:
    with pytest.raises(UsageError, match="option channels_at of the networks 'faces-fast' is -1"):
        build_critic(NetworkSpec("faces-fast", (3, 64, 64), 8, options={"channels_at": -1}), 0)


@pytest.mark.parametrize("shape", [(1, 20, 20), (3, 32, 48), (3, 128, 128)])
def test_our_networks_take_any_sides_that_can_be_halved_twice(shape: tuple[int, int, int]) -> None:
    spec = NetworkSpec("faces-fast", shape, 8, 2, "projection", options=TINY["faces-fast"])
    condition = torch.eye(2)
    images = build_generator(spec, 0)(torch.randn(2, 8), condition)
    assert images.shape == (2, *shape)
    judged = build_critic(spec, 0)(images, condition)
    assert judged.score.shape == (2,)
    assert judged.class_logits is not None
    with pytest.raises(UsageError, match="multiples of 4"):
        build_generator(NetworkSpec("faces-fast", (3, 25, 25), 8), 0)


def test_mirrored_and_moved() -> None:
    images = torch.arange(2 * 1 * 8 * 8, dtype=torch.float32).view(2, 1, 8, 8)
    turned = mirrored(images, torch.tensor([0.1, 0.9]))
    assert torch.equal(turned[0], images[0].flip(2))
    assert torch.equal(turned[1], images[1])
    images = images.requires_grad_()
    shifted = moved(images, torch.tensor([[0.0, 0.5], [0.999, 0.5]]), 0.25)  # two pixels at most
    assert torch.equal(shifted[0, 0, 2:], images[0, 0, :-2])  # down, zeros above
    assert float(shifted[0, 0, :2].detach().abs().sum()) == 0
    assert torch.equal(shifted[1, 0, :-2], images[1, 0, 2:])  # up
    shifted.sum().backward()
    assert torch.equal(images.grad[0, 0], torch.cat([torch.ones(6, 8), torch.zeros(2, 8)]))  # type: ignore[index]
    assert moved(images, torch.rand(2, 2), 0.0) is images
