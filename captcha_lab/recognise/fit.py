"""The one training loop of networks that read: resumable, with a best checkpoint, early stop and a time limit."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from captcha_lab.parallel import ALONE, Group
from captcha_lab.recognise.networks.batch_norm import share_statistics
from captcha_lab.store.runs import load_resume, save_resume

Batch = TypeVar("Batch")
Figures = dict[str, float]

WARM_UP = 0.15  # share of a one-cycle training in which the learning rate rises
SAVE_EVERY = 10.0  # seconds between checkpoints
SMOOTH = 0.9  # weight of the losses before in the loss that is shown


@dataclass(frozen=True)
class FitConfig:
    """Length and rate of a training.

    Attributes:
        steps: batches at most.
        learning_rate: Adam's, at its highest.
        schedule: how the rate changes over the training, a name in `SCHEDULES`.
        weight_decay: of AdamW; 0 is plain Adam.
        max_norm: gradients longer than this are shortened to it; None leaves them.
        time_limit: seconds after which the schedule has run down; 0 for none.
        evaluate_every: steps between evaluations.
        patience: evaluations without a gain before the training stops.
        min_gain: share by which the loss must fall, at an equal first figure, to count as a gain.
        seed: of whatever the network draws (dropout).
    """

    steps: int
    learning_rate: float
    schedule: str = "constant"
    weight_decay: float = 0.0
    max_norm: float | None = None
    time_limit: float = 0.0
    evaluate_every: int = 50
    patience: int = 8
    min_gain: float = 0.0
    seed: int = 0


@dataclass
class FitState:
    """What a training has come to; everything but the weights.

    Attributes:
        step: batches trained on.
        seconds: spent.
        best: score of the best evaluation.
        waited: evaluations since the last gain.
        history: figures of each evaluation, with `step`, `seconds` and the means over its steps as `train_…`.
    """

    step: int = 0
    seconds: float = 0.0
    best: tuple[float, ...] = ()
    waited: int = 0
    history: list[Figures] = field(default_factory=list)


def constant(progress: float) -> float:
    """The highest rate throughout."""
    return 1.0


def cosine(progress: float) -> float:
    """Down in half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def one_cycle(progress: float) -> float:
    """Up in a line, then down in half a cosine (Smith 2018)."""
    if progress < WARM_UP:
        return 0.05 + 0.95 * progress / WARM_UP
    return 0.001 + 0.999 * cosine((progress - WARM_UP) / (1 - WARM_UP))


# Share of the training that is done -> share of the highest learning rate.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": constant,
    "cosine": cosine,
    "one-cycle": one_cycle,
}


def fit(
    network: nn.Module,
    batches: Callable[[int], Batch],
    objective: Callable[[nn.Module, Batch], dict[str, Tensor]],
    config: FitConfig,
    evaluate: Callable[[], Figures] = dict,
    score: Callable[[Figures], tuple[float, ...]] = lambda figures: (),
    checkpoint: Path | None = None,
    on_evaluation: Callable[[Figures], None] = lambda figures: None,
    on_step: Callable[[int, int, float], None] = lambda done, total, loss: None,
    group: Group = ALONE,
) -> FitState:
    """Train a network, which ends in evaluation mode with the weights of its best evaluation.

    A batch depends on the number of its step alone, so that a training that was killed goes on from its checkpoint
    exactly as it would have gone (with a time limit the rate depends on the machine, though).

    Several processes may train together: each gives its rows of the global batch, their gradients are averaged, and
    the first one evaluates, decides and keeps the checkpoint.

    Args:
        network: trained in place.
        batches: the batch of a step, counted from 0; this process's rows of it (see `Group.rows`).
        objective: figures of a batch; `loss`, with its gradient, is minimised, the others are only averaged.
        config: see `FitConfig`.
        evaluate: figures of the network as it is; called in evaluation mode.
        score: makes of an evaluation's figures (those of `evaluate` and the means over its steps) what is to be
            maximised; of equal ones the latest counts as best.
        checkpoint: file to keep the state in, and to go on from where it exists.
        on_evaluation: called with the figures of each evaluation.
        on_step: called with the number of steps done and planned, and the smoothed loss.
        group: the processes that train together; all must call this alike.

    Raises:
        CaptchaLabError: the checkpoint is damaged, or the disk refuses.
    """
    optimiser = torch.optim.AdamW(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    share_statistics(network, group)
    training = _Training(network, optimiser, config, group)
    kept = group.first(load_resume(checkpoint) if checkpoint is not None and checkpoint.is_file() else None)
    if kept is not None:
        training.restore(kept)
    state, rate = training.state, SCHEDULES[config.schedule]
    started = saved_at = time.monotonic() - state.seconds
    while state.step < config.steps and state.waited < config.patience:
        progress = state.step / config.steps
        if config.time_limit:
            progress = max(progress, group.first(time.monotonic() - started) / config.time_limit)
            if progress >= 1:
                break
        training.train_on(batches(state.step), objective, rate(progress))
        on_step(state.step, config.steps, training.loss)
        late = config.time_limit and group.first(time.monotonic() - started) >= config.time_limit
        if state.step % config.evaluate_every == 0 or state.step == config.steps or late:
            network.eval()
            with torch.inference_mode():
                figures = evaluate() if group.leads else {}
            state.seconds = time.monotonic() - started
            on_evaluation(training.take(figures, score))
        if checkpoint is not None and group.leads and time.monotonic() - saved_at > SAVE_EVERY:
            state.seconds = time.monotonic() - started
            training.save(checkpoint)
            saved_at = time.monotonic()
    state.seconds = time.monotonic() - started
    if checkpoint is not None and group.leads:
        training.save(checkpoint)
    network.load_state_dict(training.kept)
    network.eval()
    return state


class _Training:
    """What changes from step to step."""

    def __init__(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, config: FitConfig, group: Group
    ) -> None:
        self.network, self.optimiser, self.config, self.group = network, optimiser, config, group
        self.state = FitState()
        self.kept = copy.deepcopy(network.state_dict())
        self.sums: dict[str, Tensor] = {}  # of the objective's figures since the last evaluation
        self.since = 0  # the step of that
        self.loss = math.nan  # of the last steps, smoothed; only to be shown

    def train_on(
        self, batch: Batch, objective: Callable[[nn.Module, Batch], dict[str, Tensor]], rate: float
    ) -> None:
        """One step."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * rate
        self.network.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed * 1_000_003 + self.state.step)  # dropout
            figures = objective(self.network, batch)
        self.optimiser.zero_grad()
        figures["loss"].backward()
        self._average_gradients()
        if self.config.max_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.max_norm)
        self.optimiser.step()
        for name, value in figures.items():
            value = value.detach().to(torch.float64)
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        loss = float(figures["loss"].detach())
        self.loss = loss if math.isnan(self.loss) else SMOOTH * self.loss + (1 - SMOOTH) * loss
        self.state.step += 1

    def _average_gradients(self) -> None:
        """Make the gradients those of the global batch."""
        if self.group.world == 1:
            return
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        for own, mean in zip(gradients, self.group.mean(gradients), strict=True):
            own.copy_(mean)

    def take(self, evaluated: Figures, score: Callable[[Figures], tuple[float, ...]]) -> Figures:
        """Take an evaluation to the history, and the weights if it is the best; all its figures."""
        state, steps = self.state, self.state.step - self.since
        sums = zip(self.sums, self.group.mean(list(self.sums.values())), strict=True)
        means = {f"train_{name}": float(value) / steps for name, value in sums}
        evaluated = self.group.first(evaluated)
        figures = {"step": state.step, "seconds": state.seconds, **means, **evaluated}
        self.sums, self.since = {}, state.step
        found, before = score(figures), state.best
        state.waited = 0 if self._gains(found, before) else state.waited + 1
        if found >= before:
            state.best, self.kept = found, copy.deepcopy(self.network.state_dict())
        state.history.append(figures)
        return figures

    def _gains(self, found: tuple[float, ...], before: tuple[float, ...]) -> bool:
        if not before or not self.config.min_gain:
            return found > before or not found
        return found[:-1] > before[:-1] or (
            found[:-1] == before[:-1] and -found[-1] < (1 - self.config.min_gain) * -before[-1]
        )

    def save(self, path: Path) -> None:
        """Keep everything needed to go on."""
        save_resume(
            path,
            {
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "state": {**vars(self.state), "best": list(self.state.best)},
                "kept": self.kept,
                "sums": self.sums,
                "since": self.since,
            },
        )

    def restore(self, saved: dict[str, Any]) -> None:
        """Go back to what `save` kept."""
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        state = FitState(**saved["state"])
        state.best = tuple(state.best)
        self.state, self.kept, self.sums, self.since = state, saved["kept"], saved["sums"], saved["since"]
