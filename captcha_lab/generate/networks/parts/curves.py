"""Strokes that a network draws as curves instead of as pixels, as captchas are struck through."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

CURVE_WAVES = 4  # cosine waves that the height of a curve is made of


class Strokes(nn.Module):
    """Numbers [N, F] to strokes [N, H, W] in [0, 1]: curves across the picture, and half as many from top to bottom.

    A layer that gives pixels draws a line that is two pixels wide as a row of specks.

    Args:
        inputs: F.
        count: curves across a picture.
        height: of the picture, in pixels.
        width: of the picture, in pixels.
    """

    def __init__(self, inputs: int, count: int, height: int, width: int) -> None:
        super().__init__()
        self.across = Curves(inputs, count, height, width)
        self.down = Curves(inputs, -(-count // 2), width, height)

    def forward(self, scene: Tensor) -> Tensor:
        """See the class."""
        drawn: Tensor = 1 - (1 - self.across(scene)) * (1 - self.down(scene).mT)
        return drawn


class Curves(nn.Module):
    """Numbers [N, F] to strokes [N, H, W] in [0, 1]: curves from the left to the right, each with ends and a width.

    The height of a curve over the columns is a sum of cosine waves.

    Args:
        inputs: F.
        count: curves to a picture.
        height: of the picture, in pixels.
        width: of the picture, in pixels.
    """

    waves: Tensor
    slopes: Tensor
    first: Tensor

    def __init__(self, inputs: int, count: int, height: int, width: int) -> None:
        super().__init__()
        self.shape = count, height, width
        self.form = nn.Linear(inputs, count * CURVE_WAVES)
        self.look = nn.Linear(inputs, count * 4)
        order, across = torch.arange(CURVE_WAVES)[:, None], (torch.arange(width) + 0.5)[None] / width
        size = height / (1 + order)
        fixed = {
            "waves": size * torch.cos(math.pi * order * across),
            "slopes": -size * math.pi * order / width * torch.sin(math.pi * order * across),
            "first": (torch.arange(count) + 0.5)[:, None] / count * height,
        }
        for name, values in fixed.items():
            self.register_buffer(name, values, persistent=False)

    def forward(self, scene: Tensor) -> Tensor:
        """See the class; computed in float32: bfloat16 would put curves up to a pixel beside their places."""
        count, height, width = self.shape
        with torch.autocast(scene.device.type, enabled=False):
            scene = scene.to(self.waves.dtype)
            form = 0.3 * self.form(scene).view(-1, count, CURVE_WAVES)
            at, slope = self.first + form @ self.waves, form @ self.slopes  # [N, count, W]
            rows = torch.arange(height, device=scene.device)[:, None] + 0.5
            away = (rows - at[:, :, None]).abs() * (1 + slope.square()).rsqrt()[:, :, None]
            start, end, thick, strength = self.look(scene).view(-1, count, 4, 1).unbind(2)
            column = torch.arange(width, device=scene.device) + 0.5
            begun = torch.sigmoid(column - width * (0.2 + 0.2 * start))
            ended = torch.sigmoid(width * (0.8 + 0.2 * end) - column)
            there = begun * ended * torch.sigmoid(1 + strength)
            mask = torch.sigmoid(2 * (1 + 0.5 * thick[..., None] - away)) * there[:, :, None]
            strokes: Tensor = 1 - (1 - mask).prod(1)
        return strokes
