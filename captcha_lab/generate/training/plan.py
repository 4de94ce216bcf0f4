"""A time budget turned into numbers of iterations and evaluations, and kept while the run goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from captcha_lab.generate.training.config import TrainConfig
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.generate.watching.monitor import Monitor

LEAST_TRAINING = 0.5  # share of a time budget that goes to iterations, whatever looking at samples costs
LOOKING = 0.1  # share of it that goes to looking, at most
RESERVE = 0.04  # share of it that is kept for the pictures at the end
# Share of the planned iterations: a run that is off by no more keeps its plan, and can be repeated bit for bit.
OFF = 0.04


def plan(trainer: Trainer, monitor: Monitor, config: TrainConfig, began: float) -> tuple[int, int]:
    """Iterations and evaluations that fill the time budget, measured on the way and undone; else the asked numbers.

    The clock is read for a fortieth of the budget (at least three iterations). Evaluations get a tenth of the
    budget at most, or three of them; their time and all since `began` (`time.perf_counter`) is taken off the budget.
    """
    if config.max_seconds is None:
        return config.iterations or trainer.recipe.iterations, config.evaluations
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
        monitor.look()
        monitor.grid()
        look = time.perf_counter() - start
    evaluations = min(config.evaluations, max(3, int(LOOKING * config.max_seconds / look)))
    spent = time.perf_counter() - began + look * evaluations
    left = ending(config.max_seconds, spent) - spent
    return trainer.group.first(max(1, int(left / each))), trainer.group.first(evaluations)


def ending(budget: float, spent: float) -> float:
    """The second at which the last iteration should end, so many being spent already.

    A start that took most of the time must not leave nothing to train.
    """
    return max((1 - RESERVE) * budget, spent + LEAST_TRAINING * budget)


class Pace:
    """Keeps a run to its time budget on a machine whose speed changes.

    Args:
        budget: seconds, or None: the run keeps its number of iterations.
        spent: seconds of it that are gone when this process begins to iterate.
        iteration: where it begins; above 0 the run was begun by another process.
    """

    def __init__(self, budget: float | None, spent: float, iteration: int) -> None:
        self.until = None if budget is None else ending(budget, 0.0 if iteration else spent)
        self._spent, self._iteration = spent, iteration
        self._looking, self._looks = 0.0, 0

    @contextmanager
    def look(self) -> Iterator[None]:
        """What is done inside is looking, not training."""
        start = time.perf_counter()
        yield
        self._looking += time.perf_counter() - start
        self._looks += 1

    def iterations(self, spent: float, iteration: int, planned: int, look_every: int) -> int:
        """How many iterations the run should have in all, by what its first `iteration` took.

        Args:
            spent: seconds of the budget that are gone.
            iteration: iterations done.
            planned: iterations in all by the present plan, which stands if it is nearly right.
            look_every: iterations between two looks.
        """
        if self.until is None or not self._looks:
            return planned
        each = (spent - self._spent - self._looking) / (iteration - self._iteration)
        looks = max(1, (planned - iteration) // look_every) * self._looking / self._looks
        possible = iteration + max(1, int((self.until - spent - looks) / each))
        return planned if abs(possible - planned) <= OFF * planned else possible


@contextmanager
def undone(trainer: Trainer) -> Iterator[None]:
    """What the trainer does inside leaves no trace in it."""
    before = _copied(trainer.state())
    yield
    trainer.restore(before)


def _copied(value: Any) -> Any:
    """A deep copy of a state, tensors included (`state_dict` hands out the live ones)."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
