"""Least squares (Mao et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

from captcha_lab.generate.losses.base import Adversarial, LossFamily
from captcha_lab.generate.networks.base import Criticism


class LeastSquares(Adversarial):
    """Mao et al. 2017, eq. 2 and 9 (a = 0, b = c = 1).

    Args:
        half: with the factor 1/2 of the paper (CS231n); the thesis's section 3.1 has none.
        sigmoid: of probabilities, as the thesis writes it, instead of raw scores, as the paper does.
    """

    def __init__(self, half: bool = True, sigmoid: bool = False) -> None:
        self.factor = 0.5 if half else 1.0
        self.sigmoid = sigmoid
        self.saturates = sigmoid

    def _distance(self, score: Tensor, target: float) -> Tensor:
        value = torch.sigmoid(score) if self.sigmoid else score
        return self.factor * (value - target).square().mean()

    def critic_loss(self, real: Criticism, fake: Criticism) -> Tensor:
        """(r - 1)^2 + f^2, each a mean, times the factor."""
        return self._distance(real.score, 1.0) + self._distance(fake.score, 0.0)

    def generator_loss(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """(f - 1)^2 times the factor."""
        return self._distance(fake.score, 1.0)


LOSSES = (LossFamily("lsgan", "least squares; Mao et al. 2017", LeastSquares, recipe="lsgan"),)
