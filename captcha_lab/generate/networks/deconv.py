"""The thesis's last face generator (chapter 5): a small code drawn large, no batch norm, against an fc critic.

z - 4096 as 32x32x4, transposed convolutions of stride 2 to 16 and 8 channels with tanh, one 5x5 convolution to the
image. The fully connected layer is followed by no activation, as printed. The critic is the fc family's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from captcha_lab.generate.networks.base import Family, GeneratorNetwork, NetworkSpec
from captcha_lab.generate.networks.fc import FcCritic, FcOptions
from captcha_lab.generate.networks.parts.heads import CriticOptions
from captcha_lab.generate.networks.parts.layers import conv_double, halving, joined, output_activation


@dataclass(frozen=True)
class DeconvOptions(CriticOptions):
    """Keyword options of the `deconv` family."""

    start: int = 4  # channels of the code
    channels: Sequence[int] = (16, 8)  # of the two transposed convolutions
    critic: Sequence[int] = (1024,)  # widths of the critic's hidden layers
    critic_slope: float = 0.2  # of its leaky ReLU


class DeconvGenerator(GeneratorNetwork):
    """Noise and condition to a quarter-sized code, doubled twice, then one convolution."""

    def __init__(self, spec: NetworkSpec, options: DeconvOptions) -> None:
        super().__init__(spec)
        self.start = (options.start, *halving(spec, 2))
        outer, inner = options.channels
        self.first = nn.Linear(spec.noise_size + spec.classes, self.start[0] * self.start[1] * self.start[2])
        self.layers = nn.Sequential(
            conv_double(options.start, outer, bias=True),
            nn.Tanh(),
            conv_double(outer, inner, bias=True),
            nn.Tanh(),
            nn.Conv2d(inner, spec.image_shape[0], 5, padding=2),
            output_activation(spec),
        )

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """See `GeneratorNetwork`."""
        condition = self.checked(condition, self.classes > 0)
        images: Tensor = self.layers(self.first(joined(noise, condition)).view(-1, *self.start))
        return images


def _critic(spec: NetworkSpec, options: DeconvOptions) -> FcCritic:
    same = FcOptions(
        critic=options.critic,
        critic_slope=options.critic_slope,
        spectral=options.spectral,
        minibatch=options.minibatch,
        minibatch_size=options.minibatch_size,
    )
    return FcCritic(spec, same)


FAMILY = Family(
    name="deconv",
    summary="the thesis's small transposed-convolution generator without batch norm, against an fc critic",
    options=DeconvOptions,
    generator=DeconvGenerator,
    critic=_critic,
)
