"""One iteration of any recipe: the players, their loss, and everything random, as one resumable object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from captcha_lab.errors import UsageError
from captcha_lab.generate.losses import make_loss
from captcha_lab.generate.networks import NetworkSpec
from captcha_lab.generate.pixels import channels_first
from captcha_lab.generate.players.draws import Draws
from captcha_lab.generate.players.game import Figures, Game
from captcha_lab.generate.players.players import Players
from captcha_lab.generate.players.streams import TrainingStream
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.training.schedule import StepRule, learning_rate_factor
from captcha_lab.parallel import Group


def network_spec(
    recipe: Recipe, image_shape: tuple[int, ...], names: tuple[str, ...], places: int = 0
) -> NetworkSpec:
    """The specification of the recipe's networks for images [H, W(, 3)] and so many classes or attributes.

    With `places` the names are characters and the condition is a text of up to so many of them.

    Raises:
        UsageError: a conditional recipe without labels.
    """
    if recipe.uses_labels and not names:
        raise UsageError(
            f"The recipe {recipe.name} uses labels but the data has no labels: label it, or use --no-label."
        )
    return NetworkSpec(
        family=recipe.network,
        image_shape=recipe.image_shape if recipe.resize else channels_first(image_shape),
        noise_size=recipe.noise_size,
        classes=len(names) * max(places, 1) if recipe.uses_labels else 0,
        conditioning=recipe.conditioning,
        output_range=recipe.output_range,
        initialisation=recipe.initialisation,
        options={**recipe.options, **({"places": places} if "places" in recipe.options else {})},
    )


class Trainer:
    """Trains the networks of one recipe on one stream of images.

    Args:
        recipe: what to train.
        stream: what to train on.
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
        stream: TrainingStream,
        iterations: int,
        seed: int = 0,
        device: str = "cpu",
        group: Group | None = None,
        precision: str = "float32",
    ) -> None:
        group = group or Group()
        spec = network_spec(recipe, stream.image_shape, stream.names, stream.places)
        self.recipe = recipe
        self.stream = stream
        self.loss = make_loss(recipe.loss, recipe.loss_options)
        self.players = Players(
            recipe,
            spec,
            critic=self.loss.critic,
            encoder=self.loss.uses_encoder,
            seed=seed,
            device=device,
            group=group,
            precision=precision,
        )
        self.draws = Draws(recipe, stream, spec.image_shape[1:], seed, self.players.device, group)
        self.names = self.draws.names
        self.game = Game(recipe, self.players, self.draws, iterations)
        self.rule = StepRule(recipe)

    @property
    def group(self) -> Group:
        """This process among others."""
        return self.players.group

    @property
    def iteration(self) -> int:
        """Iterations done."""
        return self.game.iteration

    @property
    def iterations(self) -> int:
        """Iterations planned; schedules are tied to it."""
        return self.game.iterations

    @iterations.setter
    def iterations(self, planned: int) -> None:
        self.game.iterations = planned

    def iterate(self) -> Figures:
        """One iteration: as many critic and generator steps as the schedule says.

        Returns:
            Scalars on the device: losses, mean scores, share of pairs the critic orders rightly.
        """
        if self.recipe.schedule != "constant" or self.recipe.warmup:
            self.players.set_rates(learning_rate_factor(self.recipe, self.iteration, self.iterations))
        figures: Figures = {}
        for one_step, times in self._turns():
            figures |= self._last(one_step, times)
        if self.rule.watching:
            self.rule.observe(self.iteration, float(self.group.mean([figures["critic_loss"]])[0]))
        self.game.end_iteration()
        return figures

    def _turns(self) -> list[tuple[Callable[[Game], Figures], int]]:
        """The steps of this iteration in their order, and how often each is taken."""
        if self.recipe.simultaneous:
            return [(self.loss.joint_step, 1)]
        critic_steps, generator_steps = self.rule.steps(self.iteration)
        turns: list[tuple[Callable[[Game], Figures], int]] = [
            (self.loss.critic_step, critic_steps),
            (self.loss.generator_step, generator_steps),
        ]
        return turns[::-1] if self.recipe.generator_first else turns

    def _last(self, one_step: Callable[[Game], Figures], times: int) -> Figures:
        """The figures of the last of so many steps."""
        return [one_step(self.game) for _ in range(times)][-1]

    # Resuming

    def state(self) -> dict[str, Any]:
        """Everything the next iteration depends on."""
        game = self.game
        return {
            **self.players.state(),
            "loss": self.loss.state(),
            "iteration": game.iteration,
            "iterations": game.iterations,
            "critic_updates": game.critic_updates,
            "replay": None if game.replay is None else game.replay.state(),
            "rule": self.rule.state(),
            "batches": self.stream.state(),
            "rng": self.draws.rng.get_state(),
            "global_rng": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a `state` as if nothing had happened."""
        self.players.restore(state)
        self.loss.restore(state["loss"])
        game = self.game
        game.iteration, game.iterations = int(state["iteration"]), int(state["iterations"])
        game.critic_updates = int(state["critic_updates"])
        if game.replay is not None:
            game.replay.restore(state["replay"])
        self.rule.restore(state["rule"])
        self.stream.restore(state["batches"])
        self.draws.rng.set_state(state["rng"])
        torch.set_rng_state(state["global_rng"])
