"""Evaluating a generator while it trains: samples from fixed noise, their variety, and the judge's figures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from captcha_lab.generate.conditioning import uniform_texts
from captcha_lab.generate.noise import draw_noise
from captcha_lab.generate.pixels import to_images, to_network
from captcha_lab.generate.sampling.sample import Generator
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.generate.watching.pictures import grid
from captcha_lab.generate.watching.quality import harmonic_mean
from captcha_lab.metrics.neighbours import flatten
from captcha_lab.metrics.samples.diversity import class_variance, variance_ratio
from captcha_lab.metrics.samples.manifold import manifold

Quality = Callable[[np.ndarray, np.ndarray | None], dict[str, float]]
"""Samples uint8 [N, H, W(, 3)] and the labels they were asked for (class numbers [N], attributes [N, K], or None)
to figures; "score", the larger the better, chooses the best checkpoint. They replace the monitor's own of the
same name, which are taken between coarse pixels."""

# Pixels are compared on pictures halved until they have no more values than this: 10x10 for glyphs. That is cheap,
# and speckle, which is another fault than sameness, does not pass for variety.
MOST_VALUES = 200
NEIGHBOURS = 3


class Monitor:
    """Compares the generator of a trainer with a fixed set of real images.

    Args:
        trainer: whose generator is evaluated.
        samples: how many images, at most.
        seed: of the fixed noise.
        quality: the judge, or None.
    """

    def __init__(self, trainer: Trainer, samples: int, seed: int, quality: Quality | None = None) -> None:
        self.trainer = trainer
        self.quality = quality
        size = trainer.players.spec.image_shape[1:]
        images, condition = trainer.stream.reference(samples)
        limits = trainer.recipe.output_range
        self.real = to_images(to_network(images, limits, size), limits)
        rng = torch.Generator().manual_seed(seed + 1_000_003)
        self.condition = torch.from_numpy(condition) if condition is not None and trainer.names else None
        if self.condition is not None and trainer.stream.places:
            # Texts of their own: those of the training captchas may be drawn well when no others are.
            count, characters = len(self.real), len(trainer.names)
            self.condition = uniform_texts(count, characters, trainer.stream.lengths, rng)
        exclusive = trainer.stream.exclusive
        self.labels: np.ndarray | None = None
        if self.condition is not None:
            self.labels = self.condition.argmax(1).numpy() if exclusive else self.condition.numpy()
        self._groups = self.labels if self.labels is not None and exclusive else np.zeros(len(self.real), int)
        self._classes = len(trainer.names) if self.labels is not None and exclusive else 1
        self._real_small = _small(self.real)
        self._real_variance = class_variance(self._real_small, self._groups, self._classes)
        self.noise = draw_noise(trainer.recipe.noise, len(self.real), trainer.recipe.noise_size, rng)
        self._grid_noise, self._grid_condition, self._columns = self._grid_plan(rng)

    def generator(self) -> Generator:
        """The generator as it is now (the moving average where the recipe has one)."""
        t = self.trainer
        return Generator(
            t.players.sampling_network, t.players.spec, t.recipe.noise, t.names, t.stream.exclusive, t.recipe,
            t.stream.places if t.names else 0, t.stream.lengths,
        )  # fmt: skip

    def evaluate(self) -> dict[str, float]:
        """Figures of the present generator: its variance and recall beside real ones, and the judge's."""
        samples = self.generator().images(self.noise, self.condition)
        small = _small(samples)
        variance = class_variance(small, self._groups, self._classes)
        figures = {"variance_ratio": variance_ratio(variance, self._real_variance)}
        if len(small) > NEIGHBOURS:
            compared = manifold(flatten(small), flatten(self._real_small), k=NEIGHBOURS)
            figures |= {"recall": compared.recall, "precision": compared.precision}
            figures["score"] = harmonic_mean(compared.recall, compared.precision)
        if self.quality is not None:
            figures |= {key: float(value) for key, value in self.quality(samples, self.labels).items()}
        return figures

    def grid(self) -> np.ndarray:
        """A grid of samples from the same noise every time: uint8 [H, W] or [H, W, 3]."""
        images = self.generator().images(self._grid_noise, self._grid_condition)
        return grid(images, self._columns)

    def _grid_plan(self, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor | None, int]:
        """Noise, condition and columns; classes in order, as many of each as fit 16 columns (the thesis: 8)."""
        t = self.trainer
        side = max(t.players.spec.image_shape[1:])
        columns = 16 if side <= 32 else 8 if side <= 64 else 6
        cells, condition = columns * columns, None
        if self.condition is not None and t.stream.exclusive:
            k = len(t.names)
            each = next(n for n in (8, 4, 2, 1) if n * k <= cells or n == 1)
            condition = torch.eye(k).repeat_interleave(each, 0)
            cells = len(condition)
        elif self.condition is not None:
            cells = min(cells, len(self.condition))
            condition = self.condition[:cells]
        noise = draw_noise(t.recipe.noise, cells, t.recipe.noise_size, rng)
        return noise, condition, columns


def _small(images: np.ndarray) -> np.ndarray:
    """Images whose sides are halved until few enough values are left, uint8 as before."""
    while images[0].size > MOST_VALUES and min(images.shape[1:3]) >= 4:
        h, w = images.shape[1] // 2 * 2, images.shape[2] // 2 * 2
        quarters = [images[:, y:h:2, x:w:2].astype(np.uint16) for y in (0, 1) for x in (0, 1)]
        images = ((quarters[0] + quarters[1] + quarters[2] + quarters[3] + 2) // 4).astype(np.uint8)
    return images
