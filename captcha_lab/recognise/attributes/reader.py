"""A small network that reads attributes off pictures (Smiling, Male, …): feature extractor and judge for faces.

It is trained once on the packed set itself, so that faces can be evaluated without borrowed weights. Distances
in its features are to be called attribute-Fréchet, never FID.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from captcha_lab.errors import UsageError
from captcha_lab.metrics.intervals import Share, wilson
from captcha_lab.recognise.restore import described, restore

ARCHITECTURE = "attribute-cnn"
KIND = "attributes"
SIDE = 64  # pixels; pictures of other sizes are averaged or stretched to it
FEATURES = 128
SCALING = f"area to {SIDE}, x/127.5 - 1"
_BATCH = 256


class AttributeNet(nn.Module):
    """Four 3x3 convolutions of stride 2 with batch norm, 128 features, one logit per attribute.

    Args:
        attributes: A, their number.
        channels: 1 for grey, 3 for RGB.
    """

    def __init__(self, attributes: int, channels: int = 3) -> None:
        super().__init__()
        widths = (channels, 32, 64, 96, 128)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        self.dropout = nn.Dropout(0.3)
        self.hidden = nn.Linear(widths[-1] * (SIDE // 16) ** 2, FEATURES)
        self.output = nn.Linear(FEATURES, attributes)

    def features(self, pictures: Tensor) -> Tensor:
        """[N, C, 64, 64] in [-1, 1] to [N, 128] in (-1, 1): bounded, so that no single picture rules a distance."""
        return torch.tanh(self.hidden(self.dropout(self.convolutions(pictures))))

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits: [N, C, 64, 64] in [-1, 1] to [N, A]."""
        result: Tensor = self.output(self.features(pictures))
        return result


def to_tensor(images: np.ndarray) -> Tensor:
    """uint8 [N, H, W] or [N, H, W, 3] to what the network takes: float32 [N, C, 64, 64] in [-1, 1]."""
    pixels = torch.from_numpy(np.ascontiguousarray(images))
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
    values = pixels.to(torch.float32)
    if tuple(values.shape[2:]) != (SIDE, SIDE):
        larger = min(values.shape[2:]) >= SIDE
        values = (
            F.interpolate(values, (SIDE, SIDE), mode="area")
            if larger
            else F.interpolate(values, (SIDE, SIDE), mode="bilinear", align_corners=False)
        )
    return values.div_(127.5).sub_(1.0).contiguous()


class AttributeReader:
    """A trained attribute network; `load` is how to get one.

    Attributes:
        names: the attributes, in the order of all columns.
    """

    def __init__(self, network: AttributeNet, names: tuple[str, ...], channels: int) -> None:
        self.network = network.eval()
        self.names = names
        self.channels = channels

    @classmethod
    def load(cls, path: Path) -> AttributeReader:
        """Rebuild a network from its model file or run folder.

        Raises:
            CaptchaLabError: the file is absent, damaged or holds another model.
        """
        network, metadata = restore(
            path,
            "a network for attributes",
            ARCHITECTURE,
            {SCALING},
            lambda facts: AttributeNet(len(facts["attributes"]), facts["channels"]),
        )
        with described(path):
            return cls(network, tuple(metadata["attributes"]), metadata["channels"])

    @torch.inference_mode()
    def features(self, images: np.ndarray) -> NDArray[np.float32]:
        """uint8 [N, H, W(, 3)] of any size to float32 [N, 128]."""
        parts = [self.network.features(part).numpy() for part in self._parts(images)]
        return np.concatenate(parts) if parts else np.empty((0, FEATURES), np.float32)

    @torch.inference_mode()
    def probabilities(self, images: np.ndarray) -> NDArray[np.float32]:
        """Probability of each attribute: uint8 [N, H, W(, 3)] to float32 [N, A]."""
        parts = [torch.sigmoid(self.network(part)).numpy() for part in self._parts(images)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.names)), np.float32)

    def agreement(self, images: np.ndarray, asked: np.ndarray, names: tuple[str, ...]) -> dict[str, Share]:
        """For each attribute asked of a generator, the share of pictures in which it is read as asked.

        Args:
            images: uint8 [N, H, W(, 3)].
            asked: 1 or 0, [N, K].
            names: of the K columns.

        Raises:
            UsageError: an attribute this network was not trained on.
        """
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise UsageError(
                f"The attribute network {unknown} was not trained on: it reads {', '.join(self.names)}."
            )
        read = self.probabilities(images) > 0.5
        return {
            name: wilson(int((read[:, self.names.index(name)] == (asked[:, k] > 0.5)).sum()), len(images))
            for k, name in enumerate(names)
        }

    def _parts(self, images: np.ndarray) -> Iterator[Tensor]:
        if (images.shape[-1] if images.ndim == 4 else 1) != self.channels:
            raise UsageError(
                f"The attribute network was trained on pictures with {self.channels} channels, these are "
                f"{list(images.shape)}."
            )
        for start in range(0, len(images), _BATCH):
            yield to_tensor(images[start : start + _BATCH])
