"""One iteration of any recipe: the networks, their optimisers and everything random, as one resumable object."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from captcha_lab.errors import UsageError
from captcha_lab.generate import conditioning, constraints, remedies
from captcha_lab.generate.batches import Batches
from captcha_lab.generate.losses import EvidenceBound, Loss, ModeRegularised, classification, make_loss
from captcha_lab.generate.networks import NetworkSpec, build_critic, build_encoder, build_generator
from captcha_lab.generate.networks.base import Criticism, CriticNetwork, EncoderNetwork, GeneratorNetwork
from captcha_lab.generate.networks.layers import MinibatchDiscrimination
from captcha_lab.generate.optimisers import make_optimiser, set_rate, step
from captcha_lab.generate.parallel import Group, SharedDropout, share_dropout
from captcha_lab.generate.pixels import channels_first, to_network, unit
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.schedule import StepRule, learning_rate_factor, penalty_factor

Figures = dict[str, Tensor]
Pair = tuple[Tensor, Tensor | None]  # images and their conditions


def network_spec(recipe: Recipe, image_shape: tuple[int, ...], names: tuple[str, ...]) -> NetworkSpec:
    """The specification of the recipe's networks for images [H, W(, 3)] and so many classes or attributes.

    Raises:
        UsageError: a conditional recipe without labels.
    """
    if recipe.labelled and not names:
        raise UsageError(
            f"The recipe {recipe.name} is conditional but the data has no labels: label it, or use --no-label."
        )
    return NetworkSpec(
        family=recipe.network,
        image_shape=recipe.image_shape if recipe.resize else channels_first(image_shape),
        noise_size=recipe.noise_size,
        classes=len(names) if recipe.labelled else 0,
        conditioning=recipe.conditioning,
        output_range=recipe.output_range,
        initialisation=recipe.initialisation,
        options=dict(recipe.options),
    )


class Trainer:
    """Trains the networks of one recipe on one stream of batches.

    Args:
        recipe: what to train.
        batches: what to train on.
        iterations: the length of the run, which schedules are tied to.
        seed: of the first weights, noise, labels and dropout.
        device: "cpu", "cuda", …
        group: this process among others.

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
    ) -> None:
        self.recipe = recipe
        self.batches = batches
        self.iterations = iterations
        self.device = torch.device(device)
        self.group = group or Group()
        self.spec = network_spec(recipe, batches.image_shape, batches.names)
        self.names = batches.names if recipe.labelled else ()
        self.loss: Loss = make_loss(recipe.loss, _loss_options(recipe))
        self.rng = torch.Generator().manual_seed(seed)
        self.part = self.group.part(recipe.batch_size)
        self._build(seed)
        self.rule = StepRule(recipe)
        self.replay = remedies.Replay(recipe.replay_size, recipe.replay) if recipe.replay else None
        self.iteration = 0
        self.critic_updates = 0
        self.couples = self.critic is not None and _couples_samples(self.critic)
        self._real: Pair | None = None
        self._made: Pair | None = None

    def _build(self, seed: int) -> None:
        recipe = self.recipe
        self.generator: GeneratorNetwork = build_generator(self.spec, seed).to(self.device)
        share_dropout(self.generator, self.group)
        self.encoder: EncoderNetwork | None = None
        self.critic: CriticNetwork | None = None
        made = [*self.generator.parameters()]
        if self.loss.uses_encoder:
            self.encoder = build_encoder(self.spec, seed).to(self.device)
            share_dropout(self.encoder, self.group)
            made += self.encoder.parameters()
        self.generator_parameters = [p for p in made if p.requires_grad]
        self.generator_optimiser = make_optimiser(recipe, self.generator_parameters, recipe.learning_rate)
        self.critic_parameters: list[nn.Parameter] = []
        self.clipped: list[Tensor] = []
        if not isinstance(self.loss, EvidenceBound):
            self.critic = build_critic(self.spec, seed).to(self.device)
            share_dropout(self.critic, self.group)
            self.critic_parameters = [p for p in self.critic.parameters() if p.requires_grad]
            rate = (
                recipe.learning_rate if recipe.critic_learning_rate is None else recipe.critic_learning_rate
            )
            self.critic_optimiser = make_optimiser(recipe, self.critic_parameters, rate)
            if recipe.clip:
                self.clipped = constraints.clipped_parameters(self.critic, self.generator, recipe.clip_scope)
        self.average = remedies.Average(self.generator, recipe.ema) if recipe.ema else None

    @property
    def sampling_network(self) -> GeneratorNetwork:
        """The generator to draw samples with: the moving average where there is one."""
        network = self.generator if self.average is None else self.average.network
        return cast(GeneratorNetwork, network)

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
        self._real = (
            to_network(images, self.recipe.output_range, size).to(self.device),
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
            condition = self._mine(conditioning.uniform_classes(n, len(self.names), self.rng))
        return self.generator(self._mine(self.noise(n)), condition), condition

    # The critic

    def _critic_step(self) -> Figures:
        recipe = self.recipe
        real, condition = self._draw_real()
        fake, fake_condition = self._shown(condition)
        if self.replay is not None:
            fake, fake_condition = self.replay.mix(fake, fake_condition, self.rng)
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
        assert self.critic is not None
        step(self.critic_optimiser, self.critic_parameters, total, self.group)
        if self.clipped:
            constraints.clip(self.clipped, recipe.clip)
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
        assert self.critic is not None
        if self.couples:
            if differentiable:
                pairs = [(images.requires_grad_(), condition) for images, condition in pairs]
            return [self.critic(*pair) for pair in pairs], [images for images, _ in pairs]
        images = torch.cat([images for images, _ in pairs]).requires_grad_(differentiable)
        conditions = [condition for _, condition in pairs if condition is not None]
        whole = self.critic(images, torch.cat(conditions) if conditions else None)
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
            assert self.critic is not None
            penalty = constraints.gradient_penalty(self.critic, real, fake, condition, alpha)
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
        assert self.critic is not None
        real, condition = self._real or self._draw_real()
        self._real = None  # the next step of this iteration draws its own
        fake, fake_condition = self._made or self._fakes(condition)
        self._made = None
        judged = self.critic(fake, fake_condition)
        judged_real = None
        if self.loss.needs_real or recipe.feature_matching:
            with torch.no_grad():
                judged_real = self.critic(real.detach(), condition)
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
        norm = self._step_generator(total)
        return {"generator_loss": adversarial.detach(), "generator_gradient": norm}

    def _regulariser(self, loss: ModeRegularised, real: Tensor, condition: Tensor | None) -> Tensor:
        assert self.encoder is not None
        assert self.critic is not None
        rebuilt = self.generator(self.encoder(real, condition).mean, condition)
        limits = self.recipe.output_range
        return loss.regulariser(unit(real, limits), unit(rebuilt, limits), self.critic(rebuilt, condition))

    def _bound_step(self) -> Figures:
        """Variational auto-encoder: encoder and generator together, no critic."""
        assert isinstance(self.loss, EvidenceBound)
        assert self.encoder is not None
        real, condition = self._draw_real()
        mean, log_variance = self.encoder(real, condition)
        if log_variance is None:
            raise UsageError(f"The encoder of {self.spec.family} is not variational: choose another network.")
        noise = self._mine(self.noise(self.recipe.batch_size))
        rebuilt = self.generator(mean + noise * (log_variance / 2).exp(), condition)
        limits = self.recipe.output_range
        total = self.loss.bound(unit(real, limits), unit(rebuilt, limits), mean, log_variance)
        norm = self._step_generator(total)
        return {"generator_loss": total.detach(), "generator_gradient": norm}

    def _step_generator(self, total: Tensor) -> Tensor:
        norm = step(self.generator_optimiser, self.generator_parameters, total, self.group)
        if self.clipped and self.recipe.clip_scope == "update":
            constraints.clip(self.clipped, self.recipe.clip)
        if self.average is not None:
            self.average.update(self.generator)
        return norm

    # Resuming

    def state(self) -> dict[str, Any]:
        """Everything the next iteration depends on."""
        return {
            "iteration": self.iteration,
            "critic_updates": self.critic_updates,
            "generator": self.generator.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "critic": None if self.critic is None else self.critic.state_dict(),
            "critic_optimiser": None if self.critic is None else self.critic_optimiser.state_dict(),
            "encoder": None if self.encoder is None else self.encoder.state_dict(),
            "average": None if self.average is None else self.average.state(),
            "replay": None if self.replay is None else self.replay.state(),
            "loss": self.loss.state(),
            "rule": self.rule.state(),
            "batches": self.batches.state(),
            "rng": self.rng.get_state(),
            "global_rng": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a `state` as if nothing had happened."""
        self.iteration = int(state["iteration"])
        self.critic_updates = int(state["critic_updates"])
        self.generator.load_state_dict(state["generator"])
        self.generator_optimiser.load_state_dict(state["generator_optimiser"])
        if self.critic is not None:
            self.critic.load_state_dict(state["critic"])
            self.critic_optimiser.load_state_dict(state["critic_optimiser"])
        if self.encoder is not None:
            self.encoder.load_state_dict(state["encoder"])
        if self.average is not None:
            self.average.restore(state["average"])
        if self.replay is not None:
            self.replay.restore(state["replay"])
        self.loss.restore(state["loss"])
        self.rule.restore(state["rule"])
        self.batches.restore(state["batches"])
        self.rng.set_state(state["rng"])
        torch.set_rng_state(state["global_rng"])


def draw_noise(kind: str, n: int, size: int, rng: torch.Generator) -> Tensor:
    """Noise [n, size]: N(0, 1) for "normal", U(-1, 1) for "uniform"."""
    if kind == "uniform":
        return torch.rand(n, size, generator=rng) * 2 - 1
    return torch.randn(n, size, generator=rng)


def _loss_options(recipe: Recipe) -> dict[str, Any]:
    options = dict(recipe.loss_options)
    if recipe.label_smoothing:
        options["smoothing"] = recipe.label_smoothing
    return options


def _logits(judged: Criticism) -> Tensor:
    if judged.class_logits is None:
        raise UsageError("auxiliary_weight needs a critic with a classifier head (conditioning auxiliary).")
    return judged.class_logits


def _couples_samples(network: nn.Module) -> bool:
    """Whether what the network says of an image depends on the batch it comes in.

    Dropout counts: its mask is drawn for a batch, which must be the same one however many processes there are.
    """
    coupling = (nn.modules.batchnorm._BatchNorm, MinibatchDiscrimination, nn.Dropout, SharedDropout)
    return any(isinstance(module, coupling) for module in network.modules())


def _split(whole: Criticism, sizes: list[int]) -> list[Criticism]:
    """A criticism of several batches in a row as one for each."""
    columns = [[None] * len(sizes) if part is None else part.split(sizes) for part in whole]
    return [Criticism(*parts) for parts in zip(*columns, strict=True)]


def _joined(parts: list[Criticism]) -> Criticism:
    """Several criticisms as one batch (only scores and features: what losses read)."""
    return Criticism(torch.cat([p.score for p in parts]), torch.cat([p.features for p in parts]))
