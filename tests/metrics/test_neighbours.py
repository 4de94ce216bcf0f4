"""Neighbour measures beside brute-force references that share no code with them."""

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

from captcha_lab.errors import UsageError
from captcha_lab.metrics import neighbours
from captcha_lab.metrics.samples import diversity, memorisation
from captcha_lab.metrics.samples.manifold import manifold


def brute_force(samples: Any, real: Any, k: Any) -> Any:
    """Precision, recall, density, coverage by loops over points, straight from the papers' formulas."""

    def radius(points: Any, i: Any) -> Any:
        return sorted(math.dist(points[i], points[j]) for j in range(len(points)) if j != i)[k - 1]

    real_radius = [radius(real, i) for i in range(len(real))]
    sample_radius = [radius(samples, i) for i in range(len(samples))]
    inside = [[math.dist(s, r) <= real_radius[j] for j, r in enumerate(real)] for s in samples]
    recalled = [any(math.dist(s, r) <= sample_radius[i] for i, s in enumerate(samples)) for r in real]
    return (
        np.mean([any(row) for row in inside]),
        np.mean(recalled),
        sum(sum(row) for row in inside) / (k * len(samples)),
        np.mean([any(row[j] for row in inside) for j in range(len(real))]),
    )


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("sizes", [(40, 40), (25, 60), (60, 25)])
def test_manifold_agrees_with_brute_force(k: int, sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(k)
    samples, real = rng.normal(size=(sizes[0], 4)) * 1.3 + 0.4, rng.normal(size=(sizes[1], 4))
    assert tuple(manifold(samples, real, k)) == pytest.approx(brute_force(samples, real, k), abs=1e-12)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    samples, real = rng.normal(size=(50, 6)), rng.normal(size=(70, 6))
    whole = manifold(samples, real), neighbours.nearest(samples, real)
    monkeypatch.setattr(neighbours, "_BLOCK_BYTES", 5000)
    parts = manifold(samples, real), neighbours.nearest(samples, real)
    assert whole[0] == parts[0]
    np.testing.assert_array_equal(whole[1].which, parts[1].which)


def test_memory_stays_bounded() -> None:
    points = np.random.default_rng(1).normal(size=(6000, 8))
    tracemalloc.start()
    manifold(points, points + 0.01)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 * 2**20 < 6000 * 6000 * 8  # all pairs at once would be 275 MiB for each matrix


def test_collapse_has_no_recall_and_equal_points_are_at_no_distance() -> None:
    rng = np.random.default_rng(2)
    real = rng.random((100, 12))
    one = np.repeat(real[:1], 100, axis=0)
    collapsed = manifold(one, real)
    assert collapsed.precision == 1.0
    assert collapsed.recall == pytest.approx(0.01)
    assert neighbours.nearest(real + 0.0, real).distance.max() == 0.0
    assert manifold(real, real) == pytest.approx((1, 1, 1.2, 1))  # each point is also in its own ball


def test_nearest_by_loop_on_images() -> None:
    rng = np.random.default_rng(3)
    queries, reference = (rng.integers(0, 256, (n, 5, 4), dtype=np.uint8) for n in (6, 9))
    found = neighbours.nearest(queries, reference)
    for q, distance, which in zip(queries, found.distance, found.which, strict=True):
        expected = [np.sqrt((((q.astype(float) - r) / 255) ** 2).sum()) for r in reference]
        assert which == int(np.argmin(expected))
        assert distance == pytest.approx(min(expected))


def test_copies_and_memorisation() -> None:
    rng = np.random.default_rng(4)
    train = rng.integers(0, 256, (20, 4, 4), dtype=np.uint8)
    fresh = rng.integers(0, 256, (20, 4, 4), dtype=np.uint8)
    mixed = np.concatenate([train[:5], fresh])
    assert sum(key in set(neighbours.fingerprints(train)) for key in neighbours.fingerprints(mixed)) == 5
    assert len(set(neighbours.fingerprints(np.concatenate([mixed, mixed])))) == 25
    held_out = neighbours.nearest(fresh, train).distance
    assert memorisation.memorisation(held_out, held_out) == pytest.approx((1.0, 0.05))
    copied = memorisation.memorisation(neighbours.nearest(train, train).distance, held_out)
    assert copied == (0.0, 1.0)
    assert memorisation.memorisation(2 * held_out, held_out).ratio == pytest.approx(2)


def test_variance_classes_and_modes() -> None:
    values = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 1.0], [5.0, 5.0]])
    variance = diversity.class_variance(values, np.array([0, 0, 1, 2]), 4)
    assert variance[0] == pytest.approx(1.0)  # variances 2 and 0 of the two coordinates
    assert np.isnan(variance[1:]).all()
    ratio = diversity.variance_ratio(np.array([1.0, np.nan, 3.0]), np.array([2.0, 2.0, np.nan]))
    assert ratio == pytest.approx((0.5 + 0) / 2)


def test_classes_reached_counts_only_what_chance_cannot_explain() -> None:
    even = np.full(4, 0.25)
    assert (
        diversity.classes_reached(np.array([0] * 99 + [1]), even) == 0.25
    )  # one sample of 25 is not reaching
    assert diversity.classes_reached(np.arange(100) % 4, even) == 1.0
    assert diversity.classes_reached(np.arange(100) % 2, np.array([0.5, 0.45, 0.05, 0.0])) == 1.0
    assert np.isnan(diversity.classes_reached(np.arange(8) % 4, even))


def test_modes_of_separated_clusters() -> None:
    rng = np.random.default_rng(5)
    real = np.concatenate([rng.normal(size=(50, 2)) * 0.1 + 10 * k for k in range(4)])
    centres = diversity.find_modes(real, 4, seed=0)
    assert len(centres) == 4
    assert diversity.modes(real, real, centres) == (4, 4, 0.0)
    assert diversity.modes(real[:100], real, centres) == pytest.approx((2, 4, 0.5))


@pytest.mark.parametrize(
    "call",
    [
        lambda: neighbours.nearest(np.ones((2, 2)), np.ones((0, 2))),
        lambda: neighbours.kth_radius(np.ones((5, 2)), 5),
        lambda: memorisation.memorisation(np.ones(0), np.ones(1)),
        lambda: diversity.find_modes(np.ones((3, 2)), 4, seed=0),
    ],
)
def test_too_little_data_is_refused(call: Any) -> None:
    with pytest.raises(UsageError):
        call()
