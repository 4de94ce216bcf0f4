"""What a loss is: the steps both players take, and for most losses the two formulas that those steps minimise.

A module of this package with a `LOSSES` tuple is in the registry; nothing else has to be touched. Scores are larger for
more real and never through a sigmoid.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from captcha_lab.errors import UsageError
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.players.draws import Pair
from captcha_lab.generate.players.game import Figures, Game
from captcha_lab.generate.recipe import Recipe


class Loss(ABC):
    """What the networks of a recipe minimise, the steps that minimise it, and which networks that takes."""

    critic: str = "score"
    """The form of critic it needs: score, energy (minus the error of an auto-encoder) or none."""
    uses_encoder = False
    """A third network maps images to noise."""
    saturates = False
    """Works on probabilities: a critic that is always right leaves the generator without a gradient."""

    def critic_step(self, game: Game) -> Figures:
        """One step of the critic; returns scalars to log. A loss without a critic does nothing here."""
        return {}

    @abstractmethod
    def generator_step(self, game: Game) -> Figures:
        """One step of the generator (and encoder); returns scalars to log."""

    def joint_step(self, game: Game) -> Figures:
        """One step of both players from one forward pass, where a recipe's steps are simultaneous."""
        raise UsageError(f"The loss {game.recipe.loss} has no simultaneous steps: leave `simultaneous` away.")

    def state(self) -> dict[str, float]:
        """What the loss itself has learnt (an adaptive margin); empty for most."""
        return {}

    def restore(self, state: Mapping[str, float]) -> None:
        """Continue from a `state`; without one of its own there is nothing to do."""
        return


class Adversarial(Loss, ABC):
    """A loss of two players given by two formulas, each a scalar (mean over the batch)."""

    needs_real = False
    """The generator's formula needs real images too."""
    estimate = "score_gap"
    """What the difference of the mean scores is called in the log."""

    @abstractmethod
    def critic_loss(self, real: Criticism, fake: Criticism) -> Tensor:
        """What the critic minimises, from the criticism of real and of generated images."""

    @abstractmethod
    def generator_loss(self, fake: Criticism, real: Criticism | None = None) -> Tensor:
        """What the generator minimises, from the criticism of generated images and, where `needs_real`, real ones."""

    def regulariser(self, game: Game, real: Pair) -> Tensor | float:
        """A further term of the generator's loss, from a batch of real images."""
        return 0.0

    def critic_step(self, game: Game) -> Figures:
        """Real against generated images, and the terms that the recipe adds."""
        real = game.draw_real()
        pairs = game.comparison(real, game.generated(real[1]))
        judged, leaves = game.judge(pairs, differentiable=game.penalises)
        total, figures = self.criticised(game, pairs, judged, leaves)
        game.players.step_critic(total)
        return figures

    def criticised(
        self, game: Game, pairs: list[Pair], judged: list[Criticism], leaves: list[Tensor]
    ) -> tuple[Tensor, Figures]:
        """The critic's whole loss and the figures of the step, from what it said of each batch (see `Game.judge`)."""
        negative = judged[1] if len(judged) == 2 else joined(judged[1:])
        adversarial = self.critic_loss(judged[0], negative)
        total = adversarial + game.critic_terms(pairs, judged, leaves)
        r, f = judged[0].score.detach(), judged[1].score.detach()
        probabilities = {"real_probability": r.sigmoid().mean(), "fake_probability": f.sigmoid().mean()}
        return total, {
            "critic_loss": adversarial.detach(),
            "real_score": r.mean(),
            "fake_score": f.mean(),
            self.estimate: r.mean() - f.mean(),
            "critic_accuracy": (r > f).float().mean(),
            **(probabilities if self.saturates else {}),
        }

    def generator_step(self, game: Game) -> Figures:
        """Generated images against the critic, and the terms that the recipe adds."""
        real = game.real_again()
        fake, condition = game.made_again(real[1])
        judged = game.players.criticise(game.draws.moved(fake), condition)
        total, figures = self.generated(game, real, judged, condition)
        return figures | {"generator_gradient": game.players.step_generator(total)}

    def generated(
        self, game: Game, real: Pair, judged: Criticism, condition: Tensor | None
    ) -> tuple[Tensor, Figures]:
        """The generator's whole loss and the figures of the step, from the criticism of its images."""
        judged_real = game.judge_real(real) if self.needs_real or game.recipe.feature_matching else None
        adversarial = self.generator_loss(judged, judged_real)
        total = game.recipe.adversarial_weight * adversarial
        total = total + game.generator_terms(judged, judged_real, condition)
        total = total + self.regulariser(game, (real[0].detach(), real[1]))
        return total, {"generator_loss": adversarial.detach()}

    def joint_step(self, game: Game) -> Figures:
        """Both players step from one criticism of real and generated images, at the same weights."""
        real = game.draw_real()
        fake = game.make(real[1])
        pairs = game.comparison(real, fake)
        judged, leaves = game.judge(pairs, differentiable=game.penalises)
        total, figures = self.criticised(game, pairs, judged, leaves)
        of_generator, more = self.generated(game, real, judged[1], fake[1])
        return figures | more | {"generator_gradient": game.players.step_both(total, of_generator)}


def _same_networks(recipe: Recipe, name: str) -> Recipe:
    """The recipe with that loss and nothing else changed."""
    return replace(recipe, loss=name, loss_options={})


@dataclass(frozen=True)
class LossFamily:
    """One entry of the registry of losses."""

    name: str
    """What `--loss` and `Recipe.loss` call it."""
    summary: str
    """One line, with its source."""
    build: Callable[..., Loss]
    """Its keyword options are `Recipe.loss_options`."""
    recipe: str = "dcgan"
    """The source's own recipe with this loss, for glyphs and digits: what `--loss NAME` means where none is ours."""
    glyph_recipe: str | None = None
    """Ours with this loss, for dark glyphs on light paper: what `--loss NAME` means for them."""
    face_recipe: str | None = "face-dcgan"
    """The same for faces; None: it needs networks that there are none of for faces."""
    apply: Callable[[Recipe, str], Recipe] = _same_networks
    """A recipe changed to use the loss of that name, with whatever else of the recipe the loss needs."""
    exclusive_options: Mapping[str, Any] = field(default_factory=dict)
    """Network options that `apply` sets and that go again when another loss is chosen."""
    labelled: bool = False
    """It needs labels: `--no-label` contradicts it."""


def cross_entropy(score: Tensor, target: float) -> Tensor:
    """Binary cross-entropy of sigmoid(score) with one target for all, mean; stable, as log(1 + e^s) - t s."""
    return (F.softplus(score) - target * score).mean()


def given(real: Criticism | None) -> Criticism:
    """The criticism of real images, which the loss asked for (ValueError without)."""
    if real is None:
        raise ValueError("this loss needs the criticism of real images for the generator too")
    return real


def joined(parts: list[Criticism]) -> Criticism:
    """Several criticisms as one batch (only scores and features: what losses read)."""
    return Criticism(torch.cat([p.score for p in parts]), torch.cat([p.features for p in parts]))
