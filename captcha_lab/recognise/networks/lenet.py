"""Networks that read single glyphs: what they share, and the thesis's own LeNet (thesis, section 4.1)."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from captcha_lab.errors import UsageError

ARCHITECTURE = "lenet"


class GlyphNetwork(nn.Module, ABC):
    """A classifier of glyphs whose penultimate activations serve as features; `hidden` makes them, `output` reads."""

    hidden: nn.Linear
    output: nn.Linear

    @abstractmethod
    def features(self, glyphs: Tensor) -> Tensor:
        """Penultimate activations: [N, C, H, W] in [0, 1] to [N, F]."""

    def forward(self, glyphs: Tensor) -> Tensor:
        """Logits: [N, C, H, W] in [0, 1] to [N, K]."""
        result: Tensor = self.output(self.features(glyphs))
        return result


class LeNet(GlyphNetwork):
    """conv 5x5 valid 20, ReLU, pool 2; conv 5x5 valid 50, ReLU, pool 2; flat-500, ReLU; 500-K.

    With 20x20 grey glyphs and 32 classes it has the thesis's 142,102 parameters.

    Args:
        classes: K, number of classes.
        size: side of the square glyphs in pixels.
        channels: 1 for grey, 3 for RGB.

    Raises:
        UsageError: the glyphs are too small for two 5x5 convolutions and poolings.
    """

    def __init__(self, classes: int, size: int = 20, channels: int = 1) -> None:
        super().__init__()
        side = ((size - 4) // 2 - 4) // 2
        if side < 1:
            raise UsageError(
                f"The recogniser can't read glyphs of {size} pixels: cut them with --size 16 or more."
            )
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, 20, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(20, 50, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.hidden = nn.Linear(side * side * 50, 500)
        self.output = nn.Linear(500, classes)

    def features(self, glyphs: Tensor) -> Tensor:
        """Penultimate activations: [N, C, size, size] in [0, 1] to [N, 500], non-negative."""
        return torch.relu(self.hidden(self.convolutions(glyphs)))
