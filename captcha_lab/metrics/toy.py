"""Distances small enough to follow by hand: why a GAN's loss says nothing where a Wasserstein distance still does.

Two uniform distributions on parallel lines at distance theta are the standard example (Arjovsky et al. 2017, example
1; the thesis's Wasserstein chapter and the lecture slides): KL is infinite and JS constant as soon as the lines part,
while the Wasserstein distance is theta.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from captcha_lab.errors import UsageError


class Distances(NamedTuple):
    """Four ways to tell two distributions apart."""

    kl: float
    """KL(p || q) in nats; infinite where q is 0 and p is not."""
    js: float
    """Jensen-Shannon divergence in nats, between 0 and log 2."""
    wasserstein: float
    """Wasserstein-1 distance in units of the ground cost."""
    total_variation: float
    """Largest difference of the probabilities of an event, between 0 and 1."""


class Transport(NamedTuple):
    """The cheapest way to move one distribution onto another."""

    cost: float
    """Sum over all moves of mass times ground cost: the Wasserstein-1 distance where the cost is a metric."""
    plan: NDArray[np.float64]
    """[N, M] mass moved from each of N places to each of M; rows sum to p, columns to q."""


def kl_divergence(p: ArrayLike, q: ArrayLike) -> float:
    """Kullback-Leibler divergence sum p log(p / q) in nats, with 0 log 0 = 0 (Kullback and Leibler 1951).

    Args:
        p: [N] probabilities.
        q: [N] probabilities of the same N outcomes.

    Raises:
        UsageError: a negative or non-finite probability, a sum other than 1, or different lengths.

    >>> kl_divergence([0.5, 0.5], [0.5, 0.5]), kl_divergence([0.5, 0.5], [1, 0])
    (0.0, inf)
    """
    first, second = _pair(p, q)
    held = first > 0
    if np.any(second[held] == 0):
        return float("inf")
    return float(np.sum(first[held] * np.log(first[held] / second[held])))


def js_divergence(p: ArrayLike, q: ArrayLike) -> float:
    """Jensen-Shannon divergence in nats: the mean KL of both to their mean m (Lin 1991, section IV).

    A GAN's generator minimises it against a perfect critic (Goodfellow et al. 2014, theorem 1); it is log 2
    wherever the two have nothing in common. See `kl_divergence` for arguments and errors.
    """
    first, second = _pair(p, q)
    middle = (first + second) / 2
    return (kl_divergence(first, middle) + kl_divergence(second, middle)) / 2


def total_variation(p: ArrayLike, q: ArrayLike) -> float:
    """Total variation distance, half the sum of |p - q|: 1 where the two have nothing in common (Arjovsky et al. 2017).

    See `kl_divergence` for arguments and errors.

    >>> total_variation([0.5, 0.5, 0.0], [0.0, 0.5, 0.5])
    0.5
    """
    first, second = _pair(p, q)
    return float(np.abs(first - second).sum() / 2)


def transport(p: ArrayLike, q: ArrayLike, cost: ArrayLike) -> Transport:
    """Exact optimal transport as a linear programme (Villani 2009, chapter 3; solved by scipy's HiGHS).

    Args:
        p: [N] probabilities.
        q: [M] probabilities.
        cost: [N, M] price of moving a unit of mass, finite.

    Raises:
        UsageError: not probabilities (see `kl_divergence`) or a cost of another shape.

    >>> transport([1, 0], [0.5, 0.5], [[0, 3], [3, 0]]).cost  # half of the mass moves by 3
    1.5
    """
    from scipy.optimize import linprog
    from scipy.sparse import eye_array, kron, vstack

    first, second = _probabilities(p), _probabilities(q)
    n, m = len(first), len(second)
    price = np.asarray(cost, np.float64)
    if price.shape != (n, m) or not np.all(np.isfinite(price)):
        raise UsageError(
            f"The cost of moving {n} places to {m} must be finite [{n}, {m}], not {list(price.shape)}."
        )
    sums = vstack([kron(eye_array(n), np.ones((1, m))), kron(np.ones((1, n)), eye_array(m))]).tocsr()
    # One of the n + m equations follows from the others; left in, rounding could make them contradict each other.
    found = linprog(price.ravel(), A_eq=sums[:-1], b_eq=np.concatenate([first, second])[:-1], method="highs")
    if not found.success:
        raise UsageError(f"The transport problem has no solution: {found.message}")
    return Transport(float(found.fun), found.x.reshape(n, m))


def wasserstein(p: ArrayLike, q: ArrayLike, places: ArrayLike, others: ArrayLike | None = None) -> float:
    """Wasserstein-1 distance under the Euclidean distance between places.

    Args:
        p: [N] probabilities.
        q: [M] probabilities.
        places: [N] numbers or [N, D] points where p lives.
        others: [M] or [M, D] where q lives; None = the same places.

    Raises:
        UsageError: see `transport`.
    """
    here = _points(places)
    there = here if others is None else _points(others)
    if here.shape[1] != there.shape[1]:
        raise UsageError(f"Places have {here.shape[1]} and {there.shape[1]} coordinates: give both the same.")
    cost = np.linalg.norm(here[:, None] - there[None], axis=2)
    return transport(p, q, cost).cost


def discrete(p: ArrayLike, q: ArrayLike, places: ArrayLike | None = None) -> Distances:
    """All four distances between two distributions on the same N places (0, 1, 2, ... unless given)."""
    first, second = _pair(p, q)
    where = np.arange(len(first)) if places is None else places
    return Distances(
        kl_divergence(first, second),
        js_divergence(first, second),
        wasserstein(first, second, where),
        total_variation(first, second),
    )


def parallel_lines(theta: float, points: int | None = None) -> Distances:
    """Distances between the uniform distributions on {0} x [0, 1] and {theta} x [0, 1].

    Args:
        theta: how far apart the lines are.
        points: None for the exact values; else both lines become so many equally likely points, and the
            distances are computed from them, to see that the solver agrees.

    Raises:
        UsageError: theta is not finite, or there are no points.

    >>> parallel_lines(0.5)  # the critic's loss says nothing of the distance, Wasserstein's does
    Distances(kl=inf, js=0.6931471805599453, wasserstein=0.5, total_variation=1.0)
    """
    if not np.isfinite(theta):
        raise UsageError(f"Lines at distance {theta} are not in the plane: give a finite theta.")
    if points is None:
        return (
            Distances(0.0, 0.0, 0.0, 0.0)
            if theta == 0
            else Distances(np.inf, float(np.log(2)), abs(float(theta)), 1.0)
        )
    if points < 1:
        raise UsageError(f"A line of {points} points is empty: give at least 1.")
    heights = np.linspace(0, 1, points)
    weights = np.full(points, 1 / points)
    left = np.column_stack([np.zeros(points), heights])
    right = np.column_stack([np.full(points, theta), heights])
    # Over the union of both supports the divergences need no geometry; coinciding lines share their outcomes.
    if theta == 0:
        p = q = weights
    else:
        p, q = np.concatenate([weights, 0 * weights]), np.concatenate([0 * weights, weights])
    cost = wasserstein(weights, weights, left, right)
    return Distances(kl_divergence(p, q), js_divergence(p, q), cost, total_variation(p, q))


def _points(places: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(places, np.float64)
    return points[:, None] if points.ndim == 1 else points


def _pair(p: ArrayLike, q: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = _probabilities(p), _probabilities(q)
    if len(first) != len(second):
        raise UsageError(f"Distributions over {len(first)} and {len(second)} outcomes can't be compared.")
    return first, second


def _probabilities(values: ArrayLike) -> NDArray[np.float64]:
    p = np.asarray(values, np.float64)
    if p.ndim != 1 or not len(p) or not np.all(np.isfinite(p)) or np.any(p < 0) or abs(p.sum() - 1) > 1e-9:
        raise UsageError("A distribution is a list of probabilities: none negative, their sum 1.")
    return np.asarray(p / p.sum())
