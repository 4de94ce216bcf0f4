"""Schedules: how many steps each player takes, and how long the strides are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from captcha_lab.generate.recipe import Recipe, half_cosine

WINDOW = 20  # last iterations whose critic losses the switching rule tests
SURE = 3.0  # standard deviations of Kendall's statistic below what chance gives


class StepRule:
    """How many critic and generator steps an iteration takes: a fixed ratio, with another one at the start.

    With `recipe.switch` the opening ends as soon as the critic's loss falls steadily (section 4.4 of the thesis:
    more critic steps first; when its loss falls steadily, more generator steps), at the latest after the
    opening's iterations. "Steadily" is read as a falling trend by Mann and Kendall's test over the last 20 iterations,
    3 standard deviations below what a series without a trend gives: of openings of 50 iterations of pure noise 2 %
    end early.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.usual = (recipe.critic_steps, recipe.generator_steps)
        self.opening = recipe.opening
        self.switch = recipe.switch
        self.switched_at = 0 if recipe.opening is None else -1
        self._losses: list[float] = []

    def steps(self, iteration: int) -> tuple[int, int]:
        """(critic steps, generator steps) of the iteration, counted from 0."""
        if self.opening is None or self.switched_at >= 0:
            return self.usual
        if iteration >= self.opening[0]:
            self.switched_at = iteration
            return self.usual
        return self.opening[1], self.opening[2]

    def observe(self, iteration: int, critic_loss: float) -> None:
        """Tell the critic's loss of an iteration; only needed while `watching`."""
        self._losses = [*self._losses, critic_loss][-WINDOW:]
        if len(self._losses) == WINDOW and falling(self._losses) > SURE:
            self.switched_at = iteration + 1

    @property
    def watching(self) -> bool:
        """Whether the rule still waits for the critic's loss."""
        return self.switch and self.switched_at < 0

    def state(self) -> dict[str, Any]:
        """When it switched and the last losses."""
        return {"switched_at": self.switched_at, "losses": list(self._losses)}

    def restore(self, state: dict[str, Any]) -> None:
        """Undo to a `state`."""
        self.switched_at = int(state["switched_at"])
        self._losses = [float(x) for x in state["losses"]]


def falling(values: Sequence[float]) -> float:
    """How surely a series falls: minus Kendall's statistic in standard deviations (Mann 1945; Kendall 1975, chapter 4).

    The number of pairs that rise less those that fall, divided by its deviation for values in random order.
    """
    n = len(values)
    rising = sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))
    return -rising / math.sqrt(n * (n - 1) * (2 * n + 5) / 18)


def learning_rate_factor(recipe: Recipe, iteration: int, iterations: int) -> float:
    """What the learning rates are multiplied by in an iteration (from 0) of a run of so many.

    cosine: from 1 to `rate_end` as (1 + cos(pi t)) / 2 with t from 0 to 1 (Loshchilov and Hutter 2017, eq. 5, one
    period, eta_min = `rate_end`); the warm-up rises linearly before it, as a share of the same run.
    """
    rise = min(1.0, (iteration + 1) / recipe.warmup) if recipe.warmup else 1.0
    if recipe.schedule == "constant":
        return rise
    return rise * (recipe.rate_end + (1 - recipe.rate_end) * half_cosine(iteration / iterations))
