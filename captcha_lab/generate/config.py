"""How to run a recipe, apart from what it is: length, seed, device, how often to look. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from captcha_lab.errors import UsageError

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class TrainConfig:
    """Options of one run.

    Raises:
        UsageError: a number that makes no sense.
    """

    seed: int = 0
    iterations: int | None = None  # None: the recipe's own length
    max_seconds: float | None = (
        None  # turned into iterations when the run starts; wins over the recipe's length
    )
    evaluations: int = 20  # looks at samples, evenly spread over the run
    samples: int = 1024  # images per look
    device: str = "auto"  # auto: CUDA where there is one, else the CPU
    # Measured per iteration on a Xeon with AMX, one thread: bfloat16 took 0.56 of float32's CPU time on dcgan, 0.76 on
    # fast. Off all the same: its numbers differ from machine to machine. torch.compile is not offered: it took 1.26 of
    # the plain time on dcgan, and refuses the double backward of every penalty.
    precision: str = "float32"
    tensorboard: bool = True
    checkpoint_seconds: float = 60.0  # between two saves of the state to resume from

    def __post_init__(self) -> None:
        if self.iterations is not None and self.iterations < 1:
            raise UsageError(f"--iterations {self.iterations}: at least 1 is needed.")
        if self.max_seconds is not None and self.max_seconds <= 0:
            raise UsageError(f"--max-seconds {self.max_seconds:g}: give a time above 0.")
        if self.precision not in PRECISIONS:
            raise UsageError(f"--precision {self.precision}: choose one of {', '.join(PRECISIONS)}.")
        if self.evaluations < 1 or self.samples < 16:
            raise UsageError("A run looks at its samples at least once, at 16 images or more.")
