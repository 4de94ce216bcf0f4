"""Settings of the sequence reader's training; without torch, so that the command line can show them."""

from __future__ import annotations

from dataclasses import dataclass

from captcha_lab.errors import UsageError


@dataclass(frozen=True)
class SequenceConfig:
    """How the sequence reader is trained.

    Raises:
        UsageError: a value is impossible.
    """

    # batches of each phase; 0: 200 (800 from nothing) and twice over all its captchas, then on while that helps
    steps: int = 0
    batch_size: int = 32
    learning_rate: float = 0.0  # at its highest; 0: 1.5e-3 from the base reader, 2e-3 from nothing
    time_limit: float = 0.0  # seconds for all of it; 0: none, and the same weights on every machine
    from_base: bool = True
    start: str = ""  # run folder of a sequence reader to start from instead; what it can read stays readable
    augment: bool = True  # see `Augmentation`
    unlabelled: bool = True  # learn from the captchas without a label as well, as far as that helps
    tensorboard: bool = True  # write event files where TensorBoard is installed
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("steps", 0)):
            if getattr(self, name) < least:
                raise UsageError(
                    f"--{name.replace('_', '-')} is {getattr(self, name)}: it must be at least {least}."
                )
        for name in ("learning_rate", "time_limit"):
            if not getattr(self, name) >= 0:
                raise UsageError(
                    f"--{name.replace('_', '-')} is {getattr(self, name)}: it must be 0 or more."
                )
