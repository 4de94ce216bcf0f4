"""The convolutional networks of the lecture slides (MNIST scaled to 32x32; any multiple of 8 works).

All three generator layers are transposed convolutions (4 - 9 - 17 - 32 pixels); nothing follows the linear layer, and
all layers have biases, batch norm or not. The critic has no hidden fully connected layer, so it sees a condition as
planes beside the image.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from captcha_lab.generate.networks.base import Family, GeneratorNetwork, NetworkSpec
from captcha_lab.generate.networks.parts.heads import CriticOptions, PlanesCritic
from captcha_lab.generate.networks.parts.layers import halving, joined, output_activation
from captcha_lab.generate.networks.parts.normalise import normaliser


@dataclass(frozen=True)
class SlidesOptions(CriticOptions):
    """Keyword options of the `slides` family."""

    critic_norm: str = "batch"  # of all the critic's convolutions but the first
    generator_norm: str = "batch"
    slope: float = 0.2  # of the critic's leaky ReLU
    linear_norm: bool = True  # batch norm and ReLU follow the generator's linear layer
    bias: bool = False  # layers that a norm follows have biases too


class SlidesGenerator(GeneratorNetwork):
    """FC 4096 as 4x4x256, transposed conv3 s2 p0 128, conv3 s2 p1 64, conv4 s2 p2 to the image."""

    def __init__(self, spec: NetworkSpec, options: SlidesOptions) -> None:
        super().__init__(spec)
        self.start = (256, *halving(spec, 3))
        bias = options.bias or options.generator_norm == "none"
        self.first = nn.Linear(spec.noise_size + spec.classes, 256 * self.start[1] * self.start[2])

        def after(channels: int) -> nn.Sequential:
            return nn.Sequential(normaliser(options.generator_norm, channels, options), nn.ReLU())

        self.deconvolutions = nn.Sequential(
            *([after(256)] if options.linear_norm else []),
            *(nn.ConvTranspose2d(256, 128, 3, stride=2, bias=bias), after(128)),
            *(nn.ConvTranspose2d(128, 64, 3, stride=2, padding=1, bias=bias), after(64)),
            nn.ConvTranspose2d(64, spec.image_shape[0], 4, stride=2, padding=2),
            output_activation(spec),
        )

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """See `GeneratorNetwork`."""
        code = self.first(joined(noise, self.checked(condition, self.classes > 0)))
        images: Tensor = self.deconvolutions(code.view(-1, *self.start))
        return images


def _critic(spec: NetworkSpec, options: SlidesOptions) -> PlanesCritic:
    """conv3 s2 p1 16, 32, 64, then a convolution over all that is left to 128, and the score."""
    conditions = spec.classes if spec.conditioning == "concat" else 0
    left = halving(spec, 3)  # (4, 4) for 32x32
    inputs = spec.image_shape[0] + conditions
    layers: list[nn.Module] = []
    for outputs, norm in ((16, "none"), (32, options.critic_norm), (64, options.critic_norm)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=options.bias or norm == "none")]
        layers += [normaliser(norm, outputs, options), nn.LeakyReLU(options.slope)]
        inputs = outputs
    bias = options.bias or options.critic_norm == "none"
    layers += [nn.Conv2d(inputs, 128, left, bias=bias)]
    layers += [normaliser(options.critic_norm, 128, options), nn.LeakyReLU(options.slope)]
    return PlanesCritic(spec, options, nn.Sequential(*layers, nn.Flatten()), 128)


FAMILY = Family(
    name="slides",
    summary="the lecture slides' DCGAN, with or without its batch norms",
    options=SlidesOptions,
    generator=SlidesGenerator,
    critic=_critic,
)
