"""Settings of a classifier's training; without torch, so that the command line can show them."""

from __future__ import annotations

from dataclasses import dataclass

from captcha_lab.errors import UsageError


@dataclass(frozen=True)
class ClassifierConfig:
    """How a classifier of glyphs is trained; the thesis names only Adam and cross-entropy.

    Raises:
        UsageError: a value is impossible.
    """

    epochs: int = 40  # at most, of 10,000 glyphs at most; early stop usually ends sooner
    batch_size: int = 64
    learning_rate: float = 1e-3  # Adam's own default
    shift: int = 1  # pixels: each training glyph is moved by up to so many, as cells are never cut the same
    patience: int = 8  # epochs without a better validation accuracy before stopping
    seed: int = 0
    start: str = ""  # run folder of a reader of glyphs to start from; empty: from new weights

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise UsageError(
                    f"--{name.replace('_', '-')} is {getattr(self, name)}: it must be at least 1."
                )
        if not self.learning_rate > 0:
            raise UsageError(f"--learning-rate is {self.learning_rate}: it must be positive.")
        if self.shift < 0:
            raise UsageError(f"--shift is {self.shift}: it must be 0 or more.")
