"""Ours: fully connected networks shaped after printed characters, a stencil times an ink.

A captcha's glyph is one of a limited number of shapes, in ink of one tone with a little grain, on blank paper. A plain
fully connected generator spends its training on what this fixes beforehand: paper that is exactly blank, edges that
are exactly hard, grain that is independent from pixel to pixel. Here the last layer gives only the stencil.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captcha_lab.errors import UsageError
from captcha_lab.generate.networks.base import (
    Criticism,
    CriticNetwork,
    Family,
    GeneratorNetwork,
    NetworkSpec,
)
from captcha_lab.generate.networks.parts.frequencies import Frequencies
from captcha_lab.generate.networks.parts.heads import Projection
from captcha_lab.generate.networks.parts.layers import joined

TEXTURE_SEED = 20  # of the fixed matrix that spreads the noise over the pixels
INKED = 0.3  # of the way from paper to full ink
INK_FIGURES = 2
TONE, TONE_SCALE = 0.8, 10.0  # real tones lie about there, with a standard deviation of .06
GRAIN_SCALE = 20.0  # real roughness is about .006: enough weight without a steep gradient


@dataclass(frozen=True)
class FastOptions:
    """Keyword options of the `fast` family."""

    generator: Sequence[int] = (512, 512)  # widths of the generator's hidden layers
    critic: Sequence[int] = (512, 512)  # widths of the critic's hidden layers
    slope: float = 0.2  # of the leaky ReLU
    codes: int = 256  # entries of each codebook that noise is rounded to; 0 = the noise as it is
    books: int = 1  # codebooks; their entries are added up
    crisp: bool = True  # the stencil is 0 or 1, its gradient that of the soft one; False = soft edges
    gain: float = 8.0  # steepness of the stencil's sigmoid
    spectrum: float = 0.0  # slope of the stencil's cosine waves (see `Frequencies`), 0 = made of pixels
    paper: float = 1.0  # brightness of blank paper, 0 black to 1 white
    grain: float = 0.05  # first standard deviation of the ink's grain (learned), 0 = none


class Codebook(nn.Module):
    """Normal or uniform noise [N, Z] to the sum of B code vectors [N, F], every code equally likely.

    Between two shapes that both occur lie, in a continuous noise space, broken shapes that never do; a finite
    set of codes has no between. The codes are learned, as in vector quantisation (van den Oord et al. 2017), but
    with no encoder: the noise picks.
    """

    def __init__(self, features: int, codes: int, books: int) -> None:
        super().__init__()
        self.codes, self.books = codes, books
        # Drawn from torch's global state, which the builder seeds.
        self.vectors = nn.Parameter(torch.randn(books, codes, features) / math.sqrt(books))

    def forward(self, noise: Tensor) -> Tensor:
        """See the class; the first B noise values are looked at, through the normal distribution function."""
        rank = torch.special.ndtr(noise[:, : self.books]) * self.codes
        index = rank.long().clamp_(0, self.codes - 1)
        return torch.stack([self.vectors[b, index[:, b]] for b in range(self.books)]).sum(0)


class FastGenerator(GeneratorNetwork):
    """Noise to a stencil [N, 1, H, W] and an ink [N, C]; the image is ink with grain where the stencil is, else paper.

    The first half of the noise chooses the shape and the ink, the second is spread over the pixels as grain.
    """

    texture: Tensor

    def __init__(self, spec: NetworkSpec, options: FastOptions) -> None:
        super().__init__(spec)
        if spec.noise_size < 2 * max(options.books, 1):
            raise UsageError(f"The networks 'fast' need at least {2 * max(options.books, 1)} noise values.")
        channels, height, width = spec.image_shape
        self.options, self.low_high = options, spec.output_range
        self.shape_size = spec.noise_size // 2
        self.codebook = Codebook(self.shape_size, options.codes, options.books) if options.codes else None
        self.body = stack(self.shape_size + spec.classes, options.generator, options.slope)
        self.stencil = nn.Linear(options.generator[-1], height * width)
        self.waves = Frequencies(height, width, options.spectrum) if options.spectrum else None
        self.ink = nn.Linear(options.generator[-1] + self.shape_size, channels)
        # At first: dark ink on light paper or the reverse, grain as the options say.
        self.first_ink = 0.2 if options.paper > 0.5 else 0.8
        self.log_grain = nn.Parameter(torch.tensor(math.log(options.grain))) if options.grain else None
        spread = torch.randn(
            spec.noise_size - self.shape_size,
            channels * height * width,
            generator=torch.Generator().manual_seed(TEXTURE_SEED),
        )
        self.register_buffer("texture", F.normalize(spread, dim=0))

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """See `GeneratorNetwork`."""
        condition = self.checked(condition, self.classes > 0)
        shape_noise, grain_noise = noise[:, : self.shape_size], noise[:, self.shape_size :]
        chosen = shape_noise if self.codebook is None else self.codebook(shape_noise)
        hidden = self.body(joined(chosen, condition))
        _, height, width = self.image_shape
        logits = self.stencil(hidden)
        stencil = logits.view(-1, 1, height, width) if self.waves is None else self.waves(logits)
        mask = self._mask(stencil)
        ink = self.first_ink + 0.1 * self.ink(torch.cat([hidden, shape_noise], dim=1))[:, :, None, None]
        if self.log_grain is not None:
            grain = (grain_noise @ self.texture).view(-1, *self.image_shape)
            ink = ink + self.log_grain.exp() * grain
        paper = self.options.paper
        low, high = self.low_high
        return (paper + mask * (held(ink) - paper)) * (high - low) + low

    def _mask(self, logits: Tensor) -> Tensor:
        """The stencil in [0, 1]; crisp: rounded, with the gradient of the unrounded (Bengio et al. 2013, section 4)."""
        soft = torch.sigmoid(self.options.gain * logits)
        return soft + ((logits > 0).to(soft) - soft).detach() if self.options.crisp else soft


class FastCritic(CriticNetwork):
    """Pixels through the hidden layers to a score with projection and a classifier's head.

    Beside the pixels it is shown two figures of the ink, since differences that are small in each pixel and the
    same in all are what a penalised critic sees last: without them the tones of the samples lie too close together
    and their grain dies out.
    """

    def __init__(self, spec: NetworkSpec, options: FastOptions) -> None:
        super().__init__(spec)
        channels, height, width = spec.image_shape
        self.options, self.low_high = options, spec.output_range
        pixels = channels * height * width
        self.body = stack(pixels + INK_FIGURES + self.conditions, options.critic, options.slope)
        features = options.critic[-1]
        self.score = nn.Linear(features, 1)
        self.projection = Projection(spec.classes, features) if spec.conditioning == "projection" else None
        # With a concatenated condition nothing trains it: a class is then no output of the critic.
        classifies = spec.conditioning in ("projection", "auxiliary")
        self.classifier = nn.Linear(features, spec.classes) if classifies else None

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Criticism:
        """See `CriticNetwork`."""
        condition = self.checked(condition, self.conditioned)
        low, high = self.low_high
        ink = self.options.paper - (images - low) / (high - low)  # 0 = blank
        figures = ink_figures(ink)
        seen = torch.cat([ink.flatten(1), figures], dim=1)
        features = self.body(joined(seen, condition if self.concat else None))
        score = self.score(features).squeeze(1)
        if self.projection is not None and condition is not None:
            score = score + (self.projection(condition) * features).sum(1)
        return Criticism(score, features, None if self.classifier is None else self.classifier(features))


def ink_figures(ink: Tensor) -> Tensor:
    """Mean tone of the inked pixels and their roughness across, scaled to spread about 1.

    Args:
        ink: [N, C, H, W] difference from blank paper, in [-1, 1]; a pixel beyond +-0.3 counts as inked.

    Returns:
        [N, 2]; roughness is the mean squared difference of neighbours that are both inked; 0 where there are none.
    """
    inked = (ink.abs() > INKED).to(ink)
    both = inked[..., 1:] * inked[..., :-1]
    tone = TONE_SCALE * _mean(ink.abs() - TONE, inked)
    roughness = GRAIN_SCALE * _mean((ink[..., 1:] - ink[..., :-1]).square(), both)
    return torch.stack([tone, roughness], dim=1)


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """[N]: mean of each image's values where the other tensor is 1."""
    return (values * where).flatten(1).sum(1) / where.flatten(1).sum(1).clamp_min(1)


class Held(torch.autograd.Function):
    """Values clamped to [0, 1]; those outside keep the gradient that leads them back, so that grain teaches the tone.

    With the gradient that leads further out as well, nothing stops them: the ink of MNIST's digits, which is as bright
    as can be, grew until the weights before it were four times as large, and the training fell apart after 9,000
    iterations.
    """

    @staticmethod
    def forward(context: Any, ink: Tensor) -> Tensor:
        """See the class."""
        context.save_for_backward(ink)
        return ink.clamp(0, 1)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        """The gradient where a step against it does not lead out of [0, 1]."""
        (ink,) = context.saved_tensors
        leads_out = ((ink > 1) & (gradient < 0)) | ((ink < 0) & (gradient > 0))
        return gradient.masked_fill(leads_out, 0)


def held(ink: Tensor) -> Tensor:
    """See `Held`."""
    clamped: Tensor = Held.apply(ink)  # type: ignore[no-untyped-call]
    return clamped


def stack(inputs: int, widths: Sequence[int], slope: float) -> nn.Sequential:
    """Fully connected hidden layers of these widths, each with a leaky ReLU."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(inputs, width), nn.LeakyReLU(slope)]
        inputs = width
    return nn.Sequential(*layers)


FAMILY = Family(
    name="fast",
    summary="ours: a stencil times an ink, chosen from learned codes; fully connected, projection and classifier",
    options=FastOptions,
    generator=FastGenerator,
    critic=FastCritic,
)
