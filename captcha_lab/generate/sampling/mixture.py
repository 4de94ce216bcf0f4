"""Several generators drawn from as one: the remedy against collapse of training several and using all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from captcha_lab.errors import UsageError
from captcha_lab.generate.networks import NetworkSpec
from captcha_lab.generate.networks.base import GeneratorNetwork
from captcha_lab.generate.sampling.sample import Generator


class MixtureNetwork(GeneratorNetwork):
    """Draws each image with one of its members, which the noise chooses: all are equally likely.

    The choice depends on nothing but an image's own noise, so it is the same however the images are split in blocks.
    """

    def __init__(self, spec: NetworkSpec, members: Sequence[GeneratorNetwork]) -> None:
        super().__init__(spec)
        self.members = nn.ModuleList(members)

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """See `GeneratorNetwork`."""
        # The digits of the sum that no network can tell from chance.
        chosen = (noise.double().sum(1) * 1e5).floor().long() % len(self.members)
        images = torch.stack([member(noise, condition) for member in self.members])
        return images[chosen, torch.arange(len(noise), device=noise.device)]


def mixture(generators: Sequence[Generator]) -> Generator:
    """One generator that draws from several; a single one as it is.

    Raises:
        UsageError: they differ in image size, noise or classes.
    """
    first, *others = generators
    for other in others:
        same = (
            other.image_shape == first.image_shape
            and (other.noise, other.spec.noise_size) == (first.noise, first.spec.noise_size)
            and (other.classes, other.exclusive, other.places)
            == (first.classes, first.exclusive, first.places)
            and other.spec.output_range == first.spec.output_range
        )
        if not same:
            raise UsageError(
                "Generators can be drawn from together only if they agree in image size, noise and classes: "
                "choose runs of one recipe on one dataset, such as those of `train-gen --seeds`."
            )
    if not others:
        return first
    network = MixtureNetwork(first.spec, [generator.network for generator in generators]).eval()
    return replace(first, network=network)
