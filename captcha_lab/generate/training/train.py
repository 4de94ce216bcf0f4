"""The one training loop: runs a recipe, writes its run folder, resumes it bit for bit."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.generate.players.streams import TrainingStream
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.training.budget import plan, planned_iterations
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.generate.training.monitor import Monitor, Quality
from captcha_lab.generate.training.report import GeneratorReport, Hooks
from captcha_lab.generate.training.session import Session
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.generate.training.tuning import choose_precision, choose_threads, limited
from captcha_lab.parallel import Group
from captcha_lab.store.runs import Run, load_resume

__all__ = ["GeneratorReport", "Hooks", "choose_device", "resume", "train"]

KIND = "generator"


def train(
    recipe: Recipe,
    stream: TrainingStream,
    models: Path,
    config: GeneratorConfig | None = None,
    *,
    name: str | None = None,
    facts: dict[str, Any] | None = None,
    quality: Quality | None = None,
    hooks: Hooks | None = None,
    group: Group | None = None,
) -> GeneratorReport:
    """Train a recipe on a stream of images, in a new run folder.

    Args:
        recipe: what to train.
        stream: what to train on.
        models: the folder of all runs.
        config: length, seed, device.
        name: of the run; None = by date.
        facts: what to remember with the run, for resuming (the dataset's name, for instance); JSON values.
        quality: judges samples; its "score" chooses which weights are kept (None: the last).
        hooks: called with progress and alarms.
        group: this process among others.

    Raises:
        UsageError: parts of the recipe that don't fit each other or the data.
        CaptchaLabError: the disk refuses.
    """
    started = time.perf_counter()
    config = config or GeneratorConfig()
    device = group.device if group else choose_device(config.device)
    config = replace(config, precision=choose_precision(recipe, config.precision, device))
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        trainer = Trainer(
            recipe,
            stream,
            planned_iterations(recipe, len(stream), config),
            config.seed,
            device,
            group,
            config.precision,
        )
        monitor = Monitor(trainer, config.samples, config.seed, quality)
        config = replace(config, threads=choose_threads(trainer, config.threads))
        with limited(config.threads):
            trainer.iterations, evaluations = plan(trainer, monitor, config, started)
            config = replace(config, evaluations=evaluations)
            run = None
            if trainer.group.leads:
                stored = {
                    "recipe": recipe.as_json(),
                    "train": asdict(config),
                    "iterations": trainer.iterations,
                    "classes": list(trainer.names),
                    "exclusive": stream.exclusive,
                    "image_shape": list(stream.image_shape),
                    **(facts or {}),
                }
                run = Run.create(models, KIND, name, stored)
            return Session(run, trainer, monitor, config, hooks or Hooks()).go(started)


def resume(
    run: Run,
    stream: TrainingStream,
    *,
    quality: Quality | None = None,
    hooks: Hooks | None = None,
    group: Group | None = None,
) -> GeneratorReport:
    """Continue an interrupted or killed run; on a CPU the result equals an uninterrupted run's bit for bit.

    Args:
        run: the run's folder.
        stream: the same data, from its beginning.
        quality: the same judge.
        hooks: called with progress and alarms.
        group: this process among others.

    Raises:
        CaptchaLabError: the run has finished, its checkpoint is damaged, or the data has changed.
    """
    stored = run.config()
    if (run.root / "summary.json").is_file():
        raise CaptchaLabError(f"The run {run.name} has finished: there is nothing to resume.")
    try:
        recipe, config = Recipe.from_json(stored["recipe"]), GeneratorConfig(**stored["train"])
        iterations, shape = int(stored["iterations"]), tuple(stored["image_shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise CaptchaLabError(f"{run.root / 'config.json'} is not a generator's run ({error}).") from error
    if shape != tuple(stream.image_shape):
        raise CaptchaLabError(
            f"The run {run.name} was trained on images {shape}, the data now has {tuple(stream.image_shape)}."
        )
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        device = group.device if group else choose_device(config.device)
        trainer = Trainer(recipe, stream, iterations, config.seed, device, group, config.precision)
        monitor = Monitor(trainer, config.samples, config.seed, quality)
        training = Session(run if trainer.group.leads else None, trainer, monitor, config, hooks or Hooks())
        if run.resume.is_file():  # a run killed before its first checkpoint begins again
            training.restore(load_resume(run.resume))
        if trainer.group.leads:
            run.cut_history("iteration", trainer.iteration)
        with limited(config.threads):
            return training.go(time.perf_counter())


def choose_device(name: str) -> str:
    """ "auto" as cuda where there is one, else cpu; other names as they are.

    Raises:
        UsageError: torch knows no such device, or this machine has none.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device {name}: choose auto, cpu or cuda.") from error
    here = torch.cuda.device_count() > (device.index or 0) if device.type == "cuda" else device.type == "cpu"
    if not here:
        raise UsageError(f"--device {name}: there is none here; choose auto or cpu.")
    return name
