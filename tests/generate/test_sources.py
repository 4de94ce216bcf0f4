"""What the sources do in a step, beyond the values of their recipes: each test names the sentence it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from captcha_lab.errors import UsageError
from captcha_lab.generate.losses import make_loss
from captcha_lab.generate.losses.base import Adversarial
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.networks.parts.initialise import initialise
from captcha_lab.generate.networks.parts.layers import conv_double, conv_half
from captcha_lab.generate.players.optimisers import make_optimiser
from captcha_lab.generate.players.penalties import gradient_penalty
from captcha_lab.generate.recipes import get_recipe, recipes
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.recognise.networks.batch_norm import BatchNorm
from tests.generate.generator_tools import data, shrunk

CHAPTER_4 = [
    name
    for name, recipe in recipes().items()
    if recipe.network == "dcgan" and recipe.source.startswith(("thesis", "PML"))
]


def trainer_of(name: str, options: dict[str, Any] | None = None, **changes: Any) -> Trainer:
    recipe = shrunk(get_recipe(name), **changes)
    recipe = replace(recipe, options={**recipe.options, **(options or {})})
    return Trainer(recipe, data(recipe), 4, seed=1)


def norms(trainer: Trainer) -> list[BatchNorm]:
    networks = trainer.players.networks.values()
    return [m for network in networks for m in network.modules() if isinstance(m, BatchNorm)]


def gradient_at(loss: str, score: float) -> float:
    """The size of the generator's gradient with respect to one score."""
    scores = torch.tensor([score], dtype=torch.float64, requires_grad=True)
    formula = cast(Adversarial, make_loss(loss, {}))
    (gradient,) = torch.autograd.grad(formula.generator_loss(Criticism(scores, scores[:, None])), scores)
    return abs(gradient.item())


def test_the_printed_loss_saturates_where_the_right_one_does_not() -> None:
    """Thesis, appendix: a sigmoid output, clipped to [1e-7, 1 - 1e-7], passed as logits to a cross-entropy."""
    assert gradient_at("gan-printed", -10) == pytest.approx(2.3e-5, rel=0.02)
    assert gradient_at("gan", -10) == pytest.approx(1.0, abs=1e-4)
    assert gradient_at("gan-printed", -17) == 0.0  # below the clip


@pytest.mark.parametrize("name", ["dcgan-label-printed", "gan-fc-printed", "dcgan-printed"])
def test_a_printed_recipe_is_its_corrected_twin_but_for_the_loss(name: str) -> None:
    printed, corrected = get_recipe(name), get_recipe(name.removesuffix("-printed"))
    changed = replace(corrected, loss="gan-printed", name=name, summary=printed.summary, notes=printed.notes)
    assert printed == changed


@pytest.mark.parametrize("name", CHAPTER_4)
def test_batch_normalisation_of_chapter_4_has_no_variables(name: str) -> None:
    """Thesis, appendix 2: a function of the batch alone."""
    found = norms(trainer_of(name))
    assert found
    assert all(not list(norm.parameters()) for norm in found)


def test_sampling_of_chapter_4_uses_batch_statistics() -> None:
    trainer = trainer_of("wdcgan-label")
    trainer.iterate()
    generator = trainer.players.generator
    noise, condition = torch.randn(4, 6), torch.eye(5)[:4]
    with torch.no_grad():
        trained = generator.train()(noise, condition)  # which sets the statistics that sampling uses
        sampled = generator.eval()(noise, condition)
    # A batch of four: sampling divides by the unbiased variance of the batch, training by the biased one.
    assert torch.allclose(trained, sampled, atol=0.1)
    for norm in [m for m in generator.modules() if isinstance(m, BatchNorm)]:
        assert norm.momentum == 1.0


@pytest.mark.parametrize("name", ["face-wdcgan", "slides-wgan"])
def test_a_clip_of_every_weight_leaves_the_gains_of_a_normalisation(name: str) -> None:
    """A gain of 1 clipped to .05 divides the signal by 20 in the first step."""
    trainer = trainer_of(name)
    trainer.iterate()
    critic = trainer.players.critic
    assert critic is not None
    gains = [m.weight for m in critic.modules() if isinstance(m, BatchNorm)]
    assert gains
    assert all(float(gain.detach().min()) > 0.9 for gain in gains)
    weights = [m.weight for m in critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert max(float(weight.detach().abs().max()) for weight in weights) <= trainer.recipe.clip + 1e-7


def test_the_penalty_of_pml_calls_the_critic_in_inference_mode() -> None:
    """`disc_model(interpolated)` without `training=True`: moving statistics, no dropout."""
    trainer = trainer_of("pml-wgan-gp")
    players, game = trainer.players, trainer.game
    critic = players.critic
    assert critic is not None
    for norm in norms(trainer):
        assert norm.running_mean is not None
        norm.running_mean.fill_(0.3)
    real, fake = torch.rand(2, 4, 1, 28, 28)
    state = trainer.draws.rng.get_state()
    got = game._penalty([(real, None), (fake, None)], [], [])
    trainer.draws.rng.set_state(state)
    alpha = trainer.draws.uniform()
    critic.eval()
    expected = 10 * gradient_penalty(players.criticise, real, fake, None, alpha)
    critic.train()
    assert torch.as_tensor(got).item() == pytest.approx(expected.item(), rel=1e-5)
    assert critic.training


def test_the_networks_of_pml_wgan_gp_step_from_one_forward_pass() -> None:
    """The generator's gradient is that of the critic before its step, on the very images the critic saw."""
    trainer = trainer_of("pml-wgan-gp", optimiser="sgd", beta1=0.0, options={"dropout": 0.0})
    players = trainer.players
    before = trainer_of("pml-wgan-gp", optimiser="sgd", beta1=0.0, options={"dropout": 0.0})
    trainer.iterate()
    real = before.draws.real()
    noise = before.draws.noise()
    before.players.criticise(real[0])
    score = before.players.criticise(before.players.generate(noise, None)).score.mean()
    parameters = before.players.generator_parameters
    gradients = torch.autograd.grad(-score, parameters)
    rate = trainer.recipe.learning_rate
    for old, gradient, new in zip(parameters, gradients, players.generator_parameters, strict=True):
        assert torch.allclose(new, old - rate * gradient, atol=1e-6)


@pytest.mark.parametrize("name", ["slides-gan", "slides-cgan", "slides-dcgan", "pml-gan"])
def test_both_players_see_the_same_generated_images(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The printed loops call the generator once an iteration."""
    trainer = trainer_of(name)
    made: list[Tensor] = []
    criticised: list[Tensor] = []
    generate, criticise = trainer.players.generate, trainer.players.criticise

    def watch_generate(noise: Tensor, condition: Tensor | None) -> Tensor:
        made.append(generate(noise, condition))
        return made[-1]

    def watch_criticise(images: Tensor, condition: Tensor | None = None, **more: bool) -> Criticism:
        criticised.append(images.detach().clone())
        return criticise(images, condition, **more)

    monkeypatch.setattr(trainer.players, "generate", watch_generate)
    monkeypatch.setattr(trainer.players, "criticise", watch_criticise)
    for k in range(2):
        trainer.iterate()
        assert len(made) == k + 1
        seen = [images for images in criticised if _holds(images, made[k].detach())]
        assert len(seen) == 2  # once by each player
        criticised.clear()
    assert (
        trainer.stream.state()["position"] == 2 * trainer.recipe.batch_size
    )  # one batch of real images each


def _holds(images: Tensor, part: Tensor) -> bool:
    """Whether the images end with the part, which critics that judge all at once see behind real ones."""
    return len(images) >= len(part) and torch.equal(images[-len(part) :], part)


def test_simultaneous_steps_are_one_of_each() -> None:
    with pytest.raises(UsageError, match="simultaneous steps are one of each player"):
        replace(get_recipe("pml-wgan-gp"), critic_steps=5)
    recipe = shrunk(replace(get_recipe("pml-vae"), simultaneous=True))
    with pytest.raises(UsageError, match="The loss vae has no simultaneous steps"):
        Trainer(recipe, data(recipe), 1).iterate()


def test_fully_connected_networks_of_the_slides_begin_as_the_framework_does() -> None:
    """Weights and biases uniform within 1/sqrt(inputs); N(0, .02) is said of the DCGAN only."""
    trainer = trainer_of("slides-gan", options=dict(get_recipe("slides-gan").options))
    for layer in [m for m in trainer.players.generator.modules() if isinstance(m, nn.Linear)]:
        bound = layer.in_features**-0.5
        for values in (layer.weight, layer.bias):
            assert float(values.detach().abs().max()) <= bound
            assert float(values.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.2)


@pytest.mark.parametrize(
    ("name", "epsilon", "momentum"),
    [("cs231n-dcgan", 1e-3, 1.0), ("cs231n-wgan-gp", 1e-3, 1.0), ("pml-dcgan", 1e-3, 0.01)],
)
def test_batch_norm_of_the_framework_meant(name: str, epsilon: float, momentum: float) -> None:
    """Keras: epsilon .001, moving statistics keep .99; the notebook normalises by the batch always."""
    found = norms(trainer_of(name))
    assert found
    assert {(norm.eps, norm.momentum) for norm in found} == {(epsilon, momentum)}


def test_strided_layers_are_those_of_tensorflow_mirrored() -> None:
    """TensorFlow's "same" pads (1, 2) for a kernel of 5 and a stride of 2; here (2, 1), on mirrored images the same."""
    layer = conv_half(2, 3, bias=False)
    images = torch.randn(1, 2, 8, 8)
    kernel = layer.weight.detach()
    theirs = F.conv2d(F.pad(images, (1, 2, 1, 2)), kernel.flip(2, 3), stride=2)
    with torch.no_grad():
        assert torch.allclose(layer(images.flip(2, 3)).flip(2, 3), theirs, atol=1e-5)


def test_glorot_takes_the_fans_of_keras() -> None:
    """`_compute_fans`: inputs and outputs times the kernel's area, whatever the stride."""
    for layer in (conv_half(16, 32, bias=False), conv_double(32, 16, bias=False)):
        initialise(layer, "glorot", torch.Generator().manual_seed(0))
        bound = (6 / (25 * (16 + 32))) ** 0.5
        assert 0.99 * bound < float(layer.weight.detach().abs().max()) <= bound


def test_rmsprop_of_tensorflow_against_its_formula() -> None:
    recipe = replace(get_recipe("wdcgan"), optimiser="rmsprop-tensorflow", learning_rate=0.1, beta2=0.9)
    weight = nn.Parameter(torch.tensor([1.0]))
    optimiser = make_optimiser(recipe, [weight])
    expected, square = 1.0, 1.0
    for gradient in (0.5, -2.0, 0.25):
        weight.grad = torch.tensor([gradient])
        optimiser.step()
        square = 0.9 * square + 0.1 * gradient**2
        expected -= 0.1 * gradient / (square + 1e-10) ** 0.5
        assert weight.item() == pytest.approx(expected, rel=1e-5)


def test_feature_matching_of_the_book_is_a_term_over_maps_beside_the_loss() -> None:
    trainer = trainer_of("dcgan-feature-matching")
    images = torch.rand(4, 1, 20, 20)
    judged = trainer.players.criticise(images)
    critic: Any = trainer.players.critic
    assert torch.equal(judged.features, critic.body.convolutions(images))
    assert trainer.recipe.adversarial_weight == 1.0
