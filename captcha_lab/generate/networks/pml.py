"""The convolutional networks of Python Machine Learning, 3rd edition, chapter 17 (MNIST, 28x28).

Only the critic's convolutions have biases. The critic is convolutional throughout (its last layer, a 7x7 convolution
over 7x7 values, is the same as a fully connected one and built so), so it sees a condition as planes beside the image.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from captcha_lab.generate.networks.base import Family, GeneratorNetwork, NetworkSpec
from captcha_lab.generate.networks.parts.heads import CriticOptions, PlanesCritic
from captcha_lab.generate.networks.parts.layers import (
    Dropout,
    conv_double,
    halving,
    joined,
    output_activation,
)
from captcha_lab.generate.networks.parts.normalise import normaliser


@dataclass(frozen=True)
class PmlOptions(CriticOptions):
    """Keyword options of the `pml` family."""

    critic_norm: str = "batch"
    generator_norm: str = "batch"
    slope: float = 0.3  # of every leaky ReLU: the default of the layer the book uses
    dropout: float = 0.3  # on the critic's last two convolutions
    epsilon: float = 1e-3  # of batch norm, likewise


class PmlGenerator(GeneratorNetwork):
    """FC 6272 as 7x7x128, transposed 5x5 convolutions 128 s1, 64 s2, 32 s2 and the image s1."""

    def __init__(self, spec: NetworkSpec, options: PmlOptions) -> None:
        super().__init__(spec)
        self.start = (128, *halving(spec, 2))
        flat = 128 * self.start[1] * self.start[2]
        self.first = nn.Linear(spec.noise_size + spec.classes, flat, bias=False)

        def after(channels: int) -> nn.Sequential:
            norm = normaliser(options.generator_norm, channels, options)
            return nn.Sequential(norm, nn.LeakyReLU(options.slope))

        self.first_norm = after(flat)
        self.deconvolutions = nn.Sequential(
            *(nn.ConvTranspose2d(128, 128, 5, padding=2, bias=False), after(128)),
            *(conv_double(128, 64, bias=False), after(64)),
            *(conv_double(64, 32, bias=False), after(32)),
            nn.ConvTranspose2d(32, spec.image_shape[0], 5, padding=2, bias=False),
            output_activation(spec),
        )

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """See `GeneratorNetwork`."""
        condition = self.checked(condition, self.classes > 0)
        flat = self.first_norm(self.first(joined(noise, condition)))
        images: Tensor = self.deconvolutions(flat.view(-1, *self.start))
        return images


def _critic(spec: NetworkSpec, options: PmlOptions) -> PlanesCritic:
    """5x5 convolutions 64 s1, 128 s2, 256 s2, each norm and leaky ReLU, dropout on the last two, the score."""
    conditions = spec.classes if spec.conditioning == "concat" else 0
    height, width = halving(spec, 2)
    inputs = spec.image_shape[0] + conditions
    layers: list[nn.Module] = []
    for outputs, stride in ((64, 1), (128, 2), (256, 2)):
        norm = normaliser(options.critic_norm, outputs, options)
        layers += [nn.Conv2d(inputs, outputs, 5, stride, padding=2), norm, nn.LeakyReLU(options.slope)]
        layers += [Dropout(options.dropout)] if stride == 2 and options.dropout else []
        inputs = outputs
    return PlanesCritic(spec, options, nn.Sequential(*layers, nn.Flatten()), inputs * height * width)


FAMILY = Family(
    name="pml",
    summary="the convolutional networks of Python Machine Learning, ch. 17 (its first GAN is of the family fc)",
    options=PmlOptions,
    generator=PmlGenerator,
    critic=_critic,
)
