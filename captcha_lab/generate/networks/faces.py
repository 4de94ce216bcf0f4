"""The thesis's convolutional networks for faces (chapter 5): four strides of two each way, 128x128 or 64x64.

Kernels are 5x5. The source prints no biases for these networks; here every layer without batch norm has one. It
prints no activation after the critic's last convolution; here a ReLU, since two linear layers in a row are one.
A critic with a single fully connected layer would learn nothing from attributes concatenated there but a constant,
so it sees them as constant planes beside the picture.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from torch import Tensor, nn

from captcha_lab.generate.networks.base import Family, GeneratorNetwork, NetworkSpec
from captcha_lab.generate.networks.parts.heads import CriticOptions, PlanesCritic
from captcha_lab.generate.networks.parts.layers import (
    Ending,
    conv_double,
    conv_half,
    halving,
    joined,
)
from captcha_lab.generate.networks.parts.normalise import normaliser


@dataclass(frozen=True)
class FacesOptions(CriticOptions):
    """Keyword options of the `faces` family."""

    update: bool = False  # the thesis's update: tanh and one more convolution before the last sigmoid
    channels: int = 32  # of the outermost convolutions, doubled at each stride
    critic_norm: str = "batch"  # of the second and third convolution
    generator_norm: str = "batch"


class FacesGenerator(GeneratorNetwork):
    """z - 16384 ReLU as 8x8x256, transposed convolutions to 128, 64, 32 and the image's channels."""

    def __init__(self, spec: NetworkSpec, options: FacesOptions) -> None:
        super().__init__(spec)
        height, width = halving(spec, 4)
        widths = [8 * options.channels, 4 * options.channels, 2 * options.channels, options.channels]
        self.start = (widths[0], height, width)
        self.first = nn.Linear(spec.noise_size + spec.classes, widths[0] * height * width)
        bias = options.generator_norm == "none"
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            norm = normaliser(options.generator_norm, outputs, options)
            layers += [conv_double(inputs, outputs, bias), norm, nn.ReLU()]
        self.deconvolutions = nn.Sequential(*layers, conv_double(widths[-1], spec.image_shape[0], bias=True))
        self.ending = Ending(spec, options.update, bias=True)

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """See `GeneratorNetwork`."""
        condition = self.checked(condition, self.classes > 0)
        code = self.first(joined(noise, condition)).relu().view(-1, *self.start)
        return self.ending(self.deconvolutions(code))


def _critic(spec: NetworkSpec, options: FacesOptions) -> PlanesCritic:
    """Convolutions 32 ReLU, 64 norm ReLU, 128 norm ReLU, 256 ReLU, flattened into the score."""
    conditions = spec.classes if spec.conditioning == "concat" else 0
    height, width = halving(spec, 4)
    inputs, outputs = spec.image_shape[0] + conditions, options.channels
    layers: list[nn.Module] = []
    for norm in ("none", options.critic_norm, options.critic_norm, "none"):
        layers += [conv_half(inputs, outputs, bias=norm == "none")]
        layers += [normaliser(norm, outputs, options), nn.ReLU()]
        inputs, outputs = outputs, 2 * outputs
    return PlanesCritic(spec, options, nn.Sequential(*layers, nn.Flatten()), inputs * height * width)


FAMILY = Family(
    name="faces",
    summary="the thesis's convolutional networks for faces: four strided convolutions each way",
    options=FacesOptions,
    generator=FacesGenerator,
    critic=_critic,
)
