"""Losses with an encoder: mode regularisation, and the variational auto-encoder, which has no critic."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from captcha_lab.errors import UsageError
from captcha_lab.generate.losses.base import Loss, LossFamily, cross_entropy
from captcha_lab.generate.losses.gan import NonSaturating
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.pixels import unit
from captcha_lab.generate.players.draws import Pair
from captcha_lab.generate.players.game import Figures, Game


class ModeRegularised(NonSaturating):
    """Che et al. 2017, section 3.1: an encoder E, and G(E(x)) is drawn to the real x it came from.

    Args:
        distance: lambda_1, weight of the mean squared distance between x and G(E(x)) (pixels in [0, 1]).
        realism: lambda_2, weight of -log D(G(E(x))), which keeps the reconstruction a sample.
        smoothing: see `NonSaturating`.
    """

    uses_encoder = True

    def __init__(self, distance: float = 10.0, realism: float = 0.4, smoothing: float = 0.0) -> None:
        super().__init__(smoothing)
        self.distance = distance
        self.realism = realism

    def reconstruction(self, images: Tensor, rebuilt: Tensor, judged: Criticism) -> Tensor:
        """The term added to both generator and encoder: lambda_1 d(x, G(E(x))) - lambda_2 log D(G(E(x)))."""
        return self.distance * F.mse_loss(rebuilt, images) + self.realism * cross_entropy(judged.score, 1.0)

    def regulariser(self, game: Game, real: Pair) -> Tensor | float:
        """See `reconstruction`; the images are encoded and generated again."""
        players, (images, condition) = game.players, real
        rebuilt = players.generate(players.encode(images, condition).mean, condition)
        limits = game.recipe.output_range
        judged = players.criticise(rebuilt, condition)
        return self.reconstruction(unit(images, limits), unit(rebuilt, limits), judged)


class EvidenceBound(Loss):
    """Variational auto-encoder, Kingma and Welling 2014, eq. 10 with a Bernoulli decoder (appendix C.1).

    There is no critic: encoder and generator together minimise minus the evidence lower bound.

    Args:
        beta: weight of the divergence (Higgins et al. 2017); 1 is the bound itself.
    """

    critic = "none"
    uses_encoder = True

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = beta

    def bound(self, images: Tensor, rebuilt: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Minus the bound per image, mean: cross-entropy over pixels in [0, 1] plus KL to N(0, 1), in nats."""
        # Halves of a saturated sigmoid would give log 0.
        pixels = F.binary_cross_entropy(rebuilt.clamp(1e-6, 1 - 1e-6), images, reduction="sum") / len(images)
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        return pixels + self.beta * divergence

    def generator_step(self, game: Game) -> Figures:
        """Encoder and generator together."""
        players, (real, condition) = game.players, game.draw_real()
        mean, log_variance = players.encode(real, condition)
        if log_variance is None:
            raise UsageError(
                f"The encoder of {players.spec.family} is not variational: choose another network."
            )
        rebuilt = players.generate(mean + game.noise() * (log_variance / 2).exp(), condition)
        limits = game.recipe.output_range
        total = self.bound(unit(real, limits), unit(rebuilt, limits), mean, log_variance)
        norm = players.step_generator(total)
        return {"generator_loss": total.detach(), "generator_gradient": norm}


LOSSES = (
    LossFamily(
        "mrgan", "cross-entropy with an encoder that keeps modes; Che et al. 2017", ModeRegularised,
        recipe="mrgan", face_recipe=None,
    ),
    LossFamily(
        "vae", "variational auto-encoder, no critic; Kingma and Welling 2014", EvidenceBound,
        recipe="pml-vae", face_recipe=None,
    ),
)  # fmt: skip
