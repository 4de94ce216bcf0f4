"""`eval --seeds N --retrain`: the training itself repeated, one further run for each seed that has none yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from captcha_lab.errors import CaptchaLabError
from captcha_lab.pipeline.common import Say
from captcha_lab.pipeline.generator_data import run_data
from captcha_lab.progress import PhaseProgress
from captcha_lab.store.runs import Run, all_runs
from captcha_lab.store.workspace import Workspace


def repeated_runs(workspace: Workspace, run: Run, seeds: int, say: Say, progress: PhaseProgress) -> list[Run]:
    """The run and others of its recipe, length and data under other training seeds, `seeds` in all.

    Those that exist are taken first; what is missing is trained as the run was, and stays in the workspace.

    Raises:
        CaptchaLabError: the run is no finished generator, or training fails.
    """
    from captcha_lab.evaluate.generators.groups import family, training_seed

    config = run.config()
    same, first = family({"config": config}), training_seed({"config": config})
    if same is None or first is None:
        raise CaptchaLabError(f"{run.name} does not say how it was trained, so it can't be trained again.")
    known = {first: run}
    for other in all_runs(workspace.models, "generator"):
        facts = {"config": other.config()}
        seed = training_seed(facts)
        if seed is not None and other.weights.is_file() and family(facts) == same:
            known.setdefault(seed, other)
    chosen = [run, *(known[seed] for seed in sorted(known) if seed != first)][:seeds]
    seed = first
    while len(chosen) < seeds:
        seed += 1
        if seed not in known:
            say(f"Training {run.name} again with seed {seed}.")
            chosen.append(_train_again(workspace, run, config, seed, say, progress))
    return chosen


def _train_again(
    workspace: Workspace,
    run: Run,
    config: dict[str, Any],
    seed: int,
    say: Say,
    progress: PhaseProgress,
) -> Run:
    from captcha_lab.generate.recipe import Recipe
    from captcha_lab.generate.training.config import GeneratorConfig
    from captcha_lab.generate.training.train import Hooks, choose_device, train
    from captcha_lab.parallel import join_group

    recipe, how = Recipe.from_json(config["recipe"]), replace(GeneratorConfig(**config["train"]), seed=seed)
    group = join_group(choose_device(how.device))
    attributes = tuple(config.get("attributes") or ())
    folder = workspace.dataset(config["dataset"])
    whole = bool(config.get("whole"))
    data = run_data(workspace, folder, group, say, attributes, whole=whole)
    quality, judge = data.judge(workspace, say)
    facts = {"dataset": data.dataset, "attributes": list(attributes), "judge": judge, "whole": whole}
    hooks = Hooks(progress=lambda done, total, figures: progress("training again", done, total))
    name = f"{run.name}-seed{seed}"
    with data.stream(recipe, seed, group) as batches:
        report = train(
            recipe, batches, workspace.models, how,
            name=None if (workspace.models / name).exists() else name,
            facts=facts, quality=quality, hooks=hooks, group=group,
        )  # fmt: skip
    if report.interrupted:
        raise CaptchaLabError(f"Training {report.run.name} was interrupted: nothing was evaluated.")
    return Run.open(report.run)
