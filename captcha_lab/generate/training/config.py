"""How to run a recipe, apart from what it is: length, seed, device, how often to evaluate. No torch here."""

from __future__ import annotations

import math
from dataclasses import dataclass

from captcha_lab.errors import UsageError

PRECISIONS = ("auto", "float32", "bfloat16")
MOST_THREADS = 1024  # more than any machine has processors; each costs memory


@dataclass(frozen=True)
class GeneratorConfig:
    """Options of one run.

    Raises:
        UsageError: a number that makes no sense.
    """

    seed: int = 0
    iterations: int | None = None  # None: the recipe's own length
    epochs: float | None = None  # the length as passes over the data; wins over `iterations`
    # Turned into iterations, anew where the machine changes its speed; wins over `iterations`.
    max_seconds: float | None = None
    evaluations: int = 20  # of samples, evenly spread over the run
    samples: int = 1024  # images per evaluation
    device: str = "auto"  # auto: CUDA where there is one, else the CPU
    # auto: bfloat16 where the processor multiplies in it and the recipe was found as good in it. torch.compile is not
    # offered: it took 1.26 of the plain time on dcgan, and refuses the double backward of every penalty.
    precision: str = "auto"
    # Of the CPU; None: one or all, whichever is measured to be faster when the run starts. Small networks are slower on
    # two threads than on one, since the threads wait for each other at every layer. Kept with the run, so that it
    # resumes bit for bit.
    threads: int | None = None
    tensorboard: bool = True
    checkpoint_seconds: float = 60.0  # between two saves of the state to resume from

    def __post_init__(self) -> None:
        if self.iterations is not None and self.iterations < 1:
            raise UsageError(f"--iterations {self.iterations}: at least 1 is needed.")
        if self.epochs is not None and not 0 < self.epochs < math.inf:
            raise UsageError(f"--epochs {self.epochs:g}: give a number above 0.")
        if self.max_seconds is not None and not 0 < self.max_seconds < math.inf:
            raise UsageError(f"--max-seconds {self.max_seconds:g}: give a time above 0.")
        if self.precision not in PRECISIONS:
            raise UsageError(f"--precision {self.precision}: choose one of {', '.join(PRECISIONS)}.")
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"--threads {self.threads}: at least 1 is needed.")
        if self.threads is not None and self.threads > MOST_THREADS:
            raise UsageError(f"--threads {self.threads}: at most {MOST_THREADS} make sense.")
        if self.evaluations < 1 or self.samples < 16:
            raise UsageError("A run has at least one evaluation, of 16 images or more.")
