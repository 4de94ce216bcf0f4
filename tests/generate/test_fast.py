"""Our own networks: blank paper is exactly blank, codes are finite, gradients reach every part, grain is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.fft import idctn

from captcha_lab.errors import UsageError
from captcha_lab.generate.networks import NetworkSpec, build_critic, build_generator
from captcha_lab.generate.networks.fast import ink_figures
from captcha_lab.generate.networks.parts.frequencies import Frequencies

WIDTHS = {"generator": (24,), "critic": (24,)}


def spec(
    conditioning: str = "projection",
    shape: tuple[int, int, int] = (1, 12, 12),
    noise: int = 16,
    low_high: tuple[float, float] = (0.0, 1.0),
    **options: object,
) -> NetworkSpec:
    classes = 0 if conditioning == "none" else 4
    return NetworkSpec("fast", shape, noise, classes, conditioning, low_high, options={**WIDTHS, **options})


def told(n: int) -> torch.Tensor:
    return torch.eye(4)[torch.arange(n) % 4]


@pytest.mark.parametrize("low_high", [(0.0, 1.0), (-1.0, 1.0)])
@pytest.mark.parametrize("paper", [1.0, 0.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_crisp_images_are_blank_paper_or_ink(
    low_high: tuple[float, float], paper: float, channels: int
) -> None:
    network = build_generator(spec(shape=(channels, 12, 10), low_high=low_high, paper=paper), 0)
    with torch.no_grad():
        images = network(torch.randn(40, 16), told(40))
    unit = (images - low_high[0]) / (low_high[1] - low_high[0])
    blank = torch.isclose(unit, torch.tensor(paper))
    assert 0.2 < float(blank.float().mean()) < 0.8
    assert float((unit[~blank] - paper).abs().min()) > 0.3
    assert unit.min() >= 0
    assert unit.max() <= 1


def test_soft_edges_have_greys() -> None:
    noise, condition = torch.randn(20, 16), told(20)
    crisp, soft = (build_generator(spec(crisp=c, grain=0.0), 0)(noise, condition) for c in (True, False))
    assert len(torch.unique(crisp[0])) == 2
    assert len(torch.unique(soft[0])) > 50


def test_codes_make_finitely_many_shapes() -> None:
    network = build_generator(spec(codes=3, books=2, grain=0.0), 0)
    with torch.no_grad():
        images = network(torch.randn(500, 16), told(4)[:1].expand(500, -1))
    stencils = torch.unique((images < 1).flatten(1), dim=0)
    assert 1 < len(stencils) <= 9
    free = build_generator(spec(codes=0, grain=0.0), 0)
    with torch.no_grad():
        images = free(torch.randn(500, 16), told(4)[:1].expand(500, -1))
    assert len(torch.unique((images < 1).flatten(1), dim=0)) > 9


def test_codes_are_equally_likely() -> None:
    codebook: Any = build_generator(spec(codes=8), 0).codebook
    assert codebook is not None
    picked = codebook(torch.randn(8000, 8)).detach()
    _, counts = torch.unique(picked[:, 0], return_counts=True)
    assert len(counts) == 8
    assert counts.min() > 850
    assert counts.max() < 1150


def test_gradients_reach_every_part_through_a_crisp_stencil() -> None:
    network = build_generator(spec(), 0)
    critic = build_critic(spec(), 0)
    critic(network(torch.randn(32, 16), told(32)), told(32)).score.sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name


def test_grain_is_independent_from_pixel_to_pixel() -> None:
    network: Any = build_generator(spec(noise=128), 0)
    grain = torch.randn(4000, 64) @ network.texture
    correlation = torch.corrcoef(grain.T)
    off = correlation - torch.diag(torch.diagonal(correlation))
    assert torch.allclose(grain.std(0), torch.ones(144), atol=0.06)
    assert float(off.square().mean().sqrt()) < 0.15


def test_ink_figures_by_hand() -> None:
    ink = torch.zeros(1, 1, 2, 3)
    ink[0, 0] = torch.tensor([[0.5, 0.7, 0.0], [0.8, 0.6, 0.0]])
    across = (0.2**2 + 0.2**2) / 2
    tone = (0.5 + 0.7 + 0.8 + 0.6) / 4 - 0.8
    assert torch.allclose(ink_figures(ink), torch.tensor([[10 * tone, 20 * across]]))
    assert torch.equal(ink_figures(torch.zeros(2, 1, 4, 4)), torch.zeros(2, 2))


@pytest.mark.parametrize("conditioning", ["none", "concat", "projection", "auxiliary"])
def test_every_conditioning(conditioning: str) -> None:
    made = spec(conditioning)
    condition = None if conditioning == "none" else told(6)
    images = build_generator(made, 0)(torch.randn(6, 16), condition)
    judged = build_critic(made, 0)(images, condition)
    assert judged.score.shape == (6,)
    assert (judged.class_logits is None) == (
        conditioning in ("none", "concat")
    )  # those are asked for no class


def test_too_little_noise_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 4 noise values"):
        build_generator(spec(noise=3, books=2), 0)


def test_waves_add_up_to_the_inverse_cosine_transform() -> None:
    waves = Frequencies(6, 10, slope=1.0)
    amplitudes = np.random.default_rng(0).standard_normal((3, 60)).astype(np.float32)
    expected = idctn(amplitudes.reshape(3, 6, 10) * waves.scale.numpy(), axes=(1, 2), norm="ortho")
    np.testing.assert_allclose(waves(torch.from_numpy(amplitudes))[:, 0].numpy(), expected, atol=1e-5)


def test_a_slope_makes_coarse_forms_louder_and_keeps_the_variance() -> None:
    amplitudes = torch.randn(4000, 120, generator=torch.Generator().manual_seed(0))
    steep, flat = (Frequencies(12, 10, slope=slope)(amplitudes) for slope in (1.5, 0.0))
    for pictures in (steep, flat):
        assert float(pictures.var()) == pytest.approx(1, rel=0.05)
    assert float(steep.mean((2, 3)).var()) > 10 * float(flat.mean((2, 3)).var())


def test_a_stencil_of_waves_is_drawn_for_any_shape_and_moves_every_weight() -> None:
    network = build_generator(spec(shape=(1, 12, 10), spectrum=1.0, crisp=False), 0)
    images = network(torch.randn(5, 16), told(5))
    assert images.shape == (5, 1, 12, 10)
    images.square().sum().backward()
    assert network.get_parameter("stencil.weight").grad.abs().sum(1).min() > 0  # type: ignore[union-attr]


def test_a_negative_slope_is_refused() -> None:
    with pytest.raises(UsageError, match="spectrum"):
        build_generator(spec(spectrum=-1.0), 0)
