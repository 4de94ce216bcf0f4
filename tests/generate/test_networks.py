"""The network families: shapes, ranges, printed parameter counts, conditions, seeds, and the global batch norm."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from captcha_lab.errors import UsageError
from captcha_lab.generate.networks import (
    NetworkSpec,
    build_critic,
    build_encoder,
    build_generator,
    families,
)
from captcha_lab.generate.networks.base import CONDITIONINGS
from captcha_lab.generate.networks.parts.initialise import SCHEMES, initialise
from captcha_lab.generate.networks.parts.layers import MinibatchDiscrimination
from captcha_lab.generate.networks.parts.normalise import LayerNorm
from captcha_lab.parallel import join_group, leave_group
from captcha_lab.recognise.networks.batch_norm import BatchNorm
from tests.generate.generator_tools import counting_statistics, trainable
from tests.processes import environments

OURS = ("fc", "dcgan", "faces", "deconv", "cs231n", "pml", "slides")
SHAPES = {"faces": (3, 32, 32), "deconv": (3, 16, 16), "slides": (1, 32, 32), "pml": (1, 20, 20)}
SMALL: dict[str, dict[str, object]] = {
    "dcgan": {"channels": 8, "hidden": 32},
    "faces": {"channels": 4},
    "deconv": {"critic": (16,)},
}


def small(family: str, conditioning: str = "none", **options: object) -> NetworkSpec:
    classes = 0 if conditioning == "none" else 5
    chosen = {**SMALL.get(family, {}), **options}
    return NetworkSpec(family, SHAPES.get(family, (1, 20, 20)), 6, classes, conditioning, options=chosen)


def inputs(spec: NetworkSpec, count: int = 4) -> tuple[torch.Tensor, torch.Tensor | None]:
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(count, spec.noise_size, generator=rng)
    return noise, torch.eye(spec.classes)[torch.arange(count)] if spec.classes else None


def pair(family: str, noise: int, size: int = 28, **options: object) -> tuple[nn.Module, nn.Module]:
    spec = NetworkSpec(family, (1, size, size), noise, output_range=(-1, 1), options=options)
    return build_generator(spec, 0), build_critic(spec, 0)


def test_parameters_of_the_cs231n_notebook() -> None:
    generator, critic = pair("fc", 4, generator=(1024, 1024), critic=(256, 256), critic_slope=0.01)
    assert (trainable(generator), trainable(critic)) == (1_858_320, 267_009)
    generator, critic = pair("cs231n", 4)
    assert (counting_statistics(generator), trainable(critic)) == (6_595_521, 1_102_721)
    generator, critic = pair("cs231n", 96, critic="strided")
    assert counting_statistics(generator) == 6_689_729
    assert (counting_statistics(critic), trainable(critic)) == (3_411_649, 3_411_393)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_projection_begins_no_louder_than_the_score(scheme: str) -> None:
    """Whatever the other weights' scheme: with as many features as faces have, it drowned everything else."""
    spec = NetworkSpec("faces-fast", (3, 64, 64), 6, 2, "projection", (-1, 1), scheme)
    critic: Any = build_critic(spec, 0)
    lengths = critic.head.projection.weight.norm(dim=0)
    assert lengths.tolist() == pytest.approx([1, 1], rel=0.1)
    torch.manual_seed(0)
    images = torch.rand(16, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        score = {k: critic(images, torch.full((16, 2), float(k))).score for k in (0, 1)}
        features = critic.convolutions(images)
    added = (score[1] - score[0]).abs()
    assert (added <= 2 * features.norm(dim=1)).all()


def test_parameters_of_the_thesis_by_hand() -> None:
    generator, critic = pair("fc", 128, 20)
    assert trainable(critic) == 400 * 500 + 500 + 500 + 1
    assert trainable(generator) == 128 * 500 + 500 + 500 * 400 + 400
    generator, critic = pair("dcgan", 128, 20)
    norms = 2 * (1024 + 3200 + 64)
    assert trainable(generator) == 128 * 1024 + 1024 * 3200 + 25 * (128 * 64 + 64) + norms
    assert trainable(critic) == 25 * (64 + 64 * 128) + 3200 * 1024 + 2 * 1024 + 1024
    updated, _ = pair("dcgan", 128, 20, update=True)
    assert trainable(updated) - trainable(generator) == 25


def test_face_networks_have_the_printed_layers_at_128() -> None:
    spec = NetworkSpec("faces", (3, 128, 128), 100)
    with torch.device("meta"):
        generator, critic = (build(spec, families()["faces"].options()) for build in _builders("faces"))
    assert generator.first.out_features == 16384 == critic.head.score.in_features
    convolutions = [m.out_channels for m in critic.modules() if isinstance(m, nn.Conv2d)]
    transposed = [m.out_channels for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert (convolutions, transposed) == ([32, 64, 128, 256], [128, 64, 32, 3])


def _builders(family: str) -> tuple[Any, ...]:
    return families()[family].generator, families()[family].critic


@pytest.mark.parametrize("size", [64, 128])
def test_face_fc_and_deconv_networks_at_both_sizes(size: int) -> None:
    for family, options in (("fc", {"critic": (1024,)}), ("fc", {"update": True}), ("deconv", {})):
        spec = NetworkSpec(family, (3, size, size), 100, options=options)
        with torch.device("meta"):
            chosen = families()[family].options(**options)
            generator, critic = (build(spec, chosen) for build in _builders(family))
            images = generator(torch.randn(2, 100))
            assert images.shape == (2, 3, size, size)
            assert critic(images).score.shape == (2,)


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
@pytest.mark.parametrize("family", OURS)
def test_every_family_in_every_conditioning(family: str, conditioning: str) -> None:
    spec = small(family, conditioning)
    generator, critic = build_generator(spec, 1), build_critic(spec, 1)
    noise, condition = inputs(spec)
    images = generator(noise, condition)
    assert images.shape == (4, *spec.image_shape)
    assert 0 <= images.min() < images.max() <= 1
    seen = critic(images, condition)
    assert seen.score.shape == (4,)
    assert seen.features.shape[0] == 4
    assert seen.features.ndim == 2
    assert (seen.class_logits is not None) == (conditioning in ("auxiliary", "semi-supervised"))
    if seen.class_logits is not None:
        assert seen.class_logits.shape == (4, 5)
    (
        seen.score.square().sum() + (0 if seen.class_logits is None else seen.class_logits.square().sum())
    ).backward()
    silent = [n for net in (generator, critic) for n, p in net.named_parameters() if p.grad is None]
    assert not silent


@pytest.mark.parametrize("family", OURS)
def test_the_condition_matters_more_than_a_constant(family: str) -> None:
    """Another class gives another image, and shifts the scores of two images by different amounts."""
    for conditioning in ("concat", "projection"):
        spec = small(family, conditioning)
        generator, critic = build_generator(spec, 2).eval(), build_critic(spec, 2).eval()
        noise, condition = inputs(spec)
        assert condition is not None
        other = condition.roll(1, 1)
        assert not torch.allclose(generator(noise, condition), generator(noise, other), atol=1e-5)
        images = torch.rand(4, *spec.image_shape, generator=torch.Generator().manual_seed(3))
        one = torch.eye(5)[:1].expand(4, -1)
        two = torch.eye(5)[1:2].expand(4, -1)
        shift = critic(images, one).score - critic(images, two).score
        assert shift.std() > 1e-6
    with pytest.raises(ValueError, match=r"needs a condition \[N, 5\], got none"):
        generator(noise)


@pytest.mark.parametrize("family", OURS)
def test_the_seed_fixes_the_weights_and_leaves_the_global_state_alone(family: str) -> None:
    spec = small(family, "concat", minibatch=3)
    before = torch.get_rng_state()
    for build in (build_generator, build_critic):
        first, again, other = (
            build(spec, 5).state_dict(),
            build(spec, 5).state_dict(),
            build(spec, 6).state_dict(),
        )
        assert all(torch.equal(first[k], again[k]) for k in first)
        assert any(not torch.equal(first[k], other[k]) for k in first)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("family", OURS)
def test_a_specification_survives_json_and_rebuilds_the_network(family: str) -> None:
    spec = small(family, "projection", spectral=True)
    copy = NetworkSpec.from_json(json.loads(json.dumps(spec.as_json())))
    critic = build_critic(spec, 0).eval()
    rebuilt = build_critic(copy, 9).eval()
    rebuilt.load_state_dict(critic.state_dict())
    _, condition = inputs(spec)
    images = torch.rand(4, *spec.image_shape, generator=torch.Generator().manual_seed(4))
    assert torch.equal(critic(images, condition).score, rebuilt(images, condition).score)


def test_output_range_minus_one_to_one() -> None:
    spec = NetworkSpec("fc", (1, 8, 8), 4, output_range=(-1, 1), initialisation="he")
    images = build_generator(spec, 0)(10 * torch.randn(50, 4))
    assert images.min() < -0.9
    assert images.max() > 0.9


def test_spectral_norm_bounds_every_weight() -> None:
    critic = build_critic(small("dcgan", spectral=True, critic_norm="none"), 0)
    for _ in range(30):
        critic(torch.rand(4, 1, 20, 20))
    weights = [m.weight for m in critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert len(weights) == 4
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_minibatch_discrimination_against_the_formula() -> None:
    torch.manual_seed(0)
    layer = MinibatchDiscrimination(3, kernels=2, size=4).double()
    features = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    found = layer(features)
    matrix = (features.detach().numpy() @ layer.tensor.detach().numpy()).reshape(5, 2, 4)
    for i in range(5):
        for b in range(2):
            expected = sum(np.exp(-np.abs(matrix[i, b] - matrix[j, b]).sum()) for j in range(5))
            assert found[i, 3 + b].item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(layer, features)


def test_minibatch_discrimination_sees_a_collapsed_batch() -> None:
    layer = MinibatchDiscrimination(3, kernels=2, size=4)
    same = layer(torch.ones(8, 3))[:, 3:]
    assert torch.allclose(same, torch.full((8, 2), 8.0))
    assert (layer(torch.randn(8, 3) * 10)[:, 3:] < 8).all()


def test_autoencoding_critic_scores_by_its_error() -> None:
    spec = small("dcgan", "concat", critic="autoencoder")
    images = torch.rand(4, 1, 20, 20)
    seen = build_critic(spec, 0)(images, torch.eye(5)[:4])
    assert seen.reconstruction is not None
    assert torch.allclose(seen.score, -((seen.reconstruction - images) ** 2).mean((1, 2, 3)))
    with pytest.raises(UsageError, match="auto-encoding critic"):
        build_critic(small("dcgan", "projection", critic="autoencoder"), 0)


@pytest.mark.parametrize(("family", "options"), [("dcgan", {}), ("fc", {}), ("fc", {"variational": True})])
def test_encoders(family: str, options: dict[str, Any]) -> None:
    spec = small(family, "concat", **options)
    images = torch.rand(4, *spec.image_shape)
    code = build_encoder(spec, 0)(images, torch.eye(5)[:4])
    assert code.mean.shape == (4, 6)
    assert (code.log_variance is not None) == bool(options)


def test_the_update_starts_as_four_times_the_identity_and_learns_from_there() -> None:
    generator: Any = build_generator(NetworkSpec("fc", (3, 8, 8), 4, options={"update": True}), 0)
    extra = generator.ending[1]
    pixels = torch.randn(2, 3, 8, 8)
    assert torch.allclose(generator.ending(pixels), torch.sigmoid(4 * torch.tanh(pixels)), atol=1e-6)
    generator(torch.randn(8, 4)).sum().backward()
    assert (extra.weight.grad != 0).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_initialisation_has_the_intended_spread(scheme: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        linear = nn.Linear(300, 200)
    initialise(linear, scheme, torch.Generator().manual_seed(0))
    expected = {"glorot": 2 / 500, "he": 2 / 300, "normal02": 0.0004}.get(scheme, 1 / 900)
    assert linear.weight.var().item() == pytest.approx(expected, rel=0.05)
    assert bool(linear.bias.any()) == (scheme == "torch-default")  # the only one that draws biases too


def test_layer_norm_ignores_the_other_samples() -> None:
    layer = LayerNorm(3)
    images = torch.randn(4, 3, 5, 5)
    alone = layer(images[:1])
    assert torch.allclose(layer(images)[:1], alone)
    assert alone.mean().item() == pytest.approx(0, abs=1e-6)
    assert alone.std(correction=0).item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (NetworkSpec("nosuch", (1, 20, 20), 4), "No network family 'nosuch': choose one of .*dcgan"),
        (
            NetworkSpec("dcgan", (1, 20, 20), 4, options={"norms": 1}),
            "no option norms; they have .*critic_norm",
        ),
        (NetworkSpec("dcgan", (1, 30, 30), 4), "multiples of 4 .*30x30 is not"),
        (NetworkSpec("faces", (3, 48, 40), 4), "multiples of 16 .*40x48 is not"),
        (NetworkSpec("dcgan", (1, 20, 20), 4, options={"generator_norm": "x"}), "No normalisation 'x'"),
        (NetworkSpec("fc", (1, 20, 20), 4, options={"generator_norms": ["batch"] * 2}), "need as many norms"),
        (NetworkSpec("fc", (1, 20, 20), 4, options={"label_layers": "some"}), "neither 'all' nor 'first'"),
        (NetworkSpec("fc", (1, 20, 20), 4, initialisation="x"), "No initialisation 'x'"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_line(spec: NetworkSpec, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        build_generator(spec, 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("family", "option", "value"),
    [
        ("whole", "codes", -1),
        ("whole", "coarse", 0),
        ("whole", "apart", 3),
        ("whole", "overlap", "x"),
        ("whole", "spectrum", float("nan")),
        ("fast", "gain", -1.0),
        ("dcgan", "channels", True),
    ],
)
def test_options_that_are_no_such_numbers_are_refused(family: str, option: str, value: object) -> None:
    places = {"places": 4} if family == "whole" else {}
    spec = NetworkSpec(family, (1, 20, 20), 32, 12, "projection", options={**places, option: value})
    with pytest.raises(UsageError, match=f"option {option}"):
        build_generator(spec, 0)


def test_what_cannot_be_judged_is_said_as_well() -> None:
    with pytest.raises(UsageError, match="choose one of pooling, strided"):
        build_critic(NetworkSpec("cs231n", (1, 28, 28), 4, options={"critic": "x"}), 0)
    with pytest.raises(UsageError, match="16x16 is the least"):
        build_critic(NetworkSpec("cs231n", (1, 12, 12), 4), 0)
    with pytest.raises(UsageError, match="has no encoder; these have: dcgan, fc"):
        build_encoder(NetworkSpec("slides", (1, 32, 32), 4), 0)
    with pytest.raises(UsageError, match="Conditioning 'concat' with 0 classes"):
        NetworkSpec("fc", (1, 20, 20), 4, 0, "concat")


def _several(rank: int, added: list[dict[str, str]], results: str) -> None:
    torch.set_num_threads(1)
    os.environ.update(added[rank])
    join_group()
    torch.save(_penalised(rank), f"{results}{rank}")
    leave_group()
    names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    assert not [name for name in names if "gloo" in name], "threads of the group run on"


def _penalised(rank: int | None) -> dict[str, torch.Tensor]:
    """One step's worth of a critic with batch norm, minibatch discrimination and a gradient penalty."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(3, 4), BatchNorm(4), nn.Tanh(), MinibatchDiscrimination(4, 2, 3), nn.Linear(6, 1)
    )
    batch = torch.randn(8, 3)
    mine = (batch if rank is None else batch[4 * rank : 4 * rank + 4]).requires_grad_()
    score = network(mine)
    (gradient,) = torch.autograd.grad(score.sum(), mine, create_graph=True)
    (score.mean() + (gradient.norm(dim=1) - 1).square().mean()).backward()
    gradients = {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
    return {**gradients, "input": gradient.detach(), **dict(network.named_buffers())}


def test_two_processes_share_batch_statistics(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(  # type: ignore[attr-defined,no-untyped-call]
        _several, (environments(), str(tmp_path / "rank")), nprocs=2
    )
    parts = [torch.load(tmp_path / f"rank{r}", weights_only=True) for r in range(2)]
    whole = _penalised(None)
    assert torch.allclose(torch.cat([p["input"] for p in parts]), whole["input"], atol=1e-6)
    for name in whole:
        if name != "input":
            mean = (parts[0][name] + parts[1][name]).float() / 2  # gradients are averaged, as training does
            assert torch.allclose(mean, whole[name].float(), atol=1e-5), name
