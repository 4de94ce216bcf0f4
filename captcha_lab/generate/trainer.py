"""One iteration of any recipe: the networks, their optimisers and everything random, as one resumable object."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from captcha_lab.errors import UsageError
from captcha_lab.generate import augment, conditioning, constraints, remedies
from captcha_lab.generate.batches import Batches
from captcha_lab.generate.losses import EvidenceBound, ModeRegularised, classification
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.optimisers import set_rate
from captcha_lab.generate.parallel import Group
from captcha_lab.generate.pixels import to_network, unit
from captcha_lab.generate.players import Players, network_spec
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.schedule import StepRule, learning_rate_factor, penalty_factor

Figures = dict[str, Tensor]
Pair = tuple[Tensor, Tensor | None]  # images and their conditions


class Trainer(Players):
    """Trains the networks of one recipe on one stream of batches.

    Args:
        recipe: what to train.
        batches: what to train on.
        iterations: the length of the run, which schedules are tied to.
        seed: of the first weights, noise, labels and dropout.
        device: "cpu", "cuda", …
        group: this process among others.
        precision: "bfloat16": networks multiply in it where that is safe; weights and losses stay as they are.

    Raises:
        UsageError: parts of the recipe that can't go together.
    """

    def __init__(
        self,
        recipe: Recipe,
        batches: Batches,
        iterations: int,
        seed: int = 0,
        device: str = "cpu",
        group: Group | None = None,
        precision: str = "float32",
    ) -> None:
        spec = network_spec(recipe, batches.image_shape, batches.names)
        super().__init__(recipe, spec, seed, device, group or Group(), precision)
        self.batches = batches
        self.iterations = iterations
        self.names = batches.names if recipe.labelled else ()
        self.rng = torch.Generator().manual_seed(seed)
        self.part = self.group.part(recipe.batch_size)
        self.rule = StepRule(recipe)
        self.replay = remedies.Replay(recipe.replay_size, recipe.replay) if recipe.replay else None
        self.iteration = 0
        self.critic_updates = 0
        self._real: Pair | None = None
        self._made: Pair | None = None

    def iterate(self) -> Figures:
        """One iteration: as many critic and generator steps as the schedule says.

        Returns:
            Scalars on the device: losses, mean scores, share of pairs the critic orders rightly.
        """
        recipe = self.recipe
        factor = learning_rate_factor(recipe, self.iteration, self.iterations)
        if recipe.schedule != "constant" or recipe.warmup:
            set_rate(self.generator_optimiser, factor)
            if self.critic is not None:
                set_rate(self.critic_optimiser, factor)
        critic_steps, generator_steps = self.rule.steps(self.iteration)
        if self.critic is None:
            figures = self._many(self._bound_step, max(1, generator_steps))
        elif recipe.generator_first:
            figures = self._many(self._generator_step, generator_steps)
            figures |= self._many(self._critic_step, critic_steps)
        else:
            figures = self._many(self._critic_step, critic_steps)
            figures |= self._many(self._generator_step, generator_steps)
        if self.rule.watching:
            self.rule.observe(self.iteration, float(self.group.mean([figures["critic_loss"]])[0]))
        self._real = self._made = None
        self.iteration += 1
        return figures

    @staticmethod
    def _many(one_step: Any, times: int) -> Figures:
        figures: Figures = {}
        for _ in range(times):
            figures = one_step()
        return figures

    # Drawing

    def noise(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Noise [n, Z] on the CPU as the recipe draws it."""
        return draw_noise(self.recipe.noise, n, self.recipe.noise_size, rng or self.rng)

    def _mine(self, values: Tensor) -> Tensor:
        """This process's part of a globally drawn batch, on the device."""
        return values[self.part].to(self.device)

    def _draw_real(self) -> tuple[Tensor, Tensor | None]:
        """This process's batch of real images [n, C, H, W] and their conditions [n, K], on the device."""
        images, condition = self.batches.next(self.part.stop - self.part.start)
        size = self.spec.image_shape[1:]
        real = to_network(images, self.recipe.output_range, size).to(self.device)
        if self.recipe.flips:
            real = augment.mirrored(real, self._mine(torch.rand(self.recipe.batch_size, generator=self.rng)))
        self._real = (
            real,
            None if condition is None or not self.names else self._told(condition),
        )
        return self._real

    def _told(self, condition: np.ndarray) -> Tensor:
        return torch.from_numpy(condition).to(self.device, torch.get_default_dtype())

    def _moved(self, images: Tensor) -> Tensor:
        """The images [n, C, H, W] as the critic is to see them."""
        if not self.recipe.translation:
            return images
        draws = self._mine(torch.rand(self.recipe.batch_size, 2, generator=self.rng))
        return augment.moved(images, draws, self.recipe.translation)

    def _fakes(self, real_condition: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Generated images [n, C, H, W] and the conditions [N, K] they were made for."""
        n = self.recipe.batch_size
        condition = real_condition
        if condition is not None and self.recipe.fake_labels == "uniform":
            condition = self._mine(conditioning.uniform_classes(n, len(self.names), self.rng))
        return self.generate(self._mine(self.noise(n)), condition), condition

    # The critic

    def _critic_step(self) -> Figures:
        recipe = self.recipe
        real, condition = self._draw_real()
        fake, fake_condition = self._shown(condition)
        if self.replay is not None:
            fake, fake_condition = self.replay.mix(fake, fake_condition, self.rng)
        real, fake = self._moved(real), self._moved(fake)
        penalise = self.critic_updates % recipe.penalty_every == 0
        pairs = [(real, condition), (fake, fake_condition)]
        if recipe.wrong_labels and condition is not None:
            draws = self._mine(torch.rand(recipe.batch_size, generator=self.rng))
            pairs.append((real, conditioning.wrong_condition(condition, self.batches.exclusive, draws)))
        judged, leaves = self._judge(pairs, differentiable=penalise and bool(recipe.r1 or recipe.r2))
        negative = judged[1] if len(judged) == 2 else _joined(judged[1:])
        adversarial = self.loss.critic(judged[0], negative)
        total = adversarial + self._classified(judged[0], condition, judged[1], fake_condition)
        if penalise:
            total = total + recipe.penalty_every * self._penalty(pairs, judged, leaves)
        self.step_critic(total)
        self.critic_updates += 1
        r, f = judged[0].score.detach(), judged[1].score.detach()
        return {
            "critic_loss": adversarial.detach(),
            "real_score": r.mean(),
            "fake_score": f.mean(),
            "wasserstein": r.mean() - f.mean(),
            "critic_accuracy": (r > f).float().mean(),
        }

    def _shown(self, condition: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Generated images for the critic, which carry no gradient."""
        if not self.recipe.reuse_fake:
            with torch.no_grad():
                return self._fakes(condition)
        self._made = self._fakes(condition)
        return self._made[0].detach(), self._made[1]

    def _judge(self, pairs: list[Pair], differentiable: bool = False) -> tuple[list[Criticism], list[Tensor]]:
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
            alpha = self._mine(torch.rand(recipe.batch_size, generator=self.rng))
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

    # The generator

    def _generator_step(self) -> Figures:
        recipe = self.recipe
        real, condition = self._real or self._draw_real()
        self._real = None  # the next step of this iteration draws its own
        fake, fake_condition = self._made or self._fakes(condition)
        self._made = None
        judged = self.criticise(self._moved(fake), fake_condition)
        judged_real = None
        if self.loss.needs_real or recipe.feature_matching:
            with torch.no_grad():
                judged_real = self.criticise(self._moved(real.detach()), condition)
        adversarial = self.loss.generator(judged, judged_real)
        total = recipe.adversarial_weight * adversarial
        if recipe.feature_matching and judged_real is not None:
            matched = remedies.feature_matching(judged_real.features, judged.features)
            total = total + recipe.feature_matching * matched
        if recipe.auxiliary_weight and fake_condition is not None:
            named = classification(_logits(judged), fake_condition, self.batches.exclusive)
            total = total + recipe.auxiliary_weight * named
        if isinstance(self.loss, ModeRegularised):
            total = total + self._regulariser(self.loss, real.detach(), condition)
        norm = self.step_generator(total)
        return {"generator_loss": adversarial.detach(), "generator_gradient": norm}

    def _regulariser(self, loss: ModeRegularised, real: Tensor, condition: Tensor | None) -> Tensor:
        rebuilt = self.generate(self.encode(real, condition).mean, condition)
        limits = self.recipe.output_range
        return loss.regulariser(unit(real, limits), unit(rebuilt, limits), self.criticise(rebuilt, condition))

    def _bound_step(self) -> Figures:
        """Variational auto-encoder: encoder and generator together, no critic."""
        assert isinstance(self.loss, EvidenceBound)
        real, condition = self._draw_real()
        mean, log_variance = self.encode(real, condition)
        if log_variance is None:
            raise UsageError(f"The encoder of {self.spec.family} is not variational: choose another network.")
        noise = self._mine(self.noise(self.recipe.batch_size))
        rebuilt = self.generate(mean + noise * (log_variance / 2).exp(), condition)
        limits = self.recipe.output_range
        total = self.loss.bound(unit(real, limits), unit(rebuilt, limits), mean, log_variance)
        norm = self.step_generator(total)
        return {"generator_loss": total.detach(), "generator_gradient": norm}

    # Resuming

    def state(self) -> dict[str, Any]:
        """Everything the next iteration depends on."""
        return {
            **self.players_state(),
            "iteration": self.iteration,
            "critic_updates": self.critic_updates,
            "replay": None if self.replay is None else self.replay.state(),
            "rule": self.rule.state(),
            "batches": self.batches.state(),
            "rng": self.rng.get_state(),
            "global_rng": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a `state` as if nothing had happened."""
        self.restore_players(state)
        self.iteration = int(state["iteration"])
        self.critic_updates = int(state["critic_updates"])
        if self.replay is not None:
            self.replay.restore(state["replay"])
        self.rule.restore(state["rule"])
        self.batches.restore(state["batches"])
        self.rng.set_state(state["rng"])
        torch.set_rng_state(state["global_rng"])


def draw_noise(kind: str, n: int, size: int, rng: torch.Generator) -> Tensor:
    """Noise [n, size]: N(0, 1) for "normal", U(-1, 1) for "uniform"."""
    if kind == "uniform":
        return torch.rand(n, size, generator=rng) * 2 - 1
    return torch.randn(n, size, generator=rng)


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
