"""Remedies for collapse that live outside the networks: replayed samples, feature matching, averaged weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from captcha_lab.generate.networks.parts.normalise import gather_batch


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    """Squared distance between the mean features of real and generated images (Salimans et al. 2016, 3.1).

    Args:
        real: [N, F] the critic's features of real images.
        fake: [M, F] of generated ones.
    """
    return (gather_batch(real).mean(0) - gather_batch(fake).mean(0)).square().sum()


class Replay:
    """Old samples that the critic sees again, so that it does not forget modes the generator left.

    Experience replay (Shrivastava et al. 2017, section 2.3): a fixed number of samples with their conditions;
    new ones overwrite random old ones once it is full. Each of several processes keeps its own, so their numbers
    differ from those of one process.

    Args:
        share: of each batch that is replaced by old samples.
        size: how many old samples are kept.
    """

    def __init__(self, share: float, size: int = 2048) -> None:
        self.share = share
        self.size = size
        self.images: Tensor | None = None
        self.condition: Tensor | None = None

    def mix(
        self, images: Tensor, condition: Tensor | None, rng: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Replace the last `share` of the batch by old samples, and remember the batch.

        Args:
            images: [N, C, H, W] detached; returned with old samples at its end.
            condition: [N, K] or None; follows its image.
            rng: on the CPU.
        """
        old = int(self.share * len(images))
        mixed, mixed_condition = images, condition
        if self.images is not None and old:
            picked = torch.randint(len(self.images), (old,), generator=rng)
            mixed = torch.cat([images[:-old], self.images[picked]])
            if condition is not None and self.condition is not None:
                mixed_condition = torch.cat([condition[:-old], self.condition[picked]])
        self._remember(images, condition, rng)
        return mixed, mixed_condition

    def _remember(self, images: Tensor, condition: Tensor | None, rng: torch.Generator) -> None:
        if self.images is None:
            self.images, self.condition = images[: self.size].clone(), None
            if condition is not None:
                self.condition = condition[: self.size].clone()
            return
        room = min(self.size - len(self.images), len(images))
        self.images = torch.cat([self.images, images[:room]])
        if condition is not None and self.condition is not None:
            self.condition = torch.cat([self.condition, condition[:room]])
        rest = len(images) - room
        if rest:
            places = torch.randperm(len(self.images), generator=rng)[:rest]
            self.images[places] = images[room : room + len(places)]
            if condition is not None and self.condition is not None:
                self.condition[places] = condition[room : room + len(places)]

    def state(self) -> dict[str, Any]:
        """Everything remembered."""
        return {"images": self.images, "condition": self.condition}

    def restore(self, state: dict[str, Any]) -> None:
        """Undo to a `state`."""
        self.images, self.condition = state["images"], state["condition"]


class Average:
    """Exponential moving average of a network's weights (Karras et al. 2018, appendix; Yazici et al. 2019).

    The decay rises as (1 + n) / (10 + n) at first, so that the average forgets the initial weights; buffers
    (batch norm's running statistics) are copied.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move towards the network's present weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        mine: list[Tensor] = list(self.network.parameters())
        theirs: list[Tensor] = list(network.parameters())
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        for old, new in zip(self.network.buffers(), network.buffers(), strict=True):
            old.copy_(new)

    def state(self) -> dict[str, Any]:
        """Averaged weights and the number of updates."""
        return {"network": self.network.state_dict(), "updates": self.updates}

    def restore(self, state: dict[str, Any]) -> None:
        """Undo to a `state`."""
        self.network.load_state_dict(state["network"])
        self.updates = int(state["updates"])
