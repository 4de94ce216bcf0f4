"""The one training loop: runs a recipe, writes its run folder, resumes it bit for bit."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from captcha_lab.errors import CaptchaLabError
from captcha_lab.generate import pictures
from captcha_lab.generate.alarms import Alarm, Alarms
from captcha_lab.generate.batches import Batches
from captcha_lab.generate.board import Board
from captcha_lab.generate.config import TrainConfig
from captcha_lab.generate.monitor import Monitor, Quality
from captcha_lab.generate.parallel import Group
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.sample import save_generator
from captcha_lab.generate.trainer import Figures, Trainer
from captcha_lab.generate.weights import CRITIC, critic_weights, save_weight_histograms
from captcha_lab.store.files import write_bytes
from captcha_lab.store.runs import Run, load_resume, save_resume, save_weights

KIND = "generator"
LEAST_TRAINING = 0.5  # share of a time budget that goes to iterations, whatever looking at samples costs
LOG_ENTRIES = 400  # lines of training figures in a run's metrics, at most


@dataclass(frozen=True)
class TrainReport:
    """How a run ended."""

    run: Path
    recipe: str
    iterations: int
    planned: int
    seconds: float
    best_iteration: int
    figures: dict[str, float]
    """Of the generator that was kept (the best one's evaluation)."""
    alarms: list[Alarm] = field(default_factory=list)
    interrupted: bool = False
    leads: bool = True
    """Whether this process wrote the run (with several processes, one does)."""


@dataclass
class Hooks:
    """What a caller may want to hear of."""

    progress: Callable[[int, int, dict[str, float]], None] = lambda done, total, figures: None
    """After each log entry: iterations done, of how many, figures."""
    alarm: Callable[[Alarm], None] = lambda alarm: None


def train(
    recipe: Recipe,
    batches: Batches,
    models: Path,
    config: TrainConfig | None = None,
    *,
    name: str | None = None,
    facts: dict[str, Any] | None = None,
    quality: Quality | None = None,
    hooks: Hooks | None = None,
    group: Group | None = None,
) -> TrainReport:
    """Train a recipe on a stream of batches, in a new run folder.

    Args:
        recipe: what to train.
        batches: what to train on.
        models: the folder of all runs.
        config: length, seed, device.
        name: of the run; None = by date.
        facts: what to remember with the run, for resuming (the dataset's name, for instance); JSON values.
        quality: judges samples; its "score" chooses which weights are kept (None: the last).
        hooks: told of progress and alarms.
        group: this process among others.

    Raises:
        UsageError: parts of the recipe that don't fit each other or the data.
        CaptchaLabError: the disk refuses.
    """
    config = config or TrainConfig()
    device = group.device if group else choose_device(config.device)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        trainer = Trainer(recipe, batches, config.iterations or recipe.iterations, config.seed, device, group)
        monitor = Monitor(trainer, config.samples, config.seed, quality)
        started = time.perf_counter()
        trainer.iterations = plan_iterations(trainer, monitor, config)
        run = None
        if trainer.group.leads:
            stored = {
                "recipe": recipe.as_json(),
                "train": asdict(config),
                "iterations": trainer.iterations,
                "classes": list(trainer.names),
                "exclusive": batches.exclusive,
                "image_shape": list(batches.image_shape),
                **(facts or {}),
            }
            run = Run.create(models, KIND, name, stored)
        return _Training(run, trainer, monitor, config, hooks or Hooks()).go(started)


def resume(
    run: Run,
    batches: Batches,
    *,
    quality: Quality | None = None,
    hooks: Hooks | None = None,
    group: Group | None = None,
) -> TrainReport:
    """Continue an interrupted or killed run; on a CPU the result equals an uninterrupted run's bit for bit.

    Args:
        run: the run's folder.
        batches: the same data, from its beginning.
        quality: the same judge.
        hooks: told of progress and alarms.
        group: this process among others.

    Raises:
        CaptchaLabError: the run has finished, its checkpoint is damaged, or the data has changed.
    """
    stored = run.config()
    if (run.root / "summary.json").is_file():
        raise CaptchaLabError(f"The run {run.name} has finished: there is nothing to resume.")
    try:
        recipe, config = Recipe.from_json(stored["recipe"]), TrainConfig(**stored["train"])
        iterations, shape = int(stored["iterations"]), tuple(stored["image_shape"])
    except (KeyError, TypeError) as error:
        raise CaptchaLabError(f"{run.root / 'config.json'} is not a generator's run ({error}).") from error
    if shape != tuple(batches.image_shape):
        raise CaptchaLabError(
            f"The run {run.name} was trained on images {shape}, the data now has {tuple(batches.image_shape)}."
        )
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        device = group.device if group else choose_device(config.device)
        trainer = Trainer(recipe, batches, iterations, config.seed, device, group)
        monitor = Monitor(trainer, config.samples, config.seed, quality)
        training = _Training(run if trainer.group.leads else None, trainer, monitor, config, hooks or Hooks())
        if run.resume.is_file():  # a run killed before its first checkpoint begins again
            training.restore(load_resume(run.resume))
        if trainer.group.leads:
            run.cut_history("iteration", trainer.iteration)
        return training.go(time.perf_counter())


def choose_device(name: str) -> str:
    """ "auto" as cuda where there is one, else cpu; other names as they are."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def plan_iterations(trainer: Trainer, monitor: Monitor, config: TrainConfig) -> int:
    """The number of iterations that fills the time budget, measured on the way and undone; else the asked number.

    The clock is read for a twentieth of the budget (at least three iterations); the time of the evaluations and of
    this very measurement is taken off the budget.
    """
    if config.max_seconds is None:
        return config.iterations or trainer.recipe.iterations
    began = time.perf_counter()
    before = _copied(trainer.state())
    trainer.iterate()  # the first one allocates
    start = time.perf_counter()
    trainer.iterate()
    guess = time.perf_counter() - start
    # Processes must do the same number of iterations: each one takes part in the others'.
    count = trainer.group.first(max(3, int(min(3.0, config.max_seconds / 20) / guess)))
    start = time.perf_counter()
    for _ in range(count):
        trainer.iterate()
    each = (time.perf_counter() - start) / count
    start = time.perf_counter()
    monitor.look()
    look = time.perf_counter() - start
    trainer.restore(before)
    left = config.max_seconds - (time.perf_counter() - began) - look * config.evaluations
    left = max(left, LEAST_TRAINING * config.max_seconds)  # a slow moment must not leave nothing to train
    return trainer.group.first(max(1, int(left / each)))


class _Training:
    """One run from wherever it stands to its end."""

    def __init__(
        self, run: Run | None, trainer: Trainer, monitor: Monitor, config: TrainConfig, hooks: Hooks
    ) -> None:
        self.run = run
        self.trainer = trainer
        self.monitor = monitor
        self.config = config
        self.hooks = hooks
        self.alarms = Alarms(trainer.iterations, trainer.loss.saturates)
        self.log_every = max(1, trainer.iterations // LOG_ENTRIES)
        self.look_every = max(1, trainer.iterations // config.evaluations)
        self.best: dict[str, float] = {}
        self.best_iteration = 0
        self.before = 0.0  # seconds spent before this process took over
        self._sums: dict[str, torch.Tensor] = {}
        self._count = 0
        self._board: Board | None = None
        self._broken = False

    def go(self, started: float) -> TrainReport:
        """Train to the end, or until interrupted."""
        self.started = started
        self.saved = time.perf_counter()
        iterations, run = self.trainer.iterations, self.run
        if run is not None:
            self._board = Board(run.tensorboard, self.trainer.iteration) if self.config.tensorboard else None
        try:
            with _interruptions() as interrupted:
                while self.trainer.iteration < iterations and not self._broken:
                    self._iterate()
                    if self._should_stop(interrupted):
                        self._checkpoint()
                        return self._report(interrupted=self.trainer.iteration < iterations)
            self._finish()
        finally:
            if self._board is not None:
                self._board.close()
        return self._report()

    def _should_stop(self, interrupted: threading.Event) -> bool:
        """At once in a single process; several agree on it at log entries, where they all meet."""
        if self.trainer.group.world == 1:
            return interrupted.is_set()
        meeting = self.trainer.iteration % self.log_every == 0
        return meeting and self.trainer.group.any(interrupted.is_set())

    @property
    def seconds(self) -> float:
        """Time the run has taken, all processes that worked at it."""
        return self.before + time.perf_counter() - self.started

    def _iterate(self) -> None:
        self._add(self.trainer.iterate())
        iteration, last = self.trainer.iteration, self.trainer.iteration == self.trainer.iterations
        if iteration % self.log_every == 0 or last:
            self._log()
        if iteration % self.look_every == 0 or last or self._broken:
            self._look()
        if time.perf_counter() - self.saved > self.config.checkpoint_seconds and not last:
            self._checkpoint()

    def _add(self, figures: Figures) -> None:
        for key, value in figures.items():
            self._sums[key] = self._sums[key] + value if key in self._sums else value
        self._count += 1

    def _log(self) -> None:
        """Write the means since the last entry, and look for alarms."""
        keys = sorted(self._sums)
        means = self.trainer.group.mean([self._sums[k] / self._count for k in keys])
        figures = {key: float(value) for key, value in zip(keys, means, strict=True)}
        self._sums, self._count = {}, 0
        self._write("train", figures)
        self._raise(self.alarms.training(self.trainer.iteration, figures))
        self._broken = any(alarm.kind == "nan" for alarm in self.alarms.raised)
        self.hooks.progress(self.trainer.iteration, self.trainer.iterations, figures)

    def _look(self) -> None:
        """Draw samples, judge them, and keep the weights if they are the best so far."""
        if self.run is None or self._broken:
            return
        iteration, figures = self.trainer.iteration, self.monitor.look()
        self._write("evaluation", figures)
        self._raise(self.alarms.evaluation(iteration, figures))
        sheet = self.monitor.grid()
        pictures.save_picture(self.run.samples / f"{iteration:08d}.png", sheet)
        if self._board is not None:
            self._board.picture("samples", sheet, iteration)
        if not self.best or "score" not in figures or figures["score"] >= self.best.get("score", 0.0):
            self.best, self.best_iteration = figures, iteration
            save_generator(
                self.run.weights, self.monitor.generator(), {"iteration": iteration, **self._facts()}
            )

    def _facts(self) -> dict[str, Any]:
        return {"figures": self.best, "alarms": [a.kind for a in self.alarms.raised]}

    def _write(self, kind: str, figures: dict[str, float]) -> None:
        if self.run is None:
            return
        iteration = self.trainer.iteration
        self.run.log(kind=kind, iteration=iteration, seconds=round(self.seconds, 3), **figures)
        if self._board is not None:
            self._board.scalars(kind, figures, iteration)

    def _raise(self, alarms: list[Alarm]) -> None:
        for alarm in alarms:
            if self.run is not None:
                self.run.log(kind="alarm", iteration=alarm.iteration, alarm=alarm.kind, message=alarm.message)
            self.hooks.alarm(alarm)

    def _finish(self) -> None:
        if self.run is None:
            return
        history = self.run.history()
        recipe = self.trainer.recipe
        pictures.save_curves(self.run.root / "curves.png", history, f"{recipe.name}: {recipe.summary}")
        pictures.save_animation(self.run.root / "progress.gif", sorted(self.run.samples.glob("*.png")))
        self._keep_critic(self.run)
        report = self._report()
        summary = {key: value for key, value in asdict(report).items() if key not in ("run", "leads")}
        write_bytes(self.run.root / "summary.json", (json.dumps(summary, indent=1) + "\n").encode())
        self.run.resume.unlink(missing_ok=True)

    def _keep_critic(self, run: Run) -> None:
        """The last critic, which nothing samples from, and how its weights are spread, where something holds them."""
        critic, recipe = self.trainer.critic, self.trainer.recipe
        if critic is None:
            return
        weights = critic.state_dict()
        save_weights(
            run.root / CRITIC, weights, {"architecture": "critic", "network": self.trainer.spec.as_json()}
        )
        if recipe.clip:
            save_weight_histograms(
                run.root / "critic_weights.png", {recipe.name: critic_weights(weights)}, recipe.clip
            )

    def _report(self, *, interrupted: bool = False) -> TrainReport:
        return TrainReport(
            run=Path() if self.run is None else self.run.root,
            recipe=self.trainer.recipe.name,
            iterations=self.trainer.iteration,
            planned=self.trainer.iterations,
            seconds=round(self.seconds, 3),
            best_iteration=self.best_iteration,
            figures=self.best,
            alarms=self.alarms.raised,
            interrupted=interrupted,
            leads=self.run is not None,
        )

    # Resuming

    def _checkpoint(self) -> None:
        self.saved = time.perf_counter()
        if self.run is not None:
            save_resume(self.run.resume, self.state())

    def state(self) -> dict[str, Any]:
        """Everything the rest of the run depends on."""
        return {
            "trainer": self.trainer.state(),
            "alarms": self.alarms.state(),
            "best": self.best,
            "best_iteration": self.best_iteration,
            "seconds": self.seconds,
            "sums": self._sums,
            "count": self._count,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a `state`.

        Raises:
            CaptchaLabError: it does not fit the networks or the data.
        """
        try:
            self.trainer.restore(state["trainer"])
            self.alarms.restore(state["alarms"])
            self.best, self.best_iteration = dict(state["best"]), int(state["best_iteration"])
            self.before = float(state["seconds"])
            self._sums, self._count = dict(state["sums"]), int(state["count"])
        except (KeyError, RuntimeError, ValueError) as error:
            first = str(error).splitlines()[0]
            raise CaptchaLabError(
                f"The checkpoint does not fit this run ({first}): start it again."
            ) from error


def _copied(value: Any) -> Any:
    """A deep copy of a state, tensors included (`state_dict` hands out the live ones)."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


@contextmanager
def _interruptions() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets, so that the iteration ends well; the second one is as usual."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def note(number: int, frame: Any) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)
