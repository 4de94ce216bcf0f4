"""Adversarial losses: one small class each, one signature, every score larger for more real and never squashed."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from captcha_lab.errors import UsageError
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.networks.normalise import gather_batch


class Loss:
    """What the networks of a recipe minimise, and which networks that takes."""

    needs_real = False
    """The generator's loss looks at real images too."""
    saturates = False
    """Works on probabilities: a critic that is always right leaves the generator without a gradient."""
    wasserstein = False
    """Minus the critic's loss estimates the Wasserstein distance."""
    energy = False
    """The critic is an auto-encoder, whose error is the energy."""
    uses_encoder = False
    """A third network maps images to noise."""

    def state(self) -> dict[str, float]:
        """What the loss itself has learnt (the adaptive margin); empty for most."""
        return {}

    def restore(self, state: Mapping[str, float]) -> None:
        """Undo to a `state`."""


class Adversarial(Loss, ABC):
    """A loss of two players; both methods return a scalar (mean over the batch).

    Args of `critic`: the criticism of real and of generated images. Args of `generator`: the criticism of
    generated images, and of real ones where `needs_real` says so (else it may be None).
    """

    @abstractmethod
    def critic(self, real: Criticism, fake: Criticism) -> Tensor:
        """The critic's loss."""

    @abstractmethod
    def generator(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """The generator's loss."""


def cross_entropy(score: Tensor, target: float) -> Tensor:
    """Binary cross-entropy of sigmoid(score) with one target for all, mean; stable, as log(1 + e^s) - t s."""
    return (F.softplus(score) - target * score).mean()


class NonSaturating(Adversarial):
    """Goodfellow et al. 2014, section 3: the generator maximises log D(G(z)).

    Args:
        smoothing: real images have the target 1 - smoothing (Salimans et al. 2016, section 3.4).
    """

    saturates = True

    def __init__(self, smoothing: float = 0.0) -> None:
        self.smoothing = smoothing

    def critic(self, real: Criticism, fake: Criticism) -> Tensor:
        """-log D(x) - log(1 - D(G(z)))."""
        return cross_entropy(real.score, 1 - self.smoothing) + cross_entropy(fake.score, 0.0)

    def generator(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """-log D(G(z))."""
        return cross_entropy(fake.score, 1.0)


class Minimax(NonSaturating):
    """Goodfellow et al. 2014, eq. 1: the generator minimises log(1 - D(G(z))), which saturates early."""

    def generator(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """log(1 - D(G(z))), negative."""
        return -cross_entropy(fake.score, 0.0)


class LogBoth(NonSaturating):
    """The ALI/BiGAN form of the thesis, section 3.1: both terms for both players, signs exchanged.

    The generator's second term does not depend on a generator without an encoder: it is in the value, not in
    the gradient.
    """

    needs_real = True

    def generator(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """-log D(G(z)) - log(1 - D(x))."""
        return cross_entropy(fake.score, 1.0) + cross_entropy(_given(real).score, 0.0)


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

    def critic(self, real: Criticism, fake: Criticism) -> Tensor:
        """(r - 1)^2 + f^2, each a mean, times the factor."""
        return self._distance(real.score, 1.0) + self._distance(fake.score, 0.0)

    def generator(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """(f - 1)^2 times the factor."""
        return self._distance(fake.score, 1.0)


class Wasserstein(Adversarial):
    """Arjovsky et al. 2017, eq. 2 and 3; needs a constraint (clip, penalty, spectral norm) to mean a distance."""

    wasserstein = True

    def critic(self, real: Criticism, fake: Criticism) -> Tensor:
        """Mean f - mean r."""
        return fake.score.mean() - real.score.mean()

    def generator(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """-mean f."""
        return -fake.score.mean()


class Hinge(Adversarial):
    """Lim and Ye 2017, eq. 5: the critic stops caring about images beyond the margin 1."""

    def critic(self, real: Criticism, fake: Criticism) -> Tensor:
        """max(0, 1 - r) + max(0, 1 + f)."""
        return F.relu(1 - real.score).mean() + F.relu(1 + fake.score).mean()

    def generator(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """-mean f."""
        return -fake.score.mean()


class RelativisticPairing(Adversarial):
    """Jolicoeur-Martineau 2019; RpGAN of Huang et al. 2024, eq. 2, with f(t) = -log(1 + e^-t).

    Each real image is compared with one generated image; where there are more generated ones (wrong labels),
    the real ones go round.
    """

    needs_real = True

    @staticmethod
    def _pairs(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        if len(real) == len(fake):
            return real, fake
        return real.repeat(-(-len(fake) // len(real)))[: len(fake)], fake

    def critic(self, real: Criticism, fake: Criticism) -> Tensor:
        """log(1 + exp(f - r))."""
        r, f = self._pairs(real.score, fake.score)
        return F.softplus(f - r).mean()

    def generator(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """log(1 + exp(r - f))."""
        r, f = self._pairs(_given(real).score, fake.score)
        return F.softplus(r - f).mean()


class AdaptiveMargin(Adversarial):
    """MAGAN, Wang et al. 2017, algorithm 1: an auto-encoding critic, energy = -score, a margin that only falls.

    For the first `pretraining` steps the critic is only an auto-encoder of real images; then the margin is the
    mean energy of real images. After every `epoch` critic steps it falls to the epoch's mean energy of real
    images, if that is below both the margin and the energy of generated images, and the latter did not fall.
    (The paper's epoch is a pass over the data; counted in steps here so that the loss does not know the data. The
    paper pretrains the critic alone; here the generator's steps go on meanwhile, against an energy it can already
    lower.)
    """

    energy = True

    def __init__(self, pretraining: int = 50, epoch: int = 50) -> None:
        if pretraining < 1 or epoch < 1:
            raise UsageError("MAGAN's pretraining and epoch are numbers of critic steps, at least 1.")
        self.pretraining = pretraining
        self.epoch = epoch
        self._state = {"step": 0.0, "margin": 0.0, "real": 0.0, "fake": 0.0, "fake_before": -1.0}

    @property
    def margin(self) -> float:
        """Energies of generated images above this are left alone by the critic."""
        return self._state["margin"]

    def critic(self, real: Criticism, fake: Criticism) -> Tensor:
        """E(x) + max(0, m - E(G(z))); E(x) alone while pretraining. Each call is one step of the schedule."""
        energy_real, energy_fake = -real.score.mean(), -fake.score
        pretraining = self._state["step"] < self.pretraining
        loss = energy_real if pretraining else energy_real + F.relu(self.margin - energy_fake).mean()
        # The margin is one for all processes.
        self._count(
            float(-gather_batch(real.score.detach()).mean()), float(-gather_batch(fake.score.detach()).mean())
        )
        return loss

    def generator(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """E(G(z))."""
        return -fake.score.mean()

    def _count(self, real: float, fake: float) -> None:
        s = self._state
        s["step"] += 1
        s["real"] += real
        s["fake"] += fake
        trained = s["step"] - self.pretraining
        if trained == 0:
            s["margin"] = s["real"] / self.pretraining
        elif trained < 0 or trained % self.epoch:
            return
        else:
            mean_real, mean_fake = s["real"] / self.epoch, s["fake"] / self.epoch
            if mean_real < s["margin"] and mean_real < mean_fake and s["fake_before"] <= mean_fake:
                s["margin"] = mean_real
            s["fake_before"] = mean_fake
        s["real"] = s["fake"] = 0.0

    def state(self) -> dict[str, float]:
        """Margin, step and running sums."""
        return dict(self._state)

    def restore(self, state: Mapping[str, float]) -> None:
        """Undo to a `state`."""
        self._state = {key: float(state[key]) for key in self._state}


class ModeRegularised(NonSaturating):
    """Che et al. 2017, section 3.1: an encoder E, and G(E(x)) is drawn to the real x it came from.

    Args:
        distance: lambda_1, weight of the mean squared distance between x and G(E(x)) (pixels in [0, 1]).
        realism: lambda_2, weight of -log D(G(E(x))), which keeps the reconstruction a sample.
    """

    uses_encoder = True

    def __init__(self, distance: float = 10.0, realism: float = 0.4, smoothing: float = 0.0) -> None:
        super().__init__(smoothing)
        self.distance = distance
        self.realism = realism

    def regulariser(self, images: Tensor, rebuilt: Tensor, judged: Criticism) -> Tensor:
        """The term added to both generator and encoder: lambda_1 d(x, G(E(x))) - lambda_2 log D(G(E(x)))."""
        return self.distance * F.mse_loss(rebuilt, images) + self.realism * cross_entropy(judged.score, 1.0)


class EvidenceBound(Loss):
    """Variational auto-encoder, Kingma and Welling 2014, eq. 10 with a Bernoulli decoder (appendix C.1).

    There is no critic: encoder and generator together minimise minus the evidence lower bound.

    Args:
        beta: weight of the divergence (Higgins et al. 2017); 1 is the bound itself.
    """

    uses_encoder = True

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = beta

    def bound(self, images: Tensor, rebuilt: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Minus the bound per image, mean: cross-entropy over pixels in [0, 1] plus KL to N(0, 1), in nats."""
        # Halves of a saturated sigmoid would give log 0.
        pixels = F.binary_cross_entropy(rebuilt.clamp(1e-6, 1 - 1e-6), images, reduction="sum") / len(images)
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        return pixels + self.beta * divergence


LOSSES: dict[str, type[Loss]] = {
    "gan": NonSaturating,
    "minimax": Minimax,
    "lsgan": LeastSquares,
    "ali": LogBoth,
    "wgan": Wasserstein,
    "hinge": Hinge,
    "rpgan": RelativisticPairing,
    "magan": AdaptiveMargin,
    "mrgan": ModeRegularised,
    "vae": EvidenceBound,
}


def make_loss(name: str, options: Mapping[str, Any]) -> Loss:
    """The loss of that name.

    Raises:
        UsageError: no such loss, or an option it does not have.
    """
    if name not in LOSSES:
        raise UsageError(f"No loss {name!r}: choose one of {', '.join(LOSSES)}.")
    known = [p for p in inspect.signature(LOSSES[name]).parameters if p not in ("args", "kwargs")]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise UsageError(
            f"The loss {name} has no option {', '.join(unknown)}; it has: {', '.join(known) or 'none'}."
        )
    return LOSSES[name](**options)


def classification(logits: Tensor, condition: Tensor, exclusive: bool) -> Tensor:
    """The auxiliary classifier's loss (AC-GAN, Odena et al. 2017, eq. 3), mean over images.

    Args:
        logits: [N, K].
        condition: [N, K]; one-hot where `exclusive`, 0/1 attributes otherwise.
        exclusive: softmax over classes, else one sigmoid per attribute (mean over attributes).
    """
    if exclusive:
        return F.cross_entropy(logits, condition)
    return F.binary_cross_entropy_with_logits(logits, condition)


def _given(real: Criticism | None) -> Criticism:
    if real is None:
        raise ValueError("this loss needs the criticism of real images for the generator too")
    return real
