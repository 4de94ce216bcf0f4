"""Cross-entropy losses: the non-saturating and the minimax form of Goodfellow et al. 2014, and ALI's."""

from __future__ import annotations

import torch
from torch import Tensor

from captcha_lab.generate.losses.base import Adversarial, LossFamily, cross_entropy, given
from captcha_lab.generate.networks.base import Criticism


class NonSaturating(Adversarial):
    """Goodfellow et al. 2014, section 3: the generator maximises log D(G(z)).

    Args:
        smoothing: real images have the target 1 - smoothing (Salimans et al. 2016, section 3.4).
    """

    saturates = True

    def __init__(self, smoothing: float = 0.0) -> None:
        self.smoothing = smoothing

    def critic_loss(self, real: Criticism, fake: Criticism) -> Tensor:
        """-log D(x) - log(1 - D(G(z)))."""
        return cross_entropy(real.score, 1 - self.smoothing) + cross_entropy(fake.score, 0.0)

    def generator_loss(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """-log D(G(z))."""
        return cross_entropy(fake.score, 1.0)


class Minimax(NonSaturating):
    """Goodfellow et al. 2014, eq. 1: the generator minimises log(1 - D(G(z))), which saturates early."""

    def generator_loss(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """log(1 - D(G(z))), negative."""
        return -cross_entropy(fake.score, 0.0)


class LogBoth(NonSaturating):
    """The ALI/BiGAN form of the thesis, section 3.1: both terms for both players, signs exchanged.

    The generator's second term does not depend on a generator without an encoder: it is in the value, not in
    the gradient.
    """

    needs_real = True

    def generator_loss(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """-log D(G(z)) - log(1 - D(x))."""
        return cross_entropy(fake.score, 1.0) + cross_entropy(given(real).score, 0.0)


class SigmoidTwice(NonSaturating):
    """The thesis's printed loss: the critic's probability is taken for a logit, so the sigmoid is applied twice.

    The critic's sigmoid output, clipped to [1e-7, 1 - 1e-7], goes into a cross-entropy that applies the sigmoid again.
    Both players' gradients vanish where the critic is sure: 2.3e-5 at a score of -10, where the right loss has 1.
    """

    def critic_loss(self, real: Criticism, fake: Criticism) -> Tensor:
        """As `NonSaturating`, of probabilities instead of scores."""
        return cross_entropy(_clipped(real.score), 1 - self.smoothing) + cross_entropy(
            _clipped(fake.score), 0
        )

    def generator_loss(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """As `NonSaturating`, of probabilities instead of scores."""
        return cross_entropy(_clipped(fake.score), 1.0)


def _clipped(score: Tensor) -> Tensor:
    return torch.sigmoid(score).clamp(1e-7, 1 - 1e-7)


LOSSES = (
    LossFamily("gan", "cross-entropy, the generator maximises log D(G(z)); Goodfellow et al. 2014", NonSaturating),
    LossFamily("minimax", "cross-entropy, the generator minimises log(1 - D(G(z))); the same paper", Minimax),
    LossFamily(
        "gan-printed", "cross-entropy with the sigmoid applied twice, as the thesis prints it", SigmoidTwice,
        recipe="dcgan-printed",
    ),
    LossFamily("ali", "cross-entropy, both terms for both players; thesis 3.1", LogBoth, recipe="ali"),
)  # fmt: skip
