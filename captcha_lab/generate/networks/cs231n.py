"""The convolutional networks of the CS231n notebook on generative models (MNIST, 28x28).

In the generator the ReLU comes before the batch norm, as there. `critic` chooses between the notebook's two: that of
its DCGAN (pooling) and that of its WGAN-GP (strided, with one batch norm). A condition goes to the inputs of the fully
connected layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from captcha_lab.errors import UsageError
from captcha_lab.generate.networks.base import Criticism, CriticNetwork, Family, GeneratorNetwork, NetworkSpec
from captcha_lab.generate.networks.parts.heads import CriticHead, CriticOptions
from captcha_lab.generate.networks.parts.layers import halving, joined, output_activation
from captcha_lab.generate.networks.parts.normalise import normaliser


@dataclass(frozen=True)
class Cs231nOptions(CriticOptions):
    """Keyword options of the `cs231n` family."""

    critic: str = "pooling"  # or "strided"
    critic_norm: str = "batch"  # of the strided critic's second convolution
    generator_norm: str = "batch"
    slope: float = 0.01  # of the critic's leaky ReLU
    hidden: int = 1024


class Cs231nGenerator(GeneratorNetwork):
    """FC 1024 and FC 6272 as 7x7x128, transposed 4x4 convolutions of stride 2 to 64 channels and the image."""

    def __init__(self, spec: NetworkSpec, options: Cs231nOptions) -> None:
        super().__init__(spec)
        self.start = (128, *halving(spec, 2))
        flat = 128 * self.start[1] * self.start[2]
        norm = options.generator_norm
        self.first = nn.Linear(spec.noise_size + spec.classes, options.hidden)
        self.first_norm = nn.Sequential(nn.ReLU(), normaliser(norm, options.hidden, options))
        self.second = nn.Linear(options.hidden + spec.classes, flat)
        self.second_norm = nn.Sequential(nn.ReLU(), normaliser(norm, flat, options))
        self.deconvolutions = nn.Sequential(
            nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1),
            nn.ReLU(),
            normaliser(norm, 64, options),
            nn.ConvTranspose2d(64, spec.image_shape[0], 4, stride=2, padding=1),
            output_activation(spec),
        )

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """See `GeneratorNetwork`."""
        condition = self.checked(condition, self.classes > 0)
        hidden = self.first_norm(self.first(joined(noise, condition)))
        flat = self.second_norm(self.second(joined(hidden, condition)))
        images: Tensor = self.deconvolutions(flat.view(-1, *self.start))
        return images


class Cs231nCritic(CriticNetwork):
    """Two convolutions, one hidden layer, the score."""

    def __init__(self, spec: NetworkSpec, options: Cs231nOptions) -> None:
        super().__init__(spec)
        self.convolutions, flat = (
            _pooling(spec, options) if options.critic == "pooling" else _strided(spec, options)
        )
        self.hidden = nn.Linear(flat + self.conditions, options.hidden)
        self.activation = nn.LeakyReLU(options.slope)
        self.head = CriticHead(spec, options, options.hidden, concat=True)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Criticism:
        """See `CriticNetwork`."""
        condition = self.checked(condition, self.conditioned)
        flat = joined(self.convolutions(images), condition if self.concat else None)
        return self.head(self.activation(self.hidden(flat)), condition)


def _pooling(spec: NetworkSpec, options: Cs231nOptions) -> tuple[nn.Module, int]:
    """conv 5x5 valid 32, pool 2, conv 5x5 valid 64, pool 2; and how many values come out."""
    slope = options.slope
    layers = nn.Sequential(
        *(nn.Conv2d(spec.image_shape[0], 32, 5), nn.LeakyReLU(slope), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 5), nn.LeakyReLU(slope), nn.MaxPool2d(2)),
        nn.Flatten(),
    )
    return layers, 64 * _sides(spec, lambda side: ((side - 4) // 2 - 4) // 2)


def _strided(spec: NetworkSpec, options: Cs231nOptions) -> tuple[nn.Module, int]:
    """conv 4x4 valid 64 and conv 4x4 valid 128 norm, both of stride 2; and how many values come out."""
    if options.critic != "strided":
        raise UsageError(
            f"No critic {options.critic!r} in the family cs231n: choose one of pooling, strided."
        )
    layers = nn.Sequential(
        *(nn.Conv2d(spec.image_shape[0], 64, 4, stride=2), nn.LeakyReLU(options.slope)),
        *(nn.Conv2d(64, 128, 4, stride=2), nn.LeakyReLU(options.slope)),
        normaliser(options.critic_norm, 128, options),
        nn.Flatten(),
    )
    return layers, 128 * _sides(spec, lambda side: ((side - 4) // 2 + 1 - 4) // 2 + 1)


def _sides(spec: NetworkSpec, after: Callable[[int], int]) -> int:
    """Pixels left of an image's height and width after some layers (UsageError when there are none)."""
    height, width = after(spec.image_shape[1]), after(spec.image_shape[2])
    if height < 1 or width < 1:
        raise UsageError(
            f"A {spec.image_shape[2]}x{spec.image_shape[1]} image is too small for the networks {spec.family!r}: "
            "16x16 is the least."
        )
    return height * width


FAMILY = Family(
    name="cs231n",
    summary="the CS231n notebook's convolutional networks (its fully connected ones are of the family fc)",
    options=Cs231nOptions,
    generator=Cs231nGenerator,
    critic=Cs231nCritic,
)
