"""Toy distances against worked examples, scipy's one-dimensional distance and the assignment problem."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance

from captcha_lab.errors import UsageError
from captcha_lab.metrics import toy


def test_parallel_lines_show_what_the_loss_of_a_gan_hides() -> None:
    table = [toy.parallel_lines(theta) for theta in (-1.0, -0.5, 0.0, 0.25, 2.0)]
    assert [row.wasserstein for row in table] == [1.0, 0.5, 0.0, 0.25, 2.0]
    assert [row.js for row in table] == pytest.approx([np.log(2), np.log(2), 0, np.log(2), np.log(2)])
    assert [row.kl for row in table] == [np.inf, np.inf, 0.0, np.inf, np.inf]


@pytest.mark.parametrize("theta", [-0.7, 0.0, 0.01, 3.0])
def test_the_solver_agrees_with_the_exact_lines(theta: float) -> None:
    assert toy.parallel_lines(theta, points=12) == pytest.approx(toy.parallel_lines(theta), abs=1e-9)


def test_divergences_worked_by_hand() -> None:
    p, q = [0.5, 0.5, 0.0], [0.25, 0.5, 0.25]
    assert toy.kl_divergence(p, q) == pytest.approx(0.5 * np.log(2))
    assert toy.kl_divergence(q, p) == np.inf
    by_hand = 0.5 * (0.5 * np.log(4 / 3) + 0.25 * np.log(2 / 3) + 0.25 * np.log(2))
    assert toy.js_divergence(p, q) == toy.js_divergence(q, p) == pytest.approx(by_hand)
    assert toy.discrete(p, q) == pytest.approx((0.5 * np.log(2), by_hand, 0.5, 0.25))


def test_transport_in_one_dimension_equals_scipys_own() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        p, q = rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(4))
        here, there = rng.normal(size=7), rng.normal(size=4)
        expected = wasserstein_distance(here, there, p, q)
        assert toy.wasserstein(p, q, here, there) == pytest.approx(expected, rel=1e-7)


def test_transport_of_equal_masses_is_an_assignment_and_the_plan_adds_up() -> None:
    cost = np.random.default_rng(1).random((6, 6))
    found = toy.transport(np.full(6, 1 / 6), np.full(6, 1 / 6), cost)
    rows, columns = linear_sum_assignment(cost)
    assert found.cost == pytest.approx(cost[rows, columns].mean())
    assert found.plan.sum(0) == pytest.approx(1 / 6)
    assert found.plan.sum(1) == pytest.approx(1 / 6)
    assert (found.plan * cost).sum() == pytest.approx(found.cost)


@pytest.mark.parametrize("bad", [[0.5, 0.6], [-0.1, 1.1], [], [np.nan, 1.0], [[1.0]]])
def test_what_is_no_distribution_is_refused(bad: list[Any]) -> None:
    with pytest.raises(UsageError, match="none negative, their sum 1"):
        toy.kl_divergence(bad, bad)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="2 and 3 outcomes"):
        toy.js_divergence([0.5, 0.5], [0.2, 0.3, 0.5])
    with pytest.raises(UsageError, match=r"must be finite \[2, 1\], not \[1, 1\]"):
        toy.transport([0.5, 0.5], [1.0], [[0.0]])
    with pytest.raises(UsageError, match="1 and 2 coordinates"):
        toy.wasserstein([1.0], [1.0], [0.0], [[0.0, 1.0]])
    with pytest.raises(UsageError, match="finite theta"):
        toy.parallel_lines(np.inf)
    with pytest.raises(UsageError, match="0 points"):
        toy.parallel_lines(1.0, points=0)
