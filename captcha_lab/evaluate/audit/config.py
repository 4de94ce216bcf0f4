"""Settings of an audit; without torch or numpy, so that the command line can show them."""

from __future__ import annotations

from dataclasses import dataclass

from captcha_lab.errors import UsageError


@dataclass(frozen=True)
class AuditConfig:
    """How much an audit measures.

    Raises:
        UsageError: a value is impossible.
    """

    seed: int = 0
    first: int = (
        10  # captchas labelled at the first point of the effort curve; every next point has twice as many
    )
    epochs: int = 40  # at most, of each recogniser on the curve
    keystrokes: tuple[int, ...] = (16, 24, 32, 48, 64, 96, 128, 192, 256)  # points of the guided effort curve
    labellers: int = 3  # whose guided curves are averaged, each with another seed
    typed: tuple[int, ...] = (25, 50, 100, 200, 400)  # captchas typed for a reader of whole captchas
    typed_steps: int = 120  # batches of training it, for each of these points
    remedies: bool = True  # train readers on changed captchas and damaged glyphs, to see what would help
    trait_captchas: int = 100  # typed of each style that is drawn again with a trait changed
    trait_tests: int = 200  # others of it that are read
    trait_steps: int = 100  # batches of training for each
    remedy_epochs: int = 40  # at most
    # Seconds a person needs for one keystroke while reading captchas, looking included: an assumption that
    # turns counted keystrokes into minutes, and is printed with them.
    seconds_per_keystroke: float = 0.7

    def __post_init__(self) -> None:
        for name in (
            "first",
            "epochs",
            "remedy_epochs",
            "labellers",
            "typed_steps",
            "trait_captchas",
            "trait_tests",
            "trait_steps",
        ):
            if getattr(self, name) < 1:
                raise UsageError(f"{name.replace('_', ' ')} is {getattr(self, name)}: it must be at least 1.")
        if not self.seconds_per_keystroke > 0:
            raise UsageError("The seconds per keystroke must be positive.")
