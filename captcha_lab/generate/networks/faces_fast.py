"""Ours: small convolutional networks for faces, halved down to about 4x4, without batch norm.

The generator adds up pictures of every size it passes through (Karras et al. 2020, figure 7, the skip form): the
coarse ones bring head, hair and background within the first hundred iterations, the fine ones come later. Neither
network looks from one picture of a batch at another, so the critic judges real and generated in one pass.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from captcha_lab.generate.networks.base import Criticism, CriticNetwork, Family, GeneratorNetwork, NetworkSpec
from captcha_lab.generate.networks.parts.heads import CriticHead, CriticOptions
from captcha_lab.generate.networks.parts.layers import halving, joined, output_activation, with_planes
from captcha_lab.generate.networks.parts.normalise import normaliser

COARSEST = 4  # pixels: sides are halved as long as this much is left
LEAST = 2  # halvings; smaller or odd pictures are refused
NARROWEST = 4  # channels of the outermost layer
WIDEST = 8  # channels of the coarsest layers, in units of the outermost layer's
CONTRAST = (
    0.2  # the sum of all sizes is scaled by it: louder first pictures saturate, and learn nothing for long
)


@dataclass(frozen=True)
class FacesFastOptions(CriticOptions):
    """Keyword options of the `faces-fast` family."""

    channels: int = 32  # of the critic's outermost convolution, doubled at each stride up to eightfold
    generator_channels: int = 32  # of the generator's outermost layer, likewise
    channels_at: int = (
        0  # pixels: larger pictures than of this side get fewer channels in proportion, 0 = as many
    )
    smooth: bool = (
        False  # the last doubling is by interpolation: a transposed convolution leaves a grid of pixels
    )
    generator_norm: str = "none"
    slope: float = 0.2  # of the leaky ReLU


def _depth(spec: NetworkSpec) -> tuple[int, int, int]:
    """(halvings, coarsest height, coarsest width); UsageError where the sides can't be halved twice."""
    depth = LEAST
    while all(
        side % 2 ** (depth + 1) == 0 and side >> (depth + 1) >= COARSEST for side in spec.image_shape[1:]
    ):
        depth += 1
    return depth, *halving(spec, depth)


def _widths(outermost: int, depth: int, spec: NetworkSpec, options: FacesFastOptions) -> list[int]:
    """Channels from the finest layer to the coarsest."""
    side = max(spec.image_shape[1:])
    if 0 < options.channels_at < side:
        # A step then costs twice as much for twice the side, not four times, and more steps in the same time are
        # worth more than wider layers: see the cards.
        outermost = max(NARROWEST, outermost * options.channels_at // side)
    return [outermost * min(2**k, WIDEST) for k in range(depth)]


class FacesFastGenerator(GeneratorNetwork):
    """Noise to the coarsest code, doubled by 4x4 transposed convolutions; every stage paints on the picture so far."""

    def __init__(self, spec: NetworkSpec, options: FacesFastOptions) -> None:
        super().__init__(spec)
        depth, height, width = _depth(spec)
        widths = _widths(options.generator_channels, depth, spec, options)[::-1]
        self.start, self.slope = (widths[0], height, width), options.slope
        self.first = nn.Linear(spec.noise_size + spec.classes, widths[0] * height * width)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1),
                normaliser(options.generator_norm, outputs, options),
                nn.LeakyReLU(options.slope),
            )
            for inputs, outputs in itertools.pairwise(widths)
        )
        colours = spec.image_shape[0]
        self.paint = nn.ModuleList(nn.Conv2d(channels, colours, 1) for channels in widths)
        self.smooth = options.smooth
        self.finest = (
            nn.Conv2d(widths[-1], colours, 3, padding=1)
            if options.smooth
            else nn.ConvTranspose2d(widths[-1], colours, 4, stride=2, padding=1)
        )
        self.ending = output_activation(spec)

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """See `GeneratorNetwork`."""
        condition = self.checked(condition, self.classes > 0)
        code = F.leaky_relu(self.first(joined(noise, condition)), self.slope).view(-1, *self.start)
        picture = self.paint[0](code)
        for stage, paint in zip(self.stages, list(self.paint)[1:], strict=True):
            code = stage(code)
            picture = _doubled(picture) + paint(code)
        images: Tensor = self.ending(
            CONTRAST * (_doubled(picture) + self.finest(_doubled(code) if self.smooth else code))
        )
        return images


class FacesFastCritic(CriticNetwork):
    """4x4 convolutions of stride 2 with leaky ReLU down to the coarsest size, flattened into the heads.

    Where there are conditions it has a classifier beside the projection, which needs `auxiliary_weight` to learn.
    """

    def __init__(self, spec: NetworkSpec, options: FacesFastOptions) -> None:
        super().__init__(spec)
        depth, height, width = _depth(spec)
        layers: list[nn.Module] = []
        inputs = spec.image_shape[0] + self.conditions
        for outputs in _widths(options.channels, depth, spec, options):
            layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(options.slope)]
            inputs = outputs
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        self.head = CriticHead(spec, options, inputs * height * width)
        projects = spec.conditioning == "projection"
        self.classifier = nn.Linear(inputs * height * width, spec.classes) if projects else None

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Criticism:
        """See `CriticNetwork`."""
        condition = self.checked(condition, self.conditioned)
        features = self.convolutions(with_planes(images, condition if self.concat else None))
        judged: Criticism = self.head(features, condition)
        return judged if self.classifier is None else judged._replace(class_logits=self.classifier(features))


def _doubled(picture: Tensor) -> Tensor:
    return F.interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)


FAMILY = Family(
    name="faces-fast",
    summary="ours: small convolutional networks for faces; the generator adds up pictures of every size",
    options=FacesFastOptions,
    generator=FacesFastGenerator,
    critic=FacesFastCritic,
)
