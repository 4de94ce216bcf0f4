"""One iteration of any recipe: the networks, their optimisers and everything random, as one resumable object."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from captcha_lab.errors import UsageError
from captcha_lab.generate import conditioning
from captcha_lab.generate.losses import remedies
from captcha_lab.generate.losses.losses import EvidenceBound, ModeRegularised
from captcha_lab.generate.losses.objectives import Figures, Objectives, Pair
from captcha_lab.generate.pixels import to_network, unit
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.training import augment
from captcha_lab.generate.training.batches import Batches
from captcha_lab.generate.training.optimisers import set_rate
from captcha_lab.generate.training.schedule import StepRule, learning_rate_factor
from captcha_lab.parallel import Group


class Trainer(Objectives):
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
        super().__init__(recipe, batches, iterations, seed, device, group or Group(), precision)
        self.names = batches.names if recipe.labelled else ()
        self.rule = StepRule(recipe)
        self.replay = remedies.Replay(recipe.replay_size, recipe.replay) if recipe.replay else None
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

    def _draw_real(self) -> tuple[Tensor, Tensor | None]:
        """This process's batch of real images [n, C, H, W] and their conditions [n, K], on the device."""
        images, condition = self.batches.next(self.part.stop - self.part.start)
        size = self.spec.image_shape[1:]
        real = to_network(images, self.recipe.output_range, size).to(self.device)
        if self.recipe.flips:
            real = augment.mirrored(real, self.mine(torch.rand(self.recipe.batch_size, generator=self.rng)))
        self._real = (
            real,
            None if condition is None or not self.names else self._told(condition),
        )
        return self._real

    def _told(self, condition: np.ndarray) -> Tensor:
        return torch.from_numpy(condition).to(self.device, torch.get_default_dtype())

    def _fakes(self, real_condition: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Generated images [n, C, H, W] and the conditions [N, K] they were made for."""
        n = self.recipe.batch_size
        condition = real_condition
        if condition is not None and self.recipe.fake_labels == "uniform":
            condition = self.mine(conditioning.uniform_classes(n, len(self.names), self.rng))
        return self.generate(self.mine(self.noise(n)), condition), condition

    # The critic

    def _critic_step(self) -> Figures:
        real, condition = self._draw_real()
        fake, fake_condition = self._shown(condition)
        if self.replay is not None:
            fake, fake_condition = self.replay.mix(fake, fake_condition, self.rng)
        pairs = self.pairs((real, condition), (self.moved(fake), fake_condition))
        judged, leaves = self.judge(pairs, differentiable=self.penalises)
        total, figures = self.critic_loss(pairs, judged, leaves)
        self.step_critic(total)
        return figures

    def _shown(self, condition: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Generated images for the critic, which carry no gradient."""
        if not self.recipe.reuse_fake:
            with torch.no_grad():
                return self._fakes(condition)
        self._made = self._fakes(condition)
        return self._made[0].detach(), self._made[1]

    # The generator

    def _generator_step(self) -> Figures:
        recipe = self.recipe
        real, condition = self._real or self._draw_real()
        self._real = None  # the next step of this iteration draws its own
        fake, fake_condition = self._made or self._fakes(condition)
        self._made = None
        judged = self.criticise(self.moved(fake), fake_condition)
        judged_real = None
        if self.loss.needs_real or recipe.feature_matching:
            with torch.no_grad():
                judged_real = self.criticise(self.moved(real.detach()), condition)
        adversarial, total = self.generator_loss(judged, judged_real, fake_condition)
        if isinstance(self.loss, ModeRegularised):
            total = total + self.regulariser(self.loss, real.detach(), condition)
        norm = self.step_generator(total)
        return {"generator_loss": adversarial.detach(), "generator_gradient": norm}

    def _bound_step(self) -> Figures:
        """Variational auto-encoder: encoder and generator together, no critic."""
        assert isinstance(self.loss, EvidenceBound)
        real, condition = self._draw_real()
        mean, log_variance = self.encode(real, condition)
        if log_variance is None:
            raise UsageError(f"The encoder of {self.spec.family} is not variational: choose another network.")
        noise = self.mine(self.noise(self.recipe.batch_size))
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
            "iterations": self.iterations,
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
        self.iteration, self.iterations = int(state["iteration"]), int(state["iterations"])
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
