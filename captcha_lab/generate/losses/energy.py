"""Losses of critics that are auto-encoders, whose error is an energy, low for real images: MAGAN and BEGAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from captcha_lab.errors import UsageError
from captcha_lab.generate.losses.base import Adversarial, LossFamily
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.networks.parts.normalise import gather_batch
from captcha_lab.generate.recipe import Recipe

AUTOENCODER = {"critic": "autoencoder"}  # the option of the networks that have such a critic


class AdaptiveMargin(Adversarial):
    """MAGAN, Wang et al. 2017, algorithm 1: an auto-encoding critic, energy = -score, a margin that only falls.

    For the first `pretraining` steps the critic is only an auto-encoder of real images; then the margin is the
    mean energy of real images. After every `epoch` critic steps it falls to the epoch's mean energy of real
    images, if that is below both the margin and the energy of generated images, and the latter did not fall.
    (The paper's epoch is a pass over the data; counted in steps here so that the loss does not know the data. The
    paper pretrains the critic alone; here the generator's steps go on meanwhile, against an energy it can already
    lower.)
    """

    critic = "energy"

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

    def critic_loss(self, real: Criticism, fake: Criticism) -> Tensor:
        """E(x) + max(0, m - E(G(z))); E(x) alone while pretraining. Each call is one step of the schedule."""
        energy_real, energy_fake = -real.score.mean(), -fake.score
        pretraining = self._state["step"] < self.pretraining
        loss = energy_real if pretraining else energy_real + F.relu(self.margin - energy_fake).mean()
        # The margin is one for all processes.
        self._count(
            float(-gather_batch(real.score.detach()).mean()), float(-gather_batch(fake.score.detach()).mean())
        )
        return loss

    def generator_loss(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
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


class Equilibrium(Adversarial):
    """BEGAN, Berthelot et al. 2017, section 3.4, with the squared error (eta = 2) as energy E = -score.

    The critic minimises E(x) - k E(G(z)), the generator E(G(z)); after each critic step k moves by
    `rate` (`balance` E(x) - E(G(z))), held in [0, 1], so that the critic neither wins nor loses.

    Args:
        balance: gamma, the ratio E(G(z)) / E(x) that is aimed at; smaller = better images, less variety.
        rate: lambda_k, the proportional gain.
    """

    critic = "energy"

    def __init__(self, balance: float = 0.5, rate: float = 0.001) -> None:
        if not 0 <= balance <= 1 or rate <= 0:
            raise UsageError("BEGAN's balance is in [0, 1] and its rate above 0.")
        self.balance = balance
        self.rate = rate
        self.k = 0.0

    def critic_loss(self, real: Criticism, fake: Criticism) -> Tensor:
        """E(x) - k E(G(z)); each call moves k."""
        loss = -real.score.mean() + self.k * fake.score.mean()
        # k is one for all processes.
        at_real = float(-gather_batch(real.score.detach()).mean())
        at_fake = float(-gather_batch(fake.score.detach()).mean())
        self.k = min(1.0, max(0.0, self.k + self.rate * (self.balance * at_real - at_fake)))
        return loss

    def generator_loss(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """E(G(z))."""
        return -fake.score.mean()

    def state(self) -> dict[str, float]:
        """The weight k of generated images."""
        return {"k": self.k}

    def restore(self, state: Mapping[str, float]) -> None:
        """Undo to a `state`."""
        self.k = float(state["k"])


def autoencoding(recipe: Recipe, name: str) -> Recipe:
    """The recipe with the loss and, on the thesis's networks, their auto-encoding critic."""
    options = {**recipe.options, **AUTOENCODER} if recipe.network == "dcgan" else recipe.options
    return replace(recipe, loss=name, loss_options={}, options=options)


LOSSES = (
    LossFamily(
        "magan", "an energy with a margin that adapts; Wang et al. 2017", AdaptiveMargin,
        recipe="magan", face_recipe=None, apply=autoencoding, exclusive_options=AUTOENCODER,
    ),
    LossFamily(
        "began", "an energy kept in balance between real and generated; Berthelot et al. 2017", Equilibrium,
        recipe="began", face_recipe=None, apply=autoencoding, exclusive_options=AUTOENCODER,
    ),
)  # fmt: skip
