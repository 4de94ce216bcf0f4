"""A time budget turned into numbers of iterations and evaluations, and kept while the run goes."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager

from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.generate.training.monitor import Monitor
from captcha_lab.generate.training.trainer import Trainer

LEAST_TRAINING = 0.5  # share of a time budget that goes to iterations, whatever evaluations cost
EVALUATING = 0.1  # share of it that goes to evaluations, at most
RESERVE = 0.04  # share of it that is kept for the pictures at the end
# Share of the planned iterations: a run that is off by no more keeps its plan, and can be repeated bit for bit.
TOLERANCE = 0.04


def planned_iterations(recipe: Recipe, images: int, config: GeneratorConfig) -> int:
    """The length that was asked for on so many images, in iterations; else the recipe's."""
    if config.epochs is not None:
        return max(1, int(config.epochs / recipe.epochs_per_iteration(images)))
    return config.iterations or recipe.iterations


def plan(trainer: Trainer, monitor: Monitor, config: GeneratorConfig, began: float) -> tuple[int, int]:
    """Iterations and evaluations that fill the time budget, measured on the way and undone; else the asked numbers.

    The clock is read for a fortieth of the budget (at least three iterations). Evaluations get a tenth of the
    budget at most, or three of them; their time and all since `began` (`time.perf_counter`) is taken off the budget.
    """
    if config.max_seconds is None:
        return trainer.iterations, config.evaluations
    with undone(trainer):
        trainer.iterate()  # the first one allocates
        start = time.perf_counter()
        trainer.iterate()
        guess = time.perf_counter() - start
        # Processes must do the same number of iterations: each one takes part in the others'.
        count = trainer.group.first(max(3, int(min(3.0, config.max_seconds / 40) / guess)))
        start = time.perf_counter()
        for _ in range(count):
            trainer.iterate()
        each = (time.perf_counter() - start) / count
        start = time.perf_counter()
        monitor.evaluate()
        monitor.grid()
        evaluation = time.perf_counter() - start
    evaluations = min(config.evaluations, max(3, int(EVALUATING * config.max_seconds / evaluation)))
    spent = time.perf_counter() - began + evaluation * evaluations
    left = ending(config.max_seconds, spent) - spent
    return trainer.group.first(max(1, int(left / each))), trainer.group.first(evaluations)


def ending(budget: float, spent: float) -> float:
    """The second at which the last iteration should end, so many being spent already.

    A start that took most of the time must not leave nothing to train.
    """
    return max((1 - RESERVE) * budget, spent + LEAST_TRAINING * budget)


class TimeBudget:
    """Keeps a run to its time budget on a machine whose speed changes.

    Args:
        budget: seconds, or None: the run keeps its number of iterations.
        spent: seconds of it that are gone when this process begins to iterate.
        iteration: where it begins; above 0 the run was begun by another process.
    """

    def __init__(self, budget: float | None, spent: float, iteration: int) -> None:
        self.until = None if budget is None else ending(budget, 0.0 if iteration else spent)
        self._spent, self._iteration = spent, iteration
        self._evaluating, self._evaluations = 0.0, 0

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """The seconds inside are spent evaluating, not training."""
        start = time.perf_counter()
        yield
        self._evaluating += time.perf_counter() - start
        self._evaluations += 1

    def iterations(self, spent: float, iteration: int, planned: int, evaluate_every: int) -> int:
        """How many iterations the run should have in all, by what its first `iteration` took.

        Args:
            spent: seconds of the budget that are gone.
            iteration: iterations done.
            planned: iterations in all by the present plan, which stands if it is nearly right.
            evaluate_every: iterations between two evaluations.
        """
        if self.until is None or not self._evaluations:
            return planned
        each = (spent - self._spent - self._evaluating) / (iteration - self._iteration)
        ahead = max(1, (planned - iteration) // evaluate_every)
        evaluating = ahead * self._evaluating / self._evaluations
        possible = iteration + max(1, int((self.until - spent - evaluating) / each))
        return planned if abs(possible - planned) <= TOLERANCE * planned else possible


@contextmanager
def undone(trainer: Trainer) -> Iterator[None]:
    """The trainer is restored at the end to the state it had at the beginning."""
    before = copy.deepcopy(trainer.state())  # `state_dict` hands out the live tensors
    yield
    trainer.restore(before)
