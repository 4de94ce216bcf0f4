"""A run from wherever it stands to its end: logs, evaluations, alarms, checkpoints, pictures."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from captcha_lab.errors import CaptchaLabError
from captcha_lab.generate.players.game import Figures
from captcha_lab.generate.sampling.sample import save_generator
from captcha_lab.generate.training.budget import TimeBudget
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.generate.training.monitor import Monitor
from captcha_lab.generate.training.report import GeneratorReport, Hooks
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.generate.watching import pictures
from captcha_lab.generate.watching.alarms import Alarm, Alarms
from captcha_lab.generate.watching.quality import in_words
from captcha_lab.generate.watching.weights import CRITIC, layer_weights, save_weight_histograms
from captcha_lab.store.board import Board, open_board
from captcha_lab.store.files import write_bytes
from captcha_lab.store.runs import Run, save_resume, save_weights

# An evaluation takes as long as several iterations of a slow recipe: a short run has fewer than were asked for.
BETWEEN_EVALUATIONS, LEAST_EVALUATIONS = 5, 2
LOG_ENTRIES = 400  # lines of training figures in a run's metrics, at most
MEETING = 8  # iterations after which processes ask each other whether to stop: torchrun kills 30 s after its SIGTERM
# Scores of one generator differ by so much between evaluations of 1,024 samples. Among generators that differ by no
# more, the later one is kept: it has trained longer, at a lower rate.
SCORE_NOISE = 0.01


class Session:
    """One run from wherever it stands to its end."""

    def __init__(
        self, run: Run | None, trainer: Trainer, monitor: Monitor, config: GeneratorConfig, hooks: Hooks
    ) -> None:
        self.run = run
        self.trainer = trainer
        self.monitor = monitor
        self.config = config
        self.hooks = hooks
        self.alarms = Alarms(trainer.iterations, trainer.loss.saturates)
        self.log_every = max(1, trainer.iterations // LOG_ENTRIES)
        most = max(LEAST_EVALUATIONS, trainer.iterations // BETWEEN_EVALUATIONS)
        self.evaluate_every = max(1, trainer.iterations // min(config.evaluations, most))
        self.best: dict[str, float] = {}
        self.best_iteration = 0
        self.highest = 0.0  # score of any evaluation so far
        self.before = 0.0  # seconds spent before this process took over
        self._sums: dict[str, torch.Tensor] = {}
        self._count = 0
        self._board: Board | None = None
        self._broken = False

    def go(self, started: float) -> GeneratorReport:
        """Train to the end, or until interrupted."""
        self.started = started
        self.saved = time.perf_counter()
        trainer, run = self.trainer, self.run
        self._budget = TimeBudget(self.config.max_seconds, self.seconds, trainer.iteration)
        if run is not None:
            logged = self.config.tensorboard
            self._board = open_board(run.tensorboard, trainer.iteration) if logged else None
            self.hooks.started(run)
        try:
            with _interruptions() as interrupted:
                while trainer.iteration < trainer.iterations and not self._broken:
                    self._iterate()
                    if self._should_stop(interrupted):
                        self._checkpoint()
                        trainer.group.wait()  # a process that leaves early makes torchrun end the one that writes
                        return self._report(interrupted=trainer.iteration < trainer.iterations)
            self._finish()
            trainer.group.wait()  # likewise
        finally:
            if self._board is not None:
                self._board.close()
        return self._report()

    def _should_stop(self, interrupted: threading.Event) -> bool:
        """At once in a single process; several agree on it every `MEETING` iterations."""
        if self.trainer.group.world == 1:
            return interrupted.is_set()
        return self.trainer.iteration % MEETING == 0 and self.trainer.group.any(interrupted.is_set())

    @property
    def seconds(self) -> float:
        """Time the run has taken, all processes that worked at it."""
        return self.before + time.perf_counter() - self.started

    def _iterate(self) -> None:
        switched = self.trainer.rule.switched_at
        self._add(self.trainer.iterate())
        if self.trainer.rule.switched_at != switched:
            self._write("switch", {})
        iteration, last = self.trainer.iteration, self.trainer.iteration == self.trainer.iterations
        if iteration % self.log_every == 0 or last:
            self._log()
        if iteration % self.evaluate_every == 0 or last or self._broken:
            with self._budget.evaluation():
                self._evaluate()
            if not last:
                self._keep_budget()
        if time.perf_counter() - self.saved > self.config.checkpoint_seconds and not last:
            self._checkpoint()

    def _keep_budget(self) -> None:
        """With a time budget: another number of iterations, if the machine is not as fast as it was thought to be."""
        t = self.trainer
        possible = t.group.first(
            self._budget.iterations(self.seconds, t.iteration, t.iterations, self.evaluate_every)
        )
        if possible != t.iterations:
            t.iterations = self.alarms.iterations = possible
            self._write("plan", {"iterations": possible})

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

    def _evaluate(self) -> None:
        """Evaluate samples, and keep the weights if they are the best so far."""
        if self.run is None or self._broken:
            return
        iteration, figures = self.trainer.iteration, self.monitor.evaluate()
        self._write("evaluation", figures)
        self._raise(self.alarms.evaluation(iteration, figures))
        sheet = self.monitor.grid()
        pictures.save_picture(self.run.samples / f"{iteration:08d}.png", sheet)
        if self._board is not None:
            self._board.picture("samples", sheet, iteration)
        score = figures.get("score", 0.0)
        self.highest = max(self.highest, score)
        if not self.best or score >= self.highest - SCORE_NOISE:
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
        epochs = recipe.epochs_per_iteration(len(self.trainer.stream))
        title, frames = f"{recipe.name}: {recipe.summary}", sorted(self.run.samples.glob("*.png"))
        pictures.save_curves(self.run.root / "curves.png", history, title, epochs)
        pictures.save_animation(self.run.root / "progress.gif", frames)
        pictures.save_strip(self.run.root / "progress.png", frames)
        self._keep_critic(self.run)
        report = self._report()
        summary = {key: value for key, value in asdict(report).items() if key not in ("run", "leads")}
        write_bytes(self.run.root / "summary.json", (json.dumps(summary, indent=1) + "\n").encode())
        self.run.resume.unlink(missing_ok=True)

    def _keep_critic(self, run: Run) -> None:
        """The last critic, which nothing samples from, and how its weights are spread, where something holds them."""
        critic, recipe = self.trainer.players.critic, self.trainer.recipe
        if critic is None or self._broken:
            return
        weights = critic.state_dict()
        save_weights(
            run.root / CRITIC,
            weights,
            {"architecture": "critic", "network": self.trainer.players.spec.as_json()},
        )
        if recipe.constrained:
            save_weight_histograms(run.root / "critic_weights.png", layer_weights(weights), recipe.clip)

    def _report(self, *, interrupted: bool = False) -> GeneratorReport:
        return GeneratorReport(
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
            verdict=self._verdict(),
        )

    def _verdict(self) -> str:
        if self._broken:
            return "Broken: a figure was no number any more; lower --lr, or choose another recipe."
        alarms = list(dict.fromkeys(alarm.kind for alarm in self.alarms.raised))
        return in_words(self.best) + (f" Alarms on the way: {', '.join(alarms)}." if alarms else "")

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
            "highest": self.highest,
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
            self.alarms.iterations = self.trainer.iterations
            self.best, self.best_iteration = dict(state["best"]), int(state["best_iteration"])
            self.highest = float(state["highest"])
            self.before = float(state["seconds"])
            self._sums, self._count = dict(state["sums"]), int(state["count"])
        except (KeyError, RuntimeError, ValueError) as error:
            first = str(error).splitlines()[0]
            raise CaptchaLabError(
                f"The checkpoint does not fit this run ({first}): start it again."
            ) from error


@contextmanager
def _interruptions() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets, so that the iteration ends well; a second Ctrl-C breaks off.

    SIGTERM is what torchrun and schedulers send, at times one after the other.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def note(number: int, frame: Any) -> None:
        if number == signal.SIGINT and event.is_set():
            raise KeyboardInterrupt
        event.set()

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
