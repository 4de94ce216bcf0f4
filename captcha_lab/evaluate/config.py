"""Settings of an evaluation; without torch or numpy, so that the command line can show them."""

from __future__ import annotations

from dataclasses import dataclass

from captcha_lab.errors import UsageError

CURVE = (25, 50, 100, 200, 400, 800)  # labels


@dataclass(frozen=True)
class EvalConfig:
    """How much is drawn and measured.

    Raises:
        UsageError: a value is impossible.
    """

    samples: int = 3200  # read by the recogniser for the GAN-test, every class equally often
    seeds: int = 1  # the whole measurement is repeated with so many seeds
    seed: int = 0
    judge: bool = True  # train (once) and ask the independent second recogniser
    gan_train: bool = True  # train a fresh recogniser on samples only
    gan_train_epochs: int = 12  # of both: on samples, and on the real glyphs beside it
    neighbours: int = 5  # k of precision, recall, density and coverage: the papers use 3 and 5
    distance_samples: int = 4000  # at most so many on each side of a distance; fewer where less is held out
    modes_per_class: int = 3  # k-means clusters of the real features
    batch_size: int = 1000  # samples held in memory while streaming
    sheet: int = 8  # samples shown of each class
    # Numbers of labels that readers of whole captchas are trained on, for a learning curve; none without --curve.
    labels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in (
            "samples",
            "seeds",
            "gan_train_epochs",
            "neighbours",
            "modes_per_class",
            "batch_size",
            "sheet",
        ):
            if getattr(self, name) < 1:
                raise UsageError(
                    f"--{name.replace('_', '-')} is {getattr(self, name)}: it must be at least 1."
                )
        if self.distance_samples <= self.neighbours:
            raise UsageError(
                f"--distance-samples is {self.distance_samples}: it must exceed the {self.neighbours} neighbours."
            )
