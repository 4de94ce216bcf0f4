"""Generators: trained, resumed and drawn from, on whatever dataset the workspace holds."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.errors import CaptchaLabError
from captcha_lab.pipeline.common import Progress, Say, find_model, silent
from captcha_lab.pipeline.generator_data import packed_condition, run_data
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.store.runs import Run, check_new
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from captcha_lab.generate.choose import Choice
    from captcha_lab.generate.sampling.options import SampleOptions, SampleReport
    from captcha_lab.generate.sampling.sample import Generator
    from captcha_lab.generate.training.config import GeneratorConfig
    from captcha_lab.generate.training.overview import Overview
    from captcha_lab.generate.training.train import GeneratorReport, Hooks
    from captcha_lab.generate.watching.quality import RecogniserQuality, TextQuality
    from captcha_lab.pipeline.generator_data import GeneratorData
    from captcha_lab.pipeline.whole import WholeData


def train_generator(
    workspace: Workspace,
    folder: DatasetFolder,
    choice: Choice,
    config: GeneratorConfig,
    *,
    name: str | None = None,
    attributes: tuple[str, ...] = (),
    whole: bool = False,
    say: Say = lambda message: None,
    progress: PhaseProgress = no_progress,
) -> GeneratorReport:
    """Train the generator a user asks for on a dataset, packing it first.

    Raises:
        UsageError: the choice makes no recipe, or not for this data.
        CaptchaLabError: see `ensure_packed` and `generate.train.train`.
    """
    from captcha_lab.generate.choose import choose, quicker, reason
    from captcha_lab.generate.training.train import choose_device, train
    from captcha_lab.parallel import join_group

    choose(choice)  # a wrong option is said before any work is done
    check_new(workspace.models, name)
    group = join_group(choose_device(config.device))
    data = run_data(workspace, folder, group, say, attributes, whole=whole)
    if data.condition == "none" and group.leads:
        hint = " (`captcha-lab label --review` gives some)" if folder.catalog_path.exists() else ""
        say(f"There are no labels yet: training without a condition{hint}.")
    recipe = data.recipe(choice)
    if group.leads:
        say(reason(choice, recipe, data.defaults))
        data.ensure_judge(workspace, folder, say, progress)
    quality, judge = data.judge(workspace, say) if group.leads else (None, None)
    facts = {"dataset": data.dataset, "attributes": list(attributes), "judge": judge, "whole": whole}
    with data.stream(recipe, config.seed, group) as stream:
        return train(
            recipe,
            stream,
            workspace.models,
            config,
            name=name,
            facts=facts,
            quality=quality,
            hooks=_generator_hooks(say, progress, recipe.name, quicker(recipe, data.defaults)),
            group=group,
        )


def train_generators(
    workspace: Workspace,
    folder: DatasetFolder,
    choice: Choice,
    config: GeneratorConfig,
    seeds: int,
    *,
    name: str | None = None,
    attributes: tuple[str, ...] = (),
    whole: bool = False,
    say: Say = lambda message: None,
    progress: PhaseProgress = no_progress,
) -> list[GeneratorReport]:
    """Several seeds, one run each (see `train_generator`); a run that is interrupted is the last."""
    reports: list[GeneratorReport] = []
    for k in range(seeds):
        own = name if name is None or seeds == 1 else f"{name}-{k + 1}"
        seeded = replace(config, seed=config.seed + k)
        report = train_generator(
            workspace,
            folder,
            choice,
            seeded,
            name=own,
            attributes=attributes,
            whole=whole,
            say=say,
            progress=progress,
        )
        reports.append(report)
        if report.interrupted:
            break
    return reports


def overview_generator(
    workspace: Workspace,
    folder: DatasetFolder,
    choice: Choice,
    config: GeneratorConfig,
    attributes: tuple[str, ...] = (),
    *,
    whole: bool = False,
) -> Overview:
    """What a choice would build: for the packed dataset where there is one, else for the source's image size.

    Raises:
        UsageError: as `train_generator`.
    """
    from captcha_lab.generate.choose import GLYPHS, WHOLE, choose
    from captcha_lab.generate.training.overview import overview
    from captcha_lab.parallel import Group

    data: GeneratorData | WholeData
    if whole and folder.catalog_path.exists():
        data = run_data(workspace, folder, Group(), lambda message: None, attributes, whole=True)
    elif whole or not folder.packed_path.exists():
        return overview(choose(choice, defaults=WHOLE if whole else GLYPHS), config=config)
    else:
        data = packed_condition(folder, attributes)
    recipe = data.recipe(choice)
    with data.stream(recipe, 0, Group()) as stream:
        return overview(recipe, stream, config)


def resume_generator(
    workspace: Workspace, model: str, say: Say = lambda message: None, progress: PhaseProgress = no_progress
) -> GeneratorReport:
    """Continue an interrupted run (see `generate.train.resume` for errors)."""
    from captcha_lab.generate.choose import quicker
    from captcha_lab.generate.recipe import Recipe
    from captcha_lab.generate.training.train import choose_device, resume
    from captcha_lab.parallel import join_group

    run = Run.open(workspace.models / model if (workspace.models / model).exists() else Path(model))
    stored = run.config()
    if stored.get("kind") != "generator":
        raise CaptchaLabError(f"{run.name} is a {stored.get('kind')}, not a generator's run.")
    needed = {"train": ("device", "seed"), "recipe": (), "dataset": (), "attributes": (), "judge": ()}
    missing = [
        key for key, inner in needed.items() if key not in stored or any(k not in stored[key] for k in inner)
    ]
    if missing:
        raise CaptchaLabError(f"{run.root / 'config.json'} says no {missing[0]}, as a generator's run does.")
    group = join_group(choose_device(stored["train"]["device"]))
    folder = workspace.dataset(stored["dataset"])
    data = run_data(
        workspace, folder, group, say, tuple(stored["attributes"]), whole=bool(stored.get("whole"))
    )
    quality: RecogniserQuality | TextQuality | None = None
    if stored["judge"] and group.leads:
        quality, _ = data.judge(workspace, say, stored["judge"])
    recipe = Recipe.from_json(stored["recipe"])
    hooks = _generator_hooks(say, progress, recipe.name, quicker(recipe, data.defaults))
    with data.stream(recipe, stored["train"]["seed"], group) as stream:
        return resume(run, stream, quality=quality, hooks=hooks, group=group)


def _generator_hooks(say: Say, progress: PhaseProgress, recipe: str, shorter: str) -> Hooks:
    from captcha_lab.generate.training.train import Hooks

    clock = _Clock(say, shorter)

    def started(run: Run) -> None:
        say(f"Pictures appear in {run.samples} as it learns.")
        if run.tensorboard.is_dir():
            say(f"Curves as it learns: tensorboard --logdir {shlex.quote(str(run.tensorboard))}")

    def advance(done: int, total: int, figures: dict[str, float]) -> None:
        losses = ("critic_loss", "generator_loss")
        shown = [f"{key.replace('_', ' ')} {figures[key]:.3g}" for key in losses if key in figures]
        progress(f"training {recipe}", done, total, ", ".join(shown))
        clock.advance(done, total)

    return Hooks(
        started=started,
        progress=advance,
        alarm=lambda alarm: say(f"Alarm at iteration {alarm.iteration}: {alarm.message}"),
    )


class _Clock:
    """Says once, after some seconds, how long the rest of a run will take and what would shorten it."""

    AFTER, LONG = 5.0, 20.0  # seconds of training until it is said; a rest that is worth a word

    def __init__(self, say: Say, shorter: str) -> None:
        self._say, self._shorter = say, shorter
        self._first: tuple[float, int] | None = None
        self._said = False

    def advance(self, done: int, total: int) -> None:
        """So many of the iterations are done."""
        now = time.perf_counter()
        if self._first is None:
            self._first = now, done
        seconds, iterations = now - self._first[0], done - self._first[1]
        if self._said or seconds < self.AFTER or not iterations:
            return
        self._said = True
        left = seconds / iterations * (total - done)
        if left > self.LONG:
            amount = f"{left:.0f} more seconds" if left < 100 else f"{left / 60:.0f} more minutes"
            self._say(
                f"At this speed the run takes about {amount}; {self._shorter}; Ctrl-C keeps it for --resume."
            )


def load_generator(workspace: Workspace, model: str | None = None) -> Generator:
    """The generator a user means (see `find_model`)."""
    from captcha_lab.generate.sampling.sample import load_generator as load

    return load(find_model(workspace, model, "generator"))


def generate(
    options: SampleOptions,
    models: Sequence[str] = (),
    progress: Progress = silent,
    say: Say = lambda message: None,
) -> SampleReport | None:
    """Draw samples from a generator of the workspace, or from several as from one (see `write_samples` for errors).

    Args:
        options: which samples, and where to.
        models: runs or model files; none = the generator in use.
        progress: called with (done, total).
        say: called with messages.
    """
    from captcha_lab.generate.sampling.mixture import mixture
    from captcha_lab.generate.sampling.write import write_samples
    from captcha_lab.parallel import join_group

    workspace = Workspace.find()
    paths = [find_model(workspace, model, "generator", say=say) for model in models or (None,)]
    runs = [(path.resolve().parent if path.is_file() else path.resolve()).name for path in paths]
    made = mixture([load_generator(workspace, str(path)) for path in paths])
    return write_samples(options, made, " and ".join(runs), join_group(), progress)
