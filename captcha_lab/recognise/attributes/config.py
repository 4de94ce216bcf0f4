"""Settings of the attribute network's training; without torch, so that the command line can show them."""

from __future__ import annotations

from dataclasses import dataclass

from captcha_lab.errors import UsageError


@dataclass(frozen=True)
class AttributeConfig:
    """How the network that reads attributes off pictures is trained.

    Raises:
        UsageError: a value is impossible.
    """

    epochs: int = 20  # at most; it stops when validation gets no better
    patience: int = 4  # epochs without a lower validation loss before stopping
    batch_size: int = 64
    learning_rate: float = 2e-3  # of Adam, falling to zero along half a cosine
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch_size"):
            if getattr(self, name) < 1:
                raise UsageError(
                    f"--{name.replace('_', '-')} is {getattr(self, name)}: it must be at least 1."
                )
        if not self.learning_rate > 0:
            raise UsageError(f"--learning-rate is {self.learning_rate}: it must be positive.")
