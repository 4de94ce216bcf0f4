"""Distances beside torchmetrics on the same features (a custom feature module) and by brute force."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.stats import wasserstein_distance
from skimage.metrics import structural_similarity
from torch import nn
from torch.nn.functional import avg_pool2d
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from captcha_lab.errors import UsageError
from captcha_lab.metrics.samples import frechet, kernel, similarity, sliced


class PixelFeatures(nn.Module):
    """A fixed random layer of 24 features over 3x8x8 images, in double precision."""

    num_features = 24

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(192, 24, generator=generator, dtype=torch.float64) / 40)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images.double().flatten(1) / 255) @ self.weight


@pytest.fixture(scope="module")
def two_sets() -> Any:
    generator = torch.Generator().manual_seed(1)
    first = torch.randint(0, 256, (300, 3, 8, 8), generator=generator, dtype=torch.uint8)
    second = torch.randint(20, 200, (300, 3, 8, 8), generator=generator, dtype=torch.uint8)
    return first, second


def features_of(images: Any) -> Any:
    with torch.no_grad():
        return PixelFeatures()(images).numpy()


def test_frechet_agrees_with_torchmetrics(two_sets: Any) -> None:
    peer = FrechetInceptionDistance(feature=PixelFeatures(), input_img_size=(3, 8, 8)).set_dtype(
        torch.float64
    )
    peer.update(two_sets[0], real=True)
    peer.update(two_sets[1], real=False)
    ours = frechet.frechet_distance(features_of(two_sets[0]), features_of(two_sets[1]))
    assert ours == pytest.approx(float(peer.compute()), rel=1e-6)


@pytest.mark.filterwarnings("ignore:Metric `Kernel:UserWarning")  # it keeps every feature
def test_kernel_agrees_with_torchmetrics(two_sets: Any) -> None:
    peer = KernelInceptionDistance(feature=PixelFeatures(), subsets=1, subset_size=300)
    peer.update(two_sets[0], real=True)
    peer.update(two_sets[1], real=False)
    ours = kernel.squared_mmd(features_of(two_sets[0]), features_of(two_sets[1]))
    assert ours == pytest.approx(float(peer.compute()[0]), rel=1e-6)


def test_kernel_by_brute_force_and_its_subsets() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(7, 3)), rng.normal(size=(7, 3)) + 1

    def k(a: Any, b: Any) -> Any:
        return (a @ b / 3 + 1) ** 3

    pairs = [(i, j) for i in range(7) for j in range(7)]
    expected = (
        np.mean([k(x[i], x[j]) for i, j in pairs if i != j])
        + np.mean([k(y[i], y[j]) for i, j in pairs if i != j])
        - 2 * np.mean([k(x[i], y[j]) for i, j in pairs])
    )
    assert kernel.squared_mmd(x, y) == pytest.approx(expected, rel=1e-12)
    drawn = [kernel.kernel_distance(x, y, seed=s, subsets=9, subset_size=5) for s in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    whole = kernel.kernel_distance(x, y, seed=0, normalised=False)
    assert whole == pytest.approx((expected, 0.0))


def test_normalised_kernel_ignores_the_scale_of_an_extractor() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(40, 6)), rng.normal(size=(40, 6)) + 0.5
    plain = kernel.kernel_distance(x, y, seed=0).value
    assert kernel.kernel_distance(1000 * x, 1000 * y, seed=0).value == pytest.approx(plain, rel=1e-9)


def test_frechet_of_known_gaussians_and_against_a_matrix_root() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, 5))
    assert frechet.frechet_distance(x, x + 3.0) == pytest.approx(9 * 5, rel=1e-9)
    assert frechet.frechet_distance(x, x) == pytest.approx(0, abs=1e-12)
    y = rng.normal(size=(150, 5)) @ rng.normal(size=(5, 5))
    first, second = np.cov(x.T), np.cov(y.T)
    step = x.mean(0) - y.mean(0)
    expected = step @ step + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet.frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)


def test_frechet_with_fewer_samples_than_features_stays_real_and_symmetric() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(10, 60)), rng.normal(size=(12, 60))
    assert frechet.frechet_distance(x, y) == pytest.approx(frechet.frechet_distance(y, x), rel=1e-9)


def test_moments_in_batches_equal_moments_at_once() -> None:
    x = np.random.default_rng(6).normal(size=(101, 4)) + 1e4
    streamed = frechet.moments(np.array_split(x, 7))
    assert streamed.size == 101
    np.testing.assert_allclose(streamed.mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(streamed.covariance, np.cov(x.T), rtol=1e-6)


@pytest.mark.parametrize("sizes", [(50, 50), (50, 20), (7, 11), (1, 4)])
def test_columns_agree_with_scipys_wasserstein(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=(sizes[0], 3)), rng.normal(size=(sizes[1], 3)) + 0.3
    expected = [wasserstein_distance(a[:, k], b[:, k]) for k in range(3)]
    np.testing.assert_allclose(sliced.wasserstein_columns(a, b), expected, rtol=1e-12)


def test_sliced_distance_of_a_shift_follows_from_the_directions() -> None:
    images = np.random.default_rng(8).random((30, 4, 4))
    assert sliced.sliced_wasserstein(images, images, seed=0) == 0
    # A shift by one vector of length L moves each projection by L·cos; the mean of |cos| in 16 dimensions:
    mean_cosine = 0.2018
    moved = sliced.sliced_wasserstein(images, images + 0.5, seed=0, projections=4096)
    assert moved == pytest.approx(2.0 * mean_cosine, rel=0.05)
    assert sliced.sliced_wasserstein(images, images[:5], seed=1) == sliced.sliced_wasserstein(
        images, images[:5], seed=1
    )


@pytest.mark.parametrize(("side", "scales"), [(16, 1), (64, 3), (128, 4), (192, 5)])
def test_ms_ssim_agrees_with_two_libraries(side: int, scales: int) -> None:
    """Contrast of the finer scales from torchmetrics, full similarity of the last one from scikit-image.

    torchmetrics' own multi-scale figure averages the last scale over its reflected border as well, which the
    paper does not, and on small images that changes the third digit.
    """
    rng = np.random.default_rng(9)
    first = rng.integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    second = np.clip(first + rng.normal(0, 40, first.shape), 0, 255).astype(np.uint8)
    assert similarity.scales_for(side, side) == scales
    weights = np.array(similarity.SCALE_WEIGHTS[:scales]) / sum(similarity.SCALE_WEIGHTS[:scales])
    x, y = (torch.tensor(a / 255.0).permute(0, 3, 1, 2) for a in (first, second))
    expected = np.ones(2)
    for weight in weights[:-1]:
        _, contrast = structural_similarity_index_measure(
            x, y, data_range=1.0, reduction="none", return_contrast_sensitivity=True
        )
        expected *= contrast.numpy() ** weight
        x, y = (avg_pool2d(a, 2) for a in (x, y))
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    last = [
        structural_similarity(a.numpy(), b.numpy(), channel_axis=0, **options)
        for a, b in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(similarity.ms_ssim(first, second), expected * last ** weights[-1], rtol=1e-6)


def test_similarity_of_collapsed_faces_is_one() -> None:
    face = np.random.default_rng(10).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    assert similarity.pair_similarity(np.repeat(face, 5, axis=0), seed=0, pairs=20) == pytest.approx(1)
    noise = np.random.default_rng(11).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    assert similarity.pair_similarity(noise, seed=0, pairs=20) < 0.1


@pytest.mark.parametrize(
    "call",
    [
        lambda: frechet.frechet_distance(np.ones((3, 2)), np.ones((3, 4))),
        lambda: frechet.frechet_distance(np.ones((1, 2)), np.ones((3, 2))),
        lambda: kernel.squared_mmd(np.ones((3, 2)), np.ones((4, 2))),
        lambda: sliced.sliced_wasserstein(np.ones((3, 2, 2)), np.ones((3, 4, 4)), seed=0),
        lambda: similarity.ms_ssim(np.ones((1, 8, 8), np.uint8), np.ones((1, 8, 8), np.uint8)),
        lambda: similarity.pair_similarity(np.ones((1, 32, 32), np.uint8), seed=0),
    ],
)
def test_what_cannot_be_compared_is_refused(call: Any) -> None:
    with pytest.raises(UsageError):
        call()
