"""Latent codes (InfoGAN, Chen et al. 2016): the part of the noise that the critic's head is to read off an image."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captcha_lab.generate.networks.parts.normalise import NormOptions, normaliser

WIDTH, SLOPE = 128, 0.1  # of the head's hidden layer (Chen et al. 2016, appendix C.1)


def coded(noise: Tensor, categories: int) -> Tensor:
    """Noise [N, Z] whose first K values become one-hot at their largest, so that every category is equally likely.

    The continuous codes are the values that follow, as they are.
    """
    if not categories:
        return noise
    return torch.cat([one_hot_category(noise, categories).to(noise), noise[:, categories:]], dim=1)


def one_hot_category(noise: Tensor, categories: int) -> Tensor:
    """The categorical code of noise [N, Z]: one-hot [N, K]."""
    return F.one_hot(noise[:, :categories].argmax(1), categories)


class CodeHead(nn.Module):
    """Q(c | x), from a critic's features [N, F]: logits of K categories, mean and log deviation of M normal codes."""

    __call__: Callable[..., Tensor]

    def __init__(self, features: int, categories: int, continuous: int, norm: NormOptions) -> None:
        super().__init__()
        self.categories, self.continuous = categories, continuous
        self.layers = nn.Sequential(
            nn.Linear(features, WIDTH, bias=False),
            normaliser("batch", WIDTH, norm),
            nn.LeakyReLU(SLOPE),
            nn.Linear(WIDTH, categories + 2 * continuous),
        )

    def forward(self, features: Tensor) -> Tensor:
        """[N, K + 2 M]."""
        output: Tensor = self.layers(features)
        return output

    def log_likelihood(self, output: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Mean log Q(c | x) in nats of the categorical and of all continuous codes that noise [N, Z] holds.

        Args:
            output: [N, K + 2 M] what the head said of the images made from the noise.
            noise: [N, Z].
        """
        k, m = self.categories, self.continuous
        logits, mean, log_deviation = output.split([k, m, m], dim=1)
        named = (
            -F.cross_entropy(logits, noise[:, :k].argmax(1)) if k else torch.zeros((), device=output.device)
        )
        distance = (noise[:, k : k + m] - mean) * (-log_deviation).exp()
        density = -0.5 * distance.square() - log_deviation - 0.5 * math.log(2 * math.pi)
        return named, density.sum(1).mean()

    @property
    def entropy(self) -> float:
        """H(c) in nats: of K equally likely categories and M codes uniform in [-1, 1]."""
        return (math.log(self.categories) if self.categories else 0.0) + self.continuous * math.log(2.0)
