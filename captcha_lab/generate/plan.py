"""A time budget turned into numbers of iterations and evaluations, before a run starts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from captcha_lab.generate.config import TrainConfig
from captcha_lab.generate.monitor import Monitor
from captcha_lab.generate.trainer import Trainer

LEAST_TRAINING = 0.5  # share of a time budget that goes to iterations, whatever looking at samples costs
LOOKING = 0.1  # share of it that goes to looking, at most
RESERVE = 0.04  # share of it that is kept for the pictures at the end and for the machine's slower moments


def plan(trainer: Trainer, monitor: Monitor, config: TrainConfig, began: float) -> tuple[int, int]:
    """Iterations and evaluations that fill the time budget, measured on the way and undone; else the asked numbers.

    The clock is read for a twentieth of the budget (at least three iterations). Evaluations get a tenth of the
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
        count = trainer.group.first(max(3, int(min(3.0, config.max_seconds / 20) / guess)))
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
    left = (1 - RESERVE) * config.max_seconds - spent
    left = max(left, LEAST_TRAINING * config.max_seconds)  # a slow moment must not leave nothing to train
    return trainer.group.first(max(1, int(left / each))), trainer.group.first(evaluations)


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
