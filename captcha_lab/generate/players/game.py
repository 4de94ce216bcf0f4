"""What one step of either player needs: the players, what they are shown, and the terms a recipe adds to its loss."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from captcha_lab.errors import UsageError
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.players import penalties, remedies
from captcha_lab.generate.players.draws import Draws, Pair
from captcha_lab.generate.players.players import Players
from captcha_lab.generate.recipe import SEMI, Recipe, half_cosine

Figures = dict[str, Tensor]


class Game:
    """The two players and their draws, with the terms that do not depend on the loss.

    Args:
        recipe: what is trained.
        players: networks and optimisers.
        draws: real images, noise, conditions.
        iterations: the length of the run, which the penalties' strength is tied to.
    """

    def __init__(self, recipe: Recipe, players: Players, draws: Draws, iterations: int) -> None:
        self.recipe = recipe
        self.players = players
        self.draws = draws
        self.iterations = iterations
        self.iteration = 0
        self.critic_updates = 0
        self.replay = remedies.Replay(recipe.replay) if recipe.replay else None
        self._real: Pair | None = None
        self._made: Pair | None = None
        self.noise_made = torch.empty(0, recipe.noise_size)  # of the images made last

    # Images

    def noise(self) -> Tensor:
        """Noise [n, Z]."""
        return self.draws.noise()

    @property
    def _generator_leads(self) -> bool:
        """The generator's step comes first, and the critic's uses the same images."""
        return self.recipe.generator_first and self.recipe.reuse_fake

    def draw_real(self) -> Pair:
        """Real images and their conditions for the critic's step: the next ones."""
        if self._generator_leads and self._real is not None:
            real, self._real = self._real, None
            return real
        self._real = self.draws.real()
        return self._real

    def real_again(self) -> Pair:
        """The real images that the critic was just shown, once; otherwise the next ones."""
        real = self._real or self.draws.real()
        self._real = real if self._generator_leads else None
        return real

    def make(self, real_condition: Tensor | None) -> Pair:
        """Generated images [n, C, H, W] and the conditions [n, K] they were made for."""
        condition = self.draws.condition(real_condition)
        self.noise_made = self.noise()
        return self.players.generate(self.noise_made, condition), condition

    def generated(self, real_condition: Tensor | None) -> Pair:
        """Generated images for the critic, which carry no gradient; some may be old ones."""
        if not self.recipe.reuse_fake:
            with torch.no_grad():
                fake = self.make(real_condition)
        elif self._generator_leads and self._made is not None:
            fake, self._made = self._made, None
        else:
            fake = self._made = self.make(real_condition)
        fake = fake[0].detach(), fake[1]
        return fake if self.replay is None else self.replay.mix(*fake, self.draws.rng)

    def made_again(self, real_condition: Tensor | None) -> Pair:
        """The generated images that the critic was just shown, with their gradient, once; otherwise new ones."""
        made = self._made or self.make(real_condition)
        self._made = made if self._generator_leads else None
        return made

    def end_iteration(self) -> None:
        """Nothing drawn in this iteration is used in the next."""
        self._real = self._made = None
        self.iteration += 1

    # Criticism

    def comparison(self, real: Pair, fake: Pair) -> list[Pair]:
        """What the critic is shown: real images, generated ones, and real ones with wrong labels where asked for."""
        generated = self.draws.moved(fake[0]), fake[1]
        images, condition = self.draws.moved(real[0]), real[1]
        pairs = [(images, condition), generated]
        if self.recipe.wrong_labels and condition is not None:
            pairs.append((images, self.draws.wrong(condition)))
        return pairs

    def judge(self, pairs: list[Pair], differentiable: bool = False) -> tuple[list[Criticism], list[Tensor]]:
        """One criticism for each batch, and the tensors their gradient is to be taken at, if it is.

        Critics that judge each image by itself see all in one pass; batch norm must not mix real and fake.
        """
        criticise = self.players.criticise
        if self.players.couples:
            if differentiable:
                pairs = [(images.requires_grad_(), condition) for images, condition in pairs]
            return [criticise(*pair) for pair in pairs], [images for images, _ in pairs]
        images = torch.cat([images for images, _ in pairs]).requires_grad_(differentiable)
        conditions = [condition for _, condition in pairs if condition is not None]
        whole = criticise(images, torch.cat(conditions) if conditions else None)
        return _split(whole, [len(images) for images, _ in pairs]), [images]

    @torch.no_grad()
    def judge_real(self, real: Pair) -> Criticism:
        """The criticism of real images for the generator's step."""
        return self.players.criticise(self.draws.moved(real[0].detach()), real[1])

    # Terms

    @property
    def penalises(self) -> bool:
        """Whether the critic's next step computes R1 and R2."""
        return bool(self.recipe.r1 or self.recipe.r2) and self._due

    @property
    def _due(self) -> bool:
        return self.critic_updates % self.recipe.penalty_every == 0

    def critic_terms(
        self, pairs: list[Pair], judged: list[Criticism], leaves: list[Tensor]
    ) -> Tensor | float:
        """What the critic minimises beside the loss: classifier and penalties. Each call counts as one step."""
        total = self._classified(pairs, judged)
        if self._due:
            total = total + self.recipe.penalty_every * self._penalty(pairs, judged, leaves)
        self.critic_updates += 1
        return total

    def generator_terms(
        self, fake: Criticism, real: Criticism | None, condition: Tensor | None
    ) -> Tensor | float:
        """What the generator minimises beside the loss, by way of the critic: feature matching and classifier."""
        recipe = self.recipe
        total: Tensor | float = 0.0
        if recipe.feature_matching and real is not None:
            total = recipe.feature_matching * remedies.feature_matching(real.features, fake.features)
        if recipe.auxiliary_weight and condition is not None:
            named = classification(_logits(fake), condition, self.draws.stream.exclusive)
            total = total + recipe.auxiliary_weight * named
        return total

    def _classified(self, pairs: list[Pair], judged: list[Criticism]) -> Tensor | float:
        """The classifier head's part of the critic's loss."""
        if self.recipe.conditioning == SEMI:
            images, known = self.draws.labelled()
            logits = _logits(self.players.criticise(self.draws.moved(images)))
            return self.recipe.auxiliary_weight * classification(logits, known, True)
        (_, condition), (_, fake_condition) = pairs[:2]
        if not self.recipe.auxiliary_weight or condition is None or fake_condition is None:
            return 0.0
        exclusive = self.draws.stream.exclusive
        term = classification(_logits(judged[0]), condition, exclusive)
        if self.recipe.auxiliary_on_fake:
            term = term + classification(_logits(judged[1]), fake_condition, exclusive)
        return self.recipe.auxiliary_weight * term

    def _penalty(self, pairs: list[Pair], judged: list[Criticism], leaves: list[Tensor]) -> Tensor | float:
        recipe = self.recipe
        total: Tensor | float = 0.0
        (real, condition), (fake, _) = pairs[:2]
        if recipe.gradient_penalty:
            criticise = partial(self.players.criticise, inference=recipe.penalty_inference)
            alpha = self.draws.uniform()
            penalty = penalties.gradient_penalty(criticise, real, fake.detach(), condition, alpha)
            total = total + recipe.gradient_penalty * penalty
        if recipe.r1 or recipe.r2:
            factor = penalty_factor(recipe, self.iteration, self.iterations)
            scores = judged[0].score.sum() + judged[1].score.sum()
            # Wrongly labelled real images, where there are any, come last and have no part in this.
            squares = penalties.squared_gradients(scores, leaves[:2])
            at_real, at_fake = squares[: len(real)].mean(), squares[len(real) :][: len(fake)].mean()
            total = total + factor / 2 * (recipe.r1 * at_real + recipe.r2 * at_fake)
        return total


def penalty_factor(recipe: Recipe, iteration: int, iterations: int) -> float:
    """What R1's and R2's gammas are multiplied by in an iteration: from 1 to `penalty_end` (Huang et al. 2024)."""
    return recipe.penalty_end + (1 - recipe.penalty_end) * half_cosine(iteration / iterations)


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


def _logits(judged: Criticism) -> Tensor:
    if judged.class_logits is None:
        raise UsageError("auxiliary_weight needs a critic with a classifier head (conditioning auxiliary).")
    return judged.class_logits


def _split(whole: Criticism, sizes: list[int]) -> list[Criticism]:
    """A criticism of several batches in a row as one for each."""
    columns = [[None] * len(sizes) if part is None else torch.split(part, sizes) for part in whole]
    return [Criticism(*parts) for parts in zip(*columns, strict=True)]
