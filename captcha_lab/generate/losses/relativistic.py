"""Relativistic pairing: a real image's score against a generated one's."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from captcha_lab.generate.losses.base import Adversarial, LossFamily, given
from captcha_lab.generate.networks.base import Criticism


class RelativisticPairing(Adversarial):
    """Jolicoeur-Martineau 2019; RpGAN of Huang et al. 2024, eq. 2, with f(t) = -log(1 + e^-t).

    Each real image is compared with one generated image; where there are more generated ones (wrong labels),
    the real ones go round.
    """

    needs_real = True

    def critic_loss(self, real: Criticism, fake: Criticism) -> Tensor:
        """log(1 + exp(f - r))."""
        return F.softplus(fake.score - _matching(real.score, fake.score)).mean()

    def generator_loss(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """log(1 + exp(r - f))."""
        return F.softplus(_matching(given(real).score, fake.score) - fake.score).mean()


def _matching(real: Tensor, fake: Tensor) -> Tensor:
    """As many real scores as generated ones."""
    return real if len(real) == len(fake) else real.repeat(-(-len(fake) // len(real)))[: len(fake)]


LOSSES = (LossFamily("rpgan", "relativistic pairing; Jolicoeur-Martineau 2019", RelativisticPairing),)
