"""The networks of a recipe with their optimisers: built, called in the asked precision, stepped, resumed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from captcha_lab.errors import UsageError
from captcha_lab.generate.networks import NetworkSpec, build_critic, build_encoder, build_generator
from captcha_lab.generate.networks.base import (
    Criticism,
    CriticNetwork,
    EncoderNetwork,
    Encoding,
    GeneratorNetwork,
)
from captcha_lab.generate.players import penalties, remedies
from captcha_lab.generate.players.optimisers import (
    Gradients,
    apply,
    gradient_norm,
    gradients,
    make_optimiser,
    set_rate,
)
from captcha_lab.generate.recipe import Recipe
from captcha_lab.parallel import Group

Network = TypeVar("Network", bound=nn.Module)


class Players:
    """Generator and critic, and an encoder where one is needed, with their optimisers.

    Args:
        recipe: what to build.
        spec: of the networks.
        critic: the form of critic the loss needs: score, energy (an auto-encoder's error) or none.
        encoder: whether the loss needs an encoder.
        seed: of the first weights.
        device: "cpu", "cuda", …
        group: this process among others.
        precision: "bfloat16": networks multiply in it where that is safe; weights and losses stay as they are.

    Raises:
        UsageError: the networks have no critic of that form, or no encoder.
    """

    def __init__(
        self,
        recipe: Recipe,
        spec: NetworkSpec,
        *,
        critic: str,
        encoder: bool,
        seed: int,
        device: str,
        group: Group,
        precision: str,
    ) -> None:
        self.recipe = recipe
        self.spec = spec
        self.device = torch.device(device)
        self.group = group
        self.lowered = precision == "bfloat16"
        self.generator: GeneratorNetwork = self._placed(build_generator(spec, seed))
        self.encoder: EncoderNetwork | None = self._placed(build_encoder(spec, seed)) if encoder else None
        self.critic: CriticNetwork | None = None
        made = [*self.generator.parameters(), *(self.encoder.parameters() if self.encoder else ())]
        self.generator_parameters = [p for p in made if p.requires_grad]
        self.generator_optimiser = make_optimiser(recipe, self.generator_parameters, recipe.generator_rate)
        self.critic_parameters: list[nn.Parameter] = []
        self.clipped: list[Tensor] = []
        if critic != "none":
            self.critic = self._placed(build_critic(spec, seed))
            if self.critic.form != critic:
                raise UsageError(
                    f"The loss {recipe.loss} needs a critic that gives {_FORMS[critic]}, and the networks "
                    f"{spec.family!r} with these options have one that gives {_FORMS[self.critic.form]}: "
                    "--recipe magan has an auto-encoding critic."
                )
            self.critic_parameters = [p for p in self.critic.parameters() if p.requires_grad]
            self.critic_optimiser = make_optimiser(recipe, self.critic_parameters)
            if recipe.clip:
                self.clipped = penalties.clipped_parameters(self.critic, self.generator, recipe.clip_scope)
        self.average = remedies.Average(self.generator, recipe.ema) if recipe.ema else None
        # Whether the score of an image depends on the batch it comes in. Dropout counts.
        self.couples = self.critic is not None and any(
            getattr(module, "couples_samples", False) for module in self.critic.modules()
        )

    def _placed(self, network: Network) -> Network:
        """The network on the device."""
        # Convolutions in bfloat16 take a fifth less time with the channels last (faces at 64x64).
        if self.lowered:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.to(self.device)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Those there are, by name: generator, critic, encoder."""
        named = {"generator": self.generator, "critic": self.critic, "encoder": self.encoder}
        return {name: network for name, network in named.items() if network is not None}

    @property
    def sampling_network(self) -> GeneratorNetwork:
        """The generator to draw samples with: the moving average where there is one."""
        network = self.generator if self.average is None else self.average.network
        return cast(GeneratorNetwork, network)

    def generate(self, noise: Tensor, condition: Tensor | None) -> Tensor:
        """Images [N, C, H, W] of noise [N, Z] and conditions [N, K]."""
        with self._precision():
            return _raised(self.generator(noise, condition))

    def criticise(
        self, images: Tensor, condition: Tensor | None = None, *, inference: bool = False
    ) -> Criticism:
        """The critic's output for images [N, C, H, W] and conditions [N, K], in training or inference mode."""
        assert self.critic is not None
        if inference:
            self.critic.eval()
        with self._precision():
            judged = self.critic(images, condition)
        if inference:
            self.critic.train()
        logits, rebuilt, code = (None if part is None else _raised(part) for part in judged[2:])
        return Criticism(_raised(judged.score), _raised(judged.features), logits, rebuilt, code)

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
        self._apply_critic(gradients(total, self.critic_parameters))

    def step_generator(self, total: Tensor) -> Tensor:
        """Minimise the generator's (and encoder's) loss for one step; returns the gradient's norm."""
        return self._apply_generator(gradients(total, self.generator_parameters))

    def step_both(self, critic_total: Tensor, generator_total: Tensor) -> Tensor:
        """One step of each, with both gradients taken at the weights before; returns the generator's gradient norm."""
        of_generator = gradients(generator_total, self.generator_parameters, keep=True)
        self._apply_critic(gradients(critic_total, self.critic_parameters))
        return self._apply_generator(of_generator)

    def _apply_critic(self, own: Gradients) -> None:
        apply(self.critic_optimiser, self.critic_parameters, own, self.group)
        if self.clipped:
            penalties.clip(self.clipped, self.recipe.clip)

    def _apply_generator(self, own: Gradients) -> Tensor:
        apply(self.generator_optimiser, self.generator_parameters, own, self.group)
        norm = gradient_norm(self.generator_parameters)
        if self.clipped and self.recipe.clip_scope == "update":
            penalties.clip(self.clipped, self.recipe.clip)
        if self.average is not None:
            self.average.update(self.generator)
        return norm

    def set_rates(self, factor: float) -> None:
        """Every learning rate becomes the factor times the recipe's."""
        set_rate(self.generator_optimiser, factor)
        if self.critic is not None:
            set_rate(self.critic_optimiser, factor)

    def state(self) -> dict[str, Any]:
        """Weights, optimisers and average."""
        return {
            "generator": self.generator.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "critic": None if self.critic is None else self.critic.state_dict(),
            "critic_optimiser": None if self.critic is None else self.critic_optimiser.state_dict(),
            "encoder": None if self.encoder is None else self.encoder.state_dict(),
            "average": None if self.average is None else self.average.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Undo to a `state`."""
        self.generator.load_state_dict(state["generator"])
        self.generator_optimiser.load_state_dict(state["generator_optimiser"])
        if self.critic is not None:
            self.critic.load_state_dict(state["critic"])
            self.critic_optimiser.load_state_dict(state["critic_optimiser"])
        if self.encoder is not None:
            self.encoder.load_state_dict(state["encoder"])
        if self.average is not None:
            self.average.restore(state["average"])


def _raised(values: Tensor) -> Tensor:
    """In the precision of losses and weights again."""
    return values.to(torch.get_default_dtype())


_FORMS = {"score": "a score", "energy": "an energy"}
