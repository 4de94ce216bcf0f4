"""What the players of a recipe minimise: its loss, classifier, penalties and matching terms put together."""

from __future__ import annotations

import torch
from torch import Tensor

from captcha_lab.errors import UsageError
from captcha_lab.generate import conditioning
from captcha_lab.generate.losses import constraints, remedies
from captcha_lab.generate.losses.losses import Adversarial, ModeRegularised, classification
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.pixels import unit
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.training import augment
from captcha_lab.generate.training.batches import Batches
from captcha_lab.generate.training.players import Players, network_spec
from captcha_lab.generate.training.schedule import penalty_factor
from captcha_lab.parallel import Group

Figures = dict[str, Tensor]
Pair = tuple[Tensor, Tensor | None]  # images and their conditions


class Objectives(Players):
    """The terms of both players' losses, each from the parts that the recipe names.

    Args:
        recipe: what is trained.
        batches: the data, which says what a condition is.
        iterations: the length of the run, which the penalties' strength is tied to.
        seed: of the first weights and of every draw.
        device: "cpu", "cuda", …
        group: this process among others.
        precision: see `Players`.

    Raises:
        UsageError: parts of the recipe that can't go together.
    """

    def __init__(
        self,
        recipe: Recipe,
        batches: Batches,
        iterations: int,
        seed: int,
        device: str,
        group: Group,
        precision: str,
    ) -> None:
        spec = network_spec(recipe, batches.image_shape, batches.names)
        super().__init__(recipe, spec, seed, device, group, precision)
        self.batches = batches
        self.iterations = iterations
        self.iteration = 0
        self.critic_updates = 0
        self.rng = torch.Generator().manual_seed(seed)
        self.part = self.group.part(recipe.batch_size)

    def mine(self, values: Tensor) -> Tensor:
        """This process's part of a globally drawn batch, on the device."""
        return values[self.part].to(self.device)

    def moved(self, images: Tensor) -> Tensor:
        """The images [n, C, H, W] as the critic is to see them."""
        if not self.recipe.translation:
            return images
        draws = self.mine(torch.rand(self.recipe.batch_size, 2, generator=self.rng))
        return augment.moved(images, draws, self.recipe.translation)

    # The critic

    @property
    def penalises(self) -> bool:
        """Whether the critic's next step computes R1 and R2."""
        return bool(self.recipe.r1 or self.recipe.r2) and self.critic_updates % self.recipe.penalty_every == 0

    def pairs(self, real: Pair, fake: Pair) -> list[Pair]:
        """What the critic is shown: real images, generated ones, and real ones with wrong labels where asked for."""
        images, condition = self.moved(real[0]), real[1]
        pairs = [(images, condition), fake]
        if self.recipe.wrong_labels and condition is not None:
            draws = self.mine(torch.rand(self.recipe.batch_size, generator=self.rng))
            wrong = conditioning.wrong_condition(condition, self.batches.exclusive, draws)
            pairs.append((images, wrong))
        return pairs

    def judge(self, pairs: list[Pair], differentiable: bool = False) -> tuple[list[Criticism], list[Tensor]]:
        """One criticism for each batch, and the tensors their gradient is to be taken at, if it is.

        Critics that look at one image at a time judge all in one pass; batch norm must not mix real and fake.
        """
        if self.couples:
            if differentiable:
                pairs = [(images.requires_grad_(), condition) for images, condition in pairs]
            return [self.criticise(*pair) for pair in pairs], [images for images, _ in pairs]
        images = torch.cat([images for images, _ in pairs]).requires_grad_(differentiable)
        conditions = [condition for _, condition in pairs if condition is not None]
        whole = self.criticise(images, torch.cat(conditions) if conditions else None)
        return _split(whole, [len(images) for images, _ in pairs]), [images]

    def _classified(
        self, real: Criticism, condition: Tensor | None, fake: Criticism, fake_condition: Tensor | None
    ) -> Tensor | float:
        """The classifier head's part of the critic's loss."""
        weight = self.recipe.auxiliary_weight
        if not weight or condition is None or fake_condition is None:
            return 0.0
        exclusive = self.batches.exclusive
        term = classification(_logits(real), condition, exclusive)
        if self.recipe.auxiliary_on_fake:
            term = term + classification(_logits(fake), fake_condition, exclusive)
        return weight * term

    def _penalty(self, pairs: list[Pair], judged: list[Criticism], leaves: list[Tensor]) -> Tensor | float:
        recipe = self.recipe
        total: Tensor | float = 0.0
        (real, condition), (fake, _) = pairs[:2]
        if recipe.gradient_penalty:
            alpha = self.mine(torch.rand(recipe.batch_size, generator=self.rng))
            penalty = constraints.gradient_penalty(self.criticise, real, fake, condition, alpha)
            total = total + recipe.gradient_penalty * penalty
        if recipe.r1 or recipe.r2:
            factor = penalty_factor(recipe, self.iteration, self.iterations)
            scores = judged[0].score.sum() + judged[1].score.sum()
            # Wrongly labelled real images, where there are any, come last and have no part in this.
            squares = constraints.squared_gradients(scores, leaves[:2])
            at_real, at_fake = squares[: len(real)].mean(), squares[len(real) :][: len(fake)].mean()
            total = total + factor / 2 * (recipe.r1 * at_real + recipe.r2 * at_fake)
        return total

    def critic_loss(
        self, pairs: list[Pair], judged: list[Criticism], leaves: list[Tensor]
    ) -> tuple[Tensor, Figures]:
        """What the critic minimises, and the figures of the step."""
        assert isinstance(self.loss, Adversarial)
        recipe = self.recipe
        negative = judged[1] if len(judged) == 2 else _joined(judged[1:])
        adversarial = self.loss.critic(judged[0], negative)
        total = adversarial + self._classified(judged[0], pairs[0][1], judged[1], pairs[1][1])
        if self.critic_updates % recipe.penalty_every == 0:
            total = total + recipe.penalty_every * self._penalty(pairs, judged, leaves)
        self.critic_updates += 1
        r, f = judged[0].score.detach(), judged[1].score.detach()
        return total, {
            "critic_loss": adversarial.detach(),
            "real_score": r.mean(),
            "fake_score": f.mean(),
            "wasserstein" if self.loss.wasserstein else "score_gap": r.mean() - f.mean(),
            "critic_accuracy": (r > f).float().mean(),
        }

    # The generator

    def generator_loss(
        self, fake: Criticism, real: Criticism | None, condition: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The adversarial loss, and all that the generator minimises by way of the critic."""
        assert isinstance(self.loss, Adversarial)
        recipe = self.recipe
        adversarial = self.loss.generator(fake, real)
        total = recipe.adversarial_weight * adversarial
        if recipe.feature_matching and real is not None:
            total = total + recipe.feature_matching * remedies.feature_matching(real.features, fake.features)
        if recipe.auxiliary_weight and condition is not None:
            named = classification(_logits(fake), condition, self.batches.exclusive)
            total = total + recipe.auxiliary_weight * named
        return adversarial, total

    def regulariser(self, loss: ModeRegularised, real: Tensor, condition: Tensor | None) -> Tensor:
        """The mode regulariser's term for real images [n, C, H, W]."""
        rebuilt = self.generate(self.encode(real, condition).mean, condition)
        limits = self.recipe.output_range
        return loss.regulariser(unit(real, limits), unit(rebuilt, limits), self.criticise(rebuilt, condition))


def _logits(judged: Criticism) -> Tensor:
    if judged.class_logits is None:
        raise UsageError("auxiliary_weight needs a critic with a classifier head (conditioning auxiliary).")
    return judged.class_logits


def _split(whole: Criticism, sizes: list[int]) -> list[Criticism]:
    """A criticism of several batches in a row as one for each."""
    columns = [[None] * len(sizes) if part is None else part.split(sizes) for part in whole]
    return [Criticism(*parts) for parts in zip(*columns, strict=True)]


def _joined(parts: list[Criticism]) -> Criticism:
    """Several criticisms as one batch (only scores and features: what losses read)."""
    return Criticism(torch.cat([p.score for p in parts]), torch.cat([p.features for p in parts]))
