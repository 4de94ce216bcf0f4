"""What the players are shown: real images, noise and conditions, drawn for the whole batch from one generator."""

from __future__ import annotations

import torch
from torch import Tensor

from captcha_lab.generate import conditioning
from captcha_lab.generate.noise import draw_noise
from captcha_lab.generate.pixels import to_network
from captcha_lab.generate.players import augment
from captcha_lab.generate.players.streams import TrainingStream
from captcha_lab.generate.recipe import Recipe
from captcha_lab.parallel import Group

Pair = tuple[Tensor, Tensor | None]  # images and their conditions


class Draws:
    """Everything random of a run but the first weights and dropout.

    Args:
        recipe: says how noise and labels are drawn, and how images are augmented.
        stream: the data.
        size: (H, W) of the images that the networks take.
        seed: of every draw.
        device: where the batches go.
        group: this process among others; each takes its part of what is drawn for all.
    """

    def __init__(
        self,
        recipe: Recipe,
        stream: TrainingStream,
        size: tuple[int, int],
        seed: int,
        device: torch.device,
        group: Group,
    ) -> None:
        self.recipe = recipe
        self.stream = stream
        self.size = size
        self.device = device
        self.names = stream.names if recipe.labelled else ()
        self.rng = torch.Generator().manual_seed(seed)
        self.part = group.part(recipe.batch_size)

    def mine(self, values: Tensor) -> Tensor:
        """This process's part of a globally drawn batch, on the device."""
        return values[self.part].to(self.device)

    def uniform(self, *columns: int) -> Tensor:
        """Numbers uniform in [0, 1), this process's rows [n, ...] of the global batch."""
        return self.mine(torch.rand(self.recipe.batch_size, *columns, generator=self.rng))

    def noise(self) -> Tensor:
        """Noise [n, Z] as the recipe draws it."""
        recipe = self.recipe
        return self.mine(draw_noise(recipe.noise, recipe.batch_size, recipe.noise_size, self.rng))

    def real(self) -> Pair:
        """The next real images [n, C, H, W] and, for a conditional recipe, their conditions [n, K]."""
        images, condition = self.stream.next(self.part.stop - self.part.start)
        real = to_network(images, self.recipe.output_range, self.size).to(self.device)
        if self.recipe.flips:
            real = augment.mirrored(real, self.uniform())
        if condition is None or not self.names:
            return real, None
        return real, torch.from_numpy(condition).to(self.device, torch.get_default_dtype())

    def labelled(self) -> tuple[Tensor, Tensor]:
        """Real images [n, C, H, W] that have a label, drawn with replacement, and their conditions [n, K]."""
        images, condition = self.stream.labelled(self.uniform().cpu().numpy())
        real = to_network(images, self.recipe.output_range, self.size).to(self.device)
        return real, torch.from_numpy(condition).to(self.device, torch.get_default_dtype())

    def condition(self, real: Tensor | None) -> Tensor | None:
        """The conditions [n, K] of images to generate: those of the real batch, or uniform ones."""
        if real is None or self.recipe.fake_labels == "data":
            return real
        n, names = self.recipe.batch_size, len(self.names)
        if self.stream.places:
            return self.mine(conditioning.uniform_texts(n, names, self.stream.lengths, self.rng))
        return self.mine(conditioning.uniform_classes(n, names, self.rng))

    def wrong(self, condition: Tensor) -> Tensor:
        """Conditions [n, K] that are surely not the given ones."""
        return conditioning.wrong_condition(condition, self.stream.exclusive, self.uniform())

    def moved(self, images: Tensor) -> Tensor:
        """The images [n, C, H, W] as the critic is to see them."""
        if not self.recipe.translation:
            return images
        return augment.moved(images, self.uniform(2), self.recipe.translation)
