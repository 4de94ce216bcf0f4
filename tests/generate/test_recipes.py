"""Every recipe of the registry: builds, steps, keeps its constraint, listens to its condition, saves and loads."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.generate.networks import NetworkSpec, build_generator
from captcha_lab.generate.players.penalties import clipped_parameters, gradient_penalty, squared_gradients
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.recipes import get_recipe, recipes
from captcha_lab.generate.sampling.sample import Generator, load_generator, save_generator
from captcha_lab.generate.training.overview import overview
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.store.runs import load_weights, save_weights
from tests.generate.generator_tools import data, shrunk

UNLABELLED = [name for name, recipe in recipes().items() if not recipe.labelled]


def trainer_of(recipe: Recipe) -> Trainer:
    return Trainer(recipe, data(recipe), recipe.iterations, seed=3)


def networks(trainer: Trainer) -> dict[str, torch.nn.Module]:
    named = {
        "generator": trainer.players.generator,
        "critic": trainer.players.critic,
        "encoder": trainer.players.encoder,
    }
    return {name: network for name, network in named.items() if network is not None}


def check_step(trainer: Trainer) -> None:
    before = {name: copy.deepcopy(net.state_dict()) for name, net in trainer.players.networks.items()}
    figures = trainer.iterate()
    assert all(torch.isfinite(value) for value in figures.values())
    for name, network in trainer.players.networks.items():
        still = [key for key, p in network.named_parameters() if torch.equal(p, before[name][key])]
        # What adds the same to every score cancels out of a loss of their differences.
        cancels = name == "critic" and trainer.recipe.loss in ("wgan", "rpgan")
        assert not [key for key in still if not (cancels and key.endswith("bias"))], name


def check_constraint(trainer: Trainer) -> None:
    recipe = trainer.recipe
    if trainer.players.critic is None:
        return
    if recipe.clip:
        held = clipped_parameters(trainer.players.critic, trainer.players.generator, recipe.clip_scope)
        assert held
        assert max(float(p.detach().abs().max()) for p in held) <= recipe.clip + 1e-7
    if recipe.gradient_penalty or recipe.r1 or recipe.r2:
        real, condition = trainer.draws.real()
        fake = torch.rand_like(real)
        if recipe.gradient_penalty:
            penalty = gradient_penalty(trainer.players.critic, real, fake, condition, torch.rand(len(real)))
        else:
            real.requires_grad_()
            penalty = squared_gradients(trainer.players.critic(real, condition).score.sum(), [real]).mean()
        gradients = torch.autograd.grad(penalty, trainer.players.critic_parameters, allow_unused=True)
        assert any(g is not None and float(g.abs().max()) > 0 for g in gradients)


def check_condition(trainer: Trainer) -> None:
    """Generator and critic answer differently to different classes, or the critic names them."""
    k = trainer.players.spec.classes
    noise = trainer.draws.noise()[:1].expand(2, -1)
    condition = torch.eye(k)[:2]
    network = trainer.players.generator.eval()
    with torch.no_grad():
        one, other = network(noise, condition)
        assert not torch.equal(one, other)
        if trainer.players.critic is None:
            return
        image = trainer.draws.real()[0][:1].expand(2, -1, -1, -1)
        judged = trainer.players.critic.eval()(image, condition)
    network.train()
    trainer.players.critic.train()
    if trainer.recipe.conditioning == "auxiliary":
        assert judged.class_logits is not None
        assert judged.class_logits.shape == (2, k)
    else:
        assert float(judged.score[0]) != float(judged.score[1])


@pytest.mark.parametrize("name", list(recipes()))
def test_recipe(name: str, tmp_path: Path) -> None:
    trainer = trainer_of(shrunk(get_recipe(name)))
    if trainer.names:
        check_condition(trainer)
    check_step(trainer)
    check_constraint(trainer)
    recipe, low_high = trainer.recipe, trainer.recipe.output_range
    with torch.no_grad():
        condition = torch.eye(trainer.players.spec.classes)[[0, 1]] if trainer.names else None
        raw = trainer.players.generator.eval()(trainer.draws.noise()[:2], condition)
    assert raw.shape == (2, *trainer.players.spec.image_shape)
    assert low_high[0] <= float(raw.min()) < float(raw.max()) <= low_high[1]

    made = Generator(
        trainer.players.sampling_network,
        trainer.players.spec,
        recipe.noise,
        trainer.names,
        trainer.stream.exclusive,
        recipe,
        trainer.stream.places,
        trainer.stream.lengths,
    )
    path = tmp_path / "weights.safetensors"
    save_generator(path, made, {})
    loaded = load_generator(path)
    labels = np.eye(made.spec.classes)[[0, 1, 4]] if made.labelled else None
    for network, parameters in (shown := overview(recipe, seconds=0.0)).parameters.items():
        assert sum(layer.parameters for layer in getattr(shown, network)) == parameters, network
    images = loaded.sample(labels, 3, seed=5)
    assert images.dtype == np.uint8
    assert images.shape == (3, *made.image_shape)
    assert np.array_equal(images, made.sample(labels, 3, seed=5))
    assert loaded.recipe == recipe


@pytest.mark.parametrize("name", UNLABELLED)
def test_conditional_form(name: str) -> None:
    trainer = trainer_of(shrunk(get_recipe(name)).with_label())
    check_condition(trainer)
    check_step(trainer)
    check_constraint(trainer)


def test_recipes_describe_themselves() -> None:
    for recipe in recipes().values():
        assert recipe.summary, recipe.name
        assert recipe.source, recipe.name
        assert Recipe.from_json(recipe.as_json()) == recipe


def test_unknown_recipe_lists_the_known() -> None:
    with pytest.raises(UsageError, match=r"No recipe 'wdcgn'\. Known: .*wdcgan"):
        get_recipe("wdcgn")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimiser": "lion"}, "optimiser 'lion' is unknown; choose one of adam"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"critic_steps": 0}, "critic_steps must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate is 0: give a number above zero"),
        ({"spread": 0.0}, "spread is 0: give a number above zero"),
        ({"learning_rate": float("inf")}, "learning_rate is inf, not a finite number"),
        ({"clip": float("nan")}, "clip is nan, not a finite number"),
        ({"opening": (50, 0, 1)}, "has a number below 1"),
        ({"wrong_labels": True}, "wrong labels need a critic that is conditioned"),
        ({"auxiliary_weight": 1.0}, "needs labels to classify"),
        ({"clip": -1.0}, "clip is -1.0, below zero"),
        ({"ema": 1.0}, r"ema must be in \[0, 1\)"),
    ],
)
def test_impossible_values(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(get_recipe("dcgan"), **change)


def test_conditional_recipe_wants_labels() -> None:
    recipe = shrunk(get_recipe("wdcgan-label"))
    with pytest.raises(UsageError, match="data has no labels"):
        Trainer(recipe, data(recipe.without_label()), 1)


def test_seed_fixes_everything() -> None:
    recipe = shrunk(get_recipe("dcgan-label"))
    first, second = (Trainer(recipe, data(recipe), 3, seed=1) for _ in range(2))
    other = Trainer(recipe, data(recipe), 3, seed=2)
    for trainer in (first, second, other):
        trainer.iterate()
    a, b, c = (t.players.generator.state_dict() for t in (first, second, other))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert any(not torch.equal(a[key], c[key]) for key in a)


def test_build_from_metadata_alone() -> None:
    trainer = trainer_of(shrunk(get_recipe("wdcgan-update-label")))
    rebuilt = build_generator(type(trainer.players.spec).from_json(trainer.players.spec.as_json()), 3)
    assert [p.shape for p in rebuilt.parameters()] == [
        p.shape for p in trainer.players.generator.parameters()
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"critic_steps": {}},
        {"beta2": "x"},
        {"opening": 5},
        {"learning_rate": None},
        {"options": ""},
        None,
    ],
)
def test_a_stored_recipe_of_other_types_is_one_error(changed: dict[str, object] | None) -> None:
    stored = get_recipe("dcgan").as_json()
    with pytest.raises(UsageError, match="recipe"):
        Recipe.from_json(changed if changed is None else stored | changed)  # type: ignore[arg-type]


def test_a_model_file_that_claims_a_large_network_is_refused_before_it_is_made(tmp_path: Path) -> None:
    spec = NetworkSpec("dcgan", (1, 20, 20), 4)
    generator = Generator(build_generator(spec, 0), spec, "uniform", (), True)
    save_generator(tmp_path / "w.safetensors", generator, {})
    tensors, metadata = load_weights(tmp_path / "w.safetensors")
    metadata["network"]["noise_size"] = 10**9
    save_weights(tmp_path / "w.safetensors", tensors, metadata)
    with pytest.raises(CaptchaLabError, match="not of the sizes it says"):
        load_generator(tmp_path / "w.safetensors")
