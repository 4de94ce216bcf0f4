"""The networks of a recipe with their optimisers: built, called in the asked precision, stepped, resumed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from captcha_lab.errors import UsageError
from captcha_lab.generate.losses import constraints, remedies
from captcha_lab.generate.losses.losses import Adversarial, Loss, make_loss
from captcha_lab.generate.networks import NetworkSpec, build_critic, build_encoder, build_generator
from captcha_lab.generate.networks.base import (
    Criticism,
    CriticNetwork,
    EncoderNetwork,
    Encoding,
    GeneratorNetwork,
)
from captcha_lab.generate.networks.layers import MinibatchDiscrimination
from captcha_lab.generate.pixels import channels_first
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.training.optimisers import gradient_norm, make_optimiser, step
from captcha_lab.parallel import Group, SharedDropout, share_dropout

Network = TypeVar("Network", bound=nn.Module)


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


class Players:
    """Generator and critic, and an encoder where the loss wants one; the loss, since it decides who plays.

    Args:
        recipe: what to build.
        spec: of the networks.
        seed: of the first weights.
        device: "cpu", "cuda", …
        group: this process among others.
        precision: "bfloat16": networks multiply in it where that is safe; weights and losses stay as they are.
    """

    def __init__(
        self, recipe: Recipe, spec: NetworkSpec, seed: int, device: str, group: Group, precision: str
    ) -> None:
        self.recipe = recipe
        self.spec = spec
        self.device = torch.device(device)
        self.group = group
        self.lowered = precision == "bfloat16"
        self.loss: Loss = make_loss(recipe.loss, _loss_options(recipe))
        self.generator: GeneratorNetwork = self._placed(build_generator(self.spec, seed))
        self.encoder: EncoderNetwork | None = None
        self.critic: CriticNetwork | None = None
        made = [*self.generator.parameters()]
        if self.loss.uses_encoder:
            self.encoder = self._placed(build_encoder(self.spec, seed))
            made += self.encoder.parameters()
        self.generator_parameters = [p for p in made if p.requires_grad]
        self.generator_optimiser = make_optimiser(recipe, self.generator_parameters, recipe.learning_rate)
        self.critic_parameters: list[nn.Parameter] = []
        self.clipped: list[Tensor] = []
        if isinstance(self.loss, Adversarial):
            self.critic = self._placed(build_critic(self.spec, seed))
            if self.critic.energy != self.loss.energy:
                raise UsageError(
                    f"The loss {recipe.loss} {'wants' if self.loss.energy else 'does not go with'} an auto-encoding "
                    "critic: of the networks here `--recipe magan` has one."
                )
            self.critic_parameters = [p for p in self.critic.parameters() if p.requires_grad]
            rate = (
                recipe.learning_rate if recipe.critic_learning_rate is None else recipe.critic_learning_rate
            )
            self.critic_optimiser = make_optimiser(recipe, self.critic_parameters, rate)
            if recipe.clip:
                self.clipped = constraints.clipped_parameters(self.critic, self.generator, recipe.clip_scope)
        self.average = remedies.Average(self.generator, recipe.ema) if recipe.ema else None
        self.couples = self.critic is not None and _couples_samples(self.critic)

    def _placed(self, network: Network) -> Network:
        """The network on the device, its dropout shared by all processes."""
        share_dropout(network, self.group)
        # Convolutions in bfloat16 take a fifth less time with the channels last (faces at 64x64).
        if self.lowered:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.to(self.device)

    @property
    def sampling_network(self) -> GeneratorNetwork:
        """The generator to draw samples with: the moving average where there is one."""
        network = self.generator if self.average is None else self.average.network
        return cast(GeneratorNetwork, network)

    def generate(self, noise: Tensor, condition: Tensor | None) -> Tensor:
        """Images [N, C, H, W] of noise [N, Z] and conditions [N, K]."""
        with self._precision():
            return _raised(self.generator(noise, condition))

    def criticise(self, images: Tensor, condition: Tensor | None = None) -> Criticism:
        """What the critic says of images [N, C, H, W] and conditions [N, K]."""
        assert self.critic is not None
        with self._precision():
            judged = self.critic(images, condition)
        logits, rebuilt = (None if part is None else _raised(part) for part in judged[2:])
        return Criticism(_raised(judged.score), _raised(judged.features), logits, rebuilt)

    def encode(self, images: Tensor, condition: Tensor | None) -> Encoding:
        """Where the encoder places images [N, C, H, W]."""
        assert self.encoder is not None
        with self._precision():
            code = self.encoder(images, condition)
        spread = code.log_variance
        return Encoding(_raised(code.mean), None if spread is None else _raised(spread))

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16) if self.lowered else nullcontext()

    def step_critic(self, total: Tensor) -> None:
        """Minimise the critic's loss for one step, and hold what is to be clipped."""
        step(self.critic_optimiser, self.critic_parameters, total, self.group)
        if self.clipped:
            constraints.clip(self.clipped, self.recipe.clip)

    def step_generator(self, total: Tensor) -> Tensor:
        """Minimise the generator's (and encoder's) loss for one step; returns the gradient's norm."""
        step(self.generator_optimiser, self.generator_parameters, total, self.group)
        norm = gradient_norm(self.generator_parameters)
        if self.clipped and self.recipe.clip_scope == "update":
            constraints.clip(self.clipped, self.recipe.clip)
        if self.average is not None:
            self.average.update(self.generator)
        return norm

    def players_state(self) -> dict[str, Any]:
        """Weights, optimisers, average and loss."""
        return {
            "generator": self.generator.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "critic": None if self.critic is None else self.critic.state_dict(),
            "critic_optimiser": None if self.critic is None else self.critic_optimiser.state_dict(),
            "encoder": None if self.encoder is None else self.encoder.state_dict(),
            "average": None if self.average is None else self.average.state(),
            "loss": self.loss.state(),
        }

    def restore_players(self, state: dict[str, Any]) -> None:
        """Undo to a `players_state`."""
        self.generator.load_state_dict(state["generator"])
        self.generator_optimiser.load_state_dict(state["generator_optimiser"])
        if self.critic is not None:
            self.critic.load_state_dict(state["critic"])
            self.critic_optimiser.load_state_dict(state["critic_optimiser"])
        if self.encoder is not None:
            self.encoder.load_state_dict(state["encoder"])
        if self.average is not None:
            self.average.restore(state["average"])
        self.loss.restore(state["loss"])


def _raised(values: Tensor) -> Tensor:
    """In the precision of losses and weights again."""
    return values.to(torch.get_default_dtype())


def _loss_options(recipe: Recipe) -> dict[str, Any]:
    options = dict(recipe.loss_options)
    if recipe.label_smoothing:
        options["smoothing"] = recipe.label_smoothing
    return options


def _couples_samples(network: nn.Module) -> bool:
    """Whether what the network says of an image depends on the batch it comes in.

    Dropout counts: its mask is drawn for a batch, which must be the same one however many processes there are.
    """
    coupling = (nn.modules.batchnorm._BatchNorm, MinibatchDiscrimination, nn.Dropout, SharedDropout)
    return any(isinstance(module, coupling) for module in network.modules())
