"""Generator runs of a workspace as what `eval` scores: which ones, and how each is drawn from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from captcha_lab.errors import CaptchaLabError
from captcha_lab.pipeline.common import find_model
from captcha_lab.pipeline.models import choose_run, dataset_of
from captcha_lab.store.runs import Run, all_runs
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from captcha_lab.evaluate.generators.candidate import Candidate, Training
    from captcha_lab.evaluate.real import RealData
    from captcha_lab.evaluate.request import EvalRequest
    from captcha_lab.evaluate.subject import Images
    from captcha_lab.generate.sampling.sample import Generator

STRIPS, STEPS = 4, 9  # walks through a generator, and pictures in each
SHEETS = 5  # of samples from earlier in training


def generator_candidates(
    workspace: Workspace,
    folder: DatasetFolder,
    request: EvalRequest,
    real: RealData,
    repeated: Callable[[Run], list[Run]],
) -> tuple[list[Candidate], list[str]]:
    """Candidates of the runs asked for, each with those that `repeated` gives for it, and notes on those left out."""
    from captcha_lab.evaluate.generators.candidate import check_candidate

    if request.runs:
        runs = [Run.open(find_model(workspace, name, "generator")) for name in request.runs]
        found = {again.name: again for run in runs for again in repeated(run)}
        return [run_candidate(run) for run in found.values()], []
    if not request.every:
        if request.figures is not None:
            return [], []
        chosen = choose_run(workspace, "generator", folder.name)
        if chosen is None or dataset_of(chosen.run) != folder.name:
            return [], [f"There is no generator of {folder.name} yet: `captcha-lab train-gen` trains one."]
        notes = [chosen.message] if chosen.worse else []
        return [run_candidate(run) for run in repeated(chosen.run)], notes
    candidates, notes = [], []
    for run in all_runs(workspace.models, "generator"):
        if not run.weights.is_file():
            notes.append(f"{run.name} has no weights yet and is left out.")
            continue
        try:
            candidate = run_candidate(run)
            check_candidate(candidate, real, 0)
        except CaptchaLabError as error:
            notes.append(f"{run.name} is left out: {error}")
            continue
        candidates.append(candidate)
    if not candidates:
        notes.append(f"No generator in {workspace.models} fits dataset {folder.name}.")
    return candidates, notes


def run_candidate(run: Run) -> Candidate:
    """A generator run as a candidate: its sampler, its configuration and its history."""
    from captcha_lab.evaluate.generators.candidate import Candidate
    from captcha_lab.generate.pixels import scaled
    from captcha_lab.generate.sampling.sample import load_generator

    generator = load_generator(run.root)
    config = run.config()
    # Of the data: a recipe may work at a size of its own.
    height, width = config.get("image_shape", generator.image_shape)[:2]
    recipe = config.get("recipe", {})
    facts: dict[str, Any] = {
        "run": run.name,
        "recipe": recipe.get("name") if isinstance(recipe, dict) else recipe,
        "command": f"captcha-lab eval --model {run.name}",
        "classes": list(generator.classes) if generator.exclusive else [],
        "config": config,
        "history": run.history(),
    }
    return Candidate(
        run.name,
        lambda labels, count, seed: scaled(generator.sample(labels, count, seed), (height, width)),
        labelled=generator.labelled,
        facts=facts,
        attributes=() if generator.exclusive or generator.places else generator.classes,
        strips=lambda: _strips(generator),
        training=lambda: _training(run),
    )


def _training(run: Run) -> Training:
    """What training left behind: sheets of samples evenly from the first to the last, and what draws the plots."""
    from captcha_lab.evaluate.generators.candidate import Training
    from captcha_lab.generate.recipe import Recipe
    from captcha_lab.generate.watching.pictures import curves_figure
    from captcha_lab.generate.watching.weights import CRITIC, run_layer_weights, weight_histograms
    from captcha_lab.store.images import read_image

    def weights() -> Figure | None:
        recipe = Recipe.from_json(run.config()["recipe"])
        if not recipe.constrained or not (run.root / CRITIC).is_file():
            return None
        return weight_histograms(run_layer_weights(run), recipe.clip)

    files = [file for file in sorted(run.samples.glob("*.png")) if file.stem.isdigit()]
    last = len(files) - 1
    chosen = sorted({round(k * last / (SHEETS - 1)) for k in range(SHEETS)}) if files else []
    animation = run.root / "progress.gif"
    return Training(
        [(int(files[k].stem), read_image(files[k])) for k in chosen],
        animation.read_bytes() if animation.is_file() else None,
        lambda: curves_figure(run.history()),
        weights,
    )


def _strips(generator: Generator) -> list[Images]:
    """Walks from one sample to another; a labelled generator goes from one class, or set of attributes, to another."""
    import numpy as np

    strips = []
    for k in range(STRIPS):
        asked: tuple[int, int] | np.ndarray | None = None
        if generator.places:
            asked = generator.texts.encode(generator.texts.draw(1, generator.lengths, k) * 2)
        elif generator.labelled and generator.exclusive:
            asked = (2 * k % len(generator.classes), (2 * k + 1) % len(generator.classes))
        elif generator.labelled:
            # From nothing to one attribute: what changes beside the noise is that attribute.
            asked = np.zeros((2, len(generator.classes)), np.float32)
            asked[1, k % len(generator.classes)] = 1
        strips.append(generator.walk(2 * k, 2 * k + 1, STEPS, asked))
    return strips
