"""How this machine runs a recipe fastest: the precision its processor multiplies in, and the number of threads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.training.budget import undone
from captcha_lab.generate.training.trainer import Trainer

LARGE = 2.0  # seconds: an iteration that takes longer is one of large layers, which all threads share well
TRIES = (
    5  # iterations per number of threads, at most; the fastest counts, so that a moment's other work does not
)
BFLOAT16_UNITS = "amx_bf16", "avx512_bf16"  # of processors that multiply in bfloat16 about twice as fast
TRYING = 1.0  # seconds for all tries of one number of threads, about


def choose_precision(recipe: Recipe, asked: str, device: str) -> str:
    """The precision that `auto` stands for: bfloat16 where recipe and processor are known to be good at it."""
    if asked != "auto":
        return asked
    if torch.device(device).type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        known = torch.cpu.get_capabilities()
        able = any(known.get(name, False) for name in BFLOAT16_UNITS)
    return "bfloat16" if able and recipe.bfloat16 else "float32"


def choose_threads(trainer: Trainer, asked: int | None) -> int:
    """The number of threads a CPU run is to use: what was asked for, else one or all, measured and undone."""
    everything = torch.get_num_threads()
    if (
        asked is not None
        or everything == 1
        or trainer.players.device.type != "cpu"
        or trainer.group.world > 1
    ):
        return asked or everything
    with undone(trainer):
        trainer.iterate()  # the first one allocates
        guess = _fastest(trainer, 1)
        if guess > LARGE:
            return everything
        tries = max(1, min(TRIES, int(TRYING / guess)))
        taken = {}
        for threads in (everything, 1):
            with limited(threads):
                taken[threads] = _fastest(trainer, tries)
    return min(taken, key=lambda threads: taken[threads])


def _fastest(trainer: Trainer, tries: int) -> float:
    """Seconds of the fastest of so many iterations."""
    taken = []
    for _ in range(tries):
        start = time.perf_counter()
        trainer.iterate()
        taken.append(time.perf_counter() - start)
    return min(taken)


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Torch works with so many threads inside; None: with as many as outside."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
