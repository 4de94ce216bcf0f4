"""Ours: whole captchas from their texts. Each character is a stencil drawn in a window of the picture.

The condition [N, P * A] is a text: P places of A characters, one-hot, and all zeros after the last character. Every
place of a text gives a window of the picture; a window is wider than its share of the picture, so that neighbours
touch and overlap. One network draws the windows of all places and one criticises them. Neither is told the neighbouring
characters: of a thousand captchas hardly two show the same three in a row, so a critic that is told knows every window
by heart, and the generator draws other texts badly. For the same reason windows should be no wider than they must, and
with `apart` neither network is told the place. What no character owns, background and strokes, is drawn and criticised
for the picture as a whole.
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
from captcha_lab.generate.networks.fast import INK_FIGURES, TEXTURE_SEED, Codebook, held, ink_figures, stack
from captcha_lab.generate.networks.parts.curves import Strokes
from captcha_lab.generate.networks.parts.frequencies import Frequencies
from captcha_lab.generate.networks.parts.heads import Projection

BLUNT = 8  # pixels averaged along each side where the whole picture is criticised: no character can be read


@dataclass(frozen=True)
class WholeOptions:
    """Keyword options of the `whole` family."""

    places: int = 1  # P, the most characters of a text
    generator: Sequence[int] = (512, 512)  # widths of the hidden layers that draw a window
    critic: Sequence[int] = (512, 512)  # widths of the hidden layers that criticise a window
    scene: Sequence[int] = (256,)  # widths of the hidden layers for the picture as a whole, of both networks
    overlap: float = 2.0  # width of a window as a multiple of the distance between characters
    # A window is drawn and criticised by its character alone: neither network is told the place and the length of the
    # text, and shapes do not depend on the noise that the characters of a picture share. False: they are and do.
    apart: bool = False
    # Where characters stand in texts of 1, 2, … characters, as shares of the width; no or an empty row: evenly spread.
    centres: Sequence[Sequence[float]] = ()
    embedding: int = 32  # length of a character's learned vector
    slope: float = 0.2  # of the leaky ReLU
    codes: int = 256  # entries of each codebook that noise is rounded to; 0 = the noise as it is
    crisp: bool = True  # the stencil is 0 or 1, its gradient that of the soft one; False = soft edges
    gain: float = 8.0  # steepness of the stencil's sigmoid
    spectrum: float = 0.0  # slope of the stencil's cosine waves (see `Frequencies`), 0 = made of pixels
    paper: float = 1.0  # brightness of blank paper, 0 black to 1 white
    grain: float = 0.05  # first standard deviation of the ink's grain (learned), 0 = none
    backdrop: bool = False  # background and strokes are drawn too; False = blank paper
    curves: int = 0  # strokes are drawn as so many curves across and half as many down; 0 = as pixels
    around: bool = False  # windows side by side over the picture are criticised too, beside no character
    coarse: int = 1  # pixels to one of those that the networks draw and see, along each side


def drawn_shape(spec: NetworkSpec, options: WholeOptions) -> tuple[int, int, int]:
    """(C, H, W) of the picture that the networks draw and see; it is scaled to the captcha's size."""
    channels, height, width = spec.image_shape
    if options.coarse < 1:
        raise UsageError(
            "The option coarse is 0: a pixel that the networks draw has at least one of the captcha."
        )
    return channels, -(-height // options.coarse), -(-width // options.coarse)


class Layout:
    """Where the windows of a text's characters lie, the same in both networks: as measured, or evenly spread."""

    def __init__(self, spec: NetworkSpec, options: WholeOptions) -> None:
        places, width = options.places, drawn_shape(spec, options)[2]
        if spec.classes % max(places, 1) or places < 1:
            raise ValueError(f"{spec.classes} values of a condition are not {places} places of characters")
        if not 0 < options.overlap < math.inf:
            raise UsageError(
                f"The option overlap is {options.overlap:g}: give the width of a window as a multiple, above 0, of the "
                "distance between characters."
            )
        self.places, self.characters = places, spec.classes // places
        self.told = 0 if options.apart else 2 * places + 1  # numbers that say the place and the text's length
        self.width = width
        # Plain numbers first: a network may be built where tensors have no values.
        centres = [
            [(k + 0.5) * width / max(length, 1) for k in range(places)] for length in range(places + 1)
        ]
        distance = width / places
        for length, measured in enumerate(options.centres, 1):
            if not measured:
                continue
            if len(measured) != length or length > places or not all(0 <= share <= 1 for share in measured):
                raise UsageError(
                    f"The option centres says where {len(measured)} characters stand in texts of {length}, which have "
                    f"{places} at most: one share of the width, 0 to 1, for each character."
                )
            centres[length][:length] = [share * width for share in measured]
            if length == places > 1:
                distance = width * abs(measured[-1] - measured[0]) / (places - 1)
        # Windows of the longest text overlap as asked; those of shorter texts show more of the paper.
        self.window = min(width, max(4, round(options.overlap * distance)))
        self.margin = self.window // 2
        self.starts = self._padded(centres)  # [P + 1, P]
        tiles = -(-width // self.window)
        self.tiles = self._padded([(k + 0.5) * width / tiles for k in range(tiles)])  # [T] whatever the text

    def _padded(self, centres: Sequence[Any]) -> Tensor:
        """Where windows with these centres begin in the padded picture, int64."""
        return (torch.tensor(centres) - self.window / 2).round().long() + self.margin

    def columns(self, length: Tensor) -> Tensor:
        """Columns of the padded picture that each window covers: int64 [N, P, window]."""
        return self._from(self.starts.to(length.device)[length])

    def tiled(self, count: int, device: torch.device) -> Tensor:
        """Columns of the padded picture that each of the windows side by side covers: int64 [count, T, window]."""
        return self._from(self.tiles.to(device).expand(count, -1))

    def _from(self, starts: Tensor) -> Tensor:
        inside = starts.clamp(0, self.width + 2 * self.margin - self.window)
        return inside[..., None] + torch.arange(self.window, device=starts.device)


class Text:
    """A condition [N, P * A] taken apart."""

    def __init__(self, condition: Tensor, layout: Layout) -> None:
        self.characters = condition.view(-1, layout.places, layout.characters)
        self.present = self.characters.sum(2)  # [N, P] 1 where there is a character
        self.length = self.present.sum(1).round().long()
        where = F.one_hot(torch.arange(layout.places, device=condition.device), layout.places)
        self.where = torch.cat(
            [
                where.to(condition).expand(len(condition), -1, -1),
                F.one_hot(self.length, layout.places + 1)
                .to(condition)[:, None]
                .expand(-1, layout.places, -1),
            ],
            dim=2,
        )


class WholeGenerator(GeneratorNetwork):
    """Noise and a text to a picture: windows of stencils laid over each other, ink, background."""

    texture: Tensor

    def __init__(self, spec: NetworkSpec, options: WholeOptions) -> None:
        super().__init__(spec)
        self.drawn = channels, height, width = drawn_shape(spec, options)
        self.options, self.low_high = options, spec.output_range
        self.layout = layout = Layout(spec, options)
        if spec.noise_size < layout.places + 2:
            raise UsageError(f"The networks 'whole' need at least {layout.places + 2} noise values.")
        # Noise values of one character, of the picture, and what is left for the grain.
        self.own = max(1, spec.noise_size // 2 // layout.places)
        self.common = max(1, (spec.noise_size - self.own * layout.places) // 2)
        self.embed = nn.Linear(layout.characters, options.embedding, bias=False)
        self.codebook = Codebook(32, options.codes, 1) if options.codes else None
        shape = 32 if options.codes else self.own
        inputs = options.embedding + shape + layout.told + (0 if options.apart else self.common)
        self.body = stack(inputs, options.generator, options.slope)
        self.stencil = nn.Linear(options.generator[-1], height * layout.window)
        self.waves = Frequencies(height, layout.window, options.spectrum) if options.spectrum else None
        self.ink = nn.Linear(options.generator[-1] + self.common, channels)
        self.first_ink = 0.2 if options.paper > 0.5 else 0.8
        self.scene = stack(self.common, options.scene, options.slope) if options.backdrop else None
        if options.backdrop:
            self.small = (-(-height // 8), -(-width // 8))
            self.paper = nn.Linear(options.scene[-1], channels * self.small[0] * self.small[1])
            features = options.scene[-1]
            self.strokes = (
                Strokes(features, options.curves, height, width)
                if options.curves
                else nn.Linear(features, height * width)
            )
        self.log_grain = nn.Parameter(torch.tensor(math.log(options.grain))) if options.grain else None
        spread = torch.randn(
            spec.noise_size - self.common - self.own * layout.places,
            channels * height * width,
            generator=torch.Generator().manual_seed(TEXTURE_SEED),
        )
        self.register_buffer("texture", F.normalize(spread, dim=0))

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """See `GeneratorNetwork`."""
        condition = self.checked(condition, True)
        assert condition is not None
        text, layout = Text(condition, self.layout), self.layout
        n, places = len(noise), layout.places
        channels, height, width = self.drawn
        common = noise[:, : self.common]
        own = noise[:, self.common : self.common + self.own * places].reshape(n, places, self.own)
        chosen = (
            own if self.codebook is None else self.codebook(own.reshape(n * places, -1)).view(n, places, -1)
        )
        every = common[:, None].expand(-1, places, -1)
        embedded = self.embed(text.characters)
        given = [embedded, chosen] if self.options.apart else [embedded, text.where, chosen, every]
        hidden = self.body(torch.cat(given, dim=2).view(n * places, -1))
        logits = self.stencil(hidden) if self.waves is None else self.waves(self.stencil(hidden))
        logits = logits.view(n, places, height, layout.window)
        soft = torch.sigmoid(self.options.gain * logits) * text.present[:, :, None, None]
        # How much of each pixel is left uncovered by the characters: a product, taken as a sum of logarithms.
        columns = layout.columns(text.length)[:, :, None].expand(-1, -1, height, -1)
        padded = width + 2 * layout.margin
        clear = noise.new_zeros(n, height, padded)
        weight = noise.new_zeros(n, height, padded)
        tones = noise.new_zeros(n, channels, height, padded)
        ink = self.first_ink + 0.1 * self.ink(torch.cat([hidden, every.reshape(n * places, -1)], dim=1)).view(
            n, places, channels
        )
        for p in range(places):
            where, mask = columns[:, p], soft[:, p]
            clear = clear.scatter_add(2, where, torch.log1p(-mask.clamp(max=0.999)))
            weight = weight.scatter_add(2, where, mask)
            shown = (ink[:, p, :, None, None] * mask[:, None]).reshape(n, channels, height, -1)
            tones = tones.scatter_add(3, where[:, None].expand(-1, channels, -1, -1), shown)
        inside = slice(layout.margin, layout.margin + width)
        covered, weight = 1 - clear[..., inside].exp(), weight[..., inside]
        tone = tones[..., inside] / weight.clamp_min(1e-3)[:, None]
        paper: Tensor | float = self.options.paper
        if self.scene is not None:
            scene = self.scene(common)
            small = self.paper(scene).view(n, channels, *self.small)
            paper = held(self.options.paper + 0.1 * F.interpolate(small, (height, width), mode="bilinear"))
            strokes = self.strokes(scene).view(n, height, width)
            if not self.options.curves:
                strokes = torch.sigmoid(self.options.gain * (strokes - 0.3))
            mean_ink = ink.mean(1)[:, :, None, None]
            tone = (tone * weight[:, None] + mean_ink * strokes[:, None]) / (weight + strokes).clamp_min(
                1e-3
            )[:, None]
            covered = 1 - (1 - covered) * (1 - strokes)
        mask = covered[:, None]
        if self.options.crisp:
            mask = mask + ((mask > 0.5).to(mask) - mask).detach()
        if self.log_grain is not None:
            tone = tone + self.log_grain.exp() * (
                noise[:, self.common + self.own * places :] @ self.texture
            ).view(n, *self.drawn)
        low, high = self.low_high
        made: Tensor = (paper + mask * (held(tone) - paper)) * (high - low) + low
        if self.options.coarse > 1:
            made = F.interpolate(made, self.image_shape[1:], mode="bilinear")
        return made


class WholeCritic(CriticNetwork):
    """The mean score of the windows of a text, each beside its character, and a score of the whole picture."""

    def __init__(self, spec: NetworkSpec, options: WholeOptions) -> None:
        super().__init__(spec)
        self.seen = channels, height, width = drawn_shape(spec, options)
        self.options, self.low_high = options, spec.output_range
        self.layout = layout = Layout(spec, options)
        pixels = channels * height * layout.window
        self.body = stack(pixels + INK_FIGURES + layout.told, options.critic, options.slope)
        features = options.critic[-1]
        self.score = nn.Linear(features, 1)
        self.projection = Projection(layout.characters, features)
        self.classifier = nn.Linear(features, layout.characters)
        small = channels * -(-height // BLUNT) * -(-width // BLUNT)
        self.scene = stack(small, options.scene, options.slope) if options.backdrop else None
        self.scene_score = nn.Linear(options.scene[-1], 1) if options.backdrop else None
        tiles = len(layout.tiles)
        self.around = stack(pixels + tiles, options.critic, options.slope) if options.around else None
        self.around_score = nn.Linear(options.critic[-1], 1) if options.around else None

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Criticism:
        """See `CriticNetwork`."""
        condition = self.checked(condition, True)
        assert condition is not None
        text, layout = Text(condition, self.layout), self.layout
        low, high = self.low_high
        if self.options.coarse > 1:
            images = F.interpolate(images, self.seen[1:], mode="area")
        ink = self.options.paper - (images - low) / (high - low)  # 0 = blank
        n = len(ink)
        padded = F.pad(ink, (layout.margin, layout.margin))
        windows = _cut(padded, layout.columns(text.length)).flatten(0, 1)
        seen = [windows.flatten(1), ink_figures(windows)]
        if not self.options.apart:
            seen.append(text.where.flatten(0, 1))
        features = self.body(torch.cat(seen, dim=1))
        known = self.projection(text.characters.flatten(0, 1))
        scores = self.score(features).squeeze(1) + (known * features).sum(1)
        scores = (scores.view(n, -1) * text.present).sum(1) / text.length.clamp_min(1).sqrt()
        logits = self.classifier(features).view(n, -1)
        if self.scene is not None and self.scene_score is not None:
            scene = self.scene(F.avg_pool2d(ink, BLUNT, ceil_mode=True).flatten(1))
            scores = scores + self.scene_score(scene).squeeze(1)
        if self.around is not None and self.around_score is not None:
            tiles = _cut(padded, layout.tiled(n, padded.device)).flatten(2)
            where = torch.eye(tiles.shape[1]).to(tiles).expand(n, -1, -1)
            beside = self.around_score(self.around(torch.cat([tiles, where], dim=2))).squeeze(2)
            scores = scores + beside.sum(1) / math.sqrt(beside.shape[1])
        return Criticism(scores, features.view(n, -1), logits)


def _cut(padded: Tensor, columns: Tensor) -> Tensor:
    """Windows [N, K, C, H, w] of pictures [N, C, H, W], at the columns [N, K, w]."""
    n, channels, height, _ = padded.shape
    index = columns.reshape(n, 1, 1, -1).expand(-1, channels, height, -1)
    windows = padded.gather(3, index).view(n, channels, height, *columns.shape[1:])
    return windows.permute(0, 3, 1, 2, 4)


FAMILY = Family(
    name="whole",
    summary="ours: whole captchas from their texts, a window of the picture for each character",
    options=WholeOptions,
    generator=WholeGenerator,
    critic=WholeCritic,
)
