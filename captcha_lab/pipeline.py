"""Chains stages for commands that do the earlier steps themselves; the only module that knows several stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.errors import CaptchaLabError
from captcha_lab.segment import Segmenter
from captcha_lab.store.runs import Run
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.datasets.captcha import SegmentReport
    from captcha_lab.generate.batches import PackedBatches
    from captcha_lab.generate.choose import Choice
    from captcha_lab.generate.config import TrainConfig as GeneratorConfig
    from captcha_lab.generate.overview import Overview
    from captcha_lab.generate.parallel import Group
    from captcha_lab.generate.quality import RecogniserQuality
    from captcha_lab.generate.request import Produced, Request
    from captcha_lab.generate.sample import Generator
    from captcha_lab.generate.train import Hooks
    from captcha_lab.generate.train import TrainReport as GeneratorReport
    from captcha_lab.recognise.config import TrainConfig
    from captcha_lab.recognise.read import ReadReport, Recogniser
    from captcha_lab.recognise.train import TrainReport
    from captcha_lab.store.packed import PackedSet

Say = Callable[[str], None]
Progress = Callable[[int, int], None]  # (done, total)
PREVIEWED = 24  # captchas drawn by `segment --preview`


def silent(done: int, total: int) -> None:
    """A progress callback that shows nothing."""


def locate(dataset: str | None = None) -> tuple[Workspace, DatasetFolder]:
    """The workspace around the current folder, and one of its datasets."""
    workspace = Workspace.find()
    return workspace, workspace.dataset(dataset)


def segment(
    folder: DatasetFolder, segmenter: Segmenter, preview: Path | None = None, progress: Progress = silent
) -> SegmentReport:
    """Cut all captchas of a dataset, and draw some of them where a path is given.

    Raises:
        CaptchaLabError: there is no dataset, or it holds no captchas.
    """
    from captcha_lab.datasets.captcha import segment_dataset
    from captcha_lab.store.images import check_target

    if preview is not None:
        check_target(preview)
    report = segment_dataset(folder, segmenter, progress)
    if report.captchas == 0:
        raise CaptchaLabError(
            f"Dataset {folder.name} holds no captchas: run `captcha-lab scrape` or `captcha-lab import`."
        )
    if preview is not None:
        _draw_preview(folder, segmenter, preview)
    return report


def _draw_preview(folder: DatasetFolder, segmenter: Segmenter, path: Path) -> None:
    import numpy as np

    from captcha_lab.datasets.captcha import captchas
    from captcha_lab.segment.preview import preview as draw
    from captcha_lab.store.catalog import Catalog
    from captcha_lab.store.images import write_image

    with Catalog(folder.catalog_path, create=False) as catalog:
        rows = catalog.images()
    chosen = np.unique(np.linspace(0, len(rows) - 1, PREVIEWED).astype(int))
    images = [image for _, image in captchas(folder, [rows[k] for k in chosen], problems=[])]
    write_image(path, draw(images, segmenter))


def describe_segmentation(report: SegmentReport, preview: Path | None = None) -> list[str]:
    """What a segmentation found, as lines for people."""
    meaning = {
        "empty": "hold no ink",
        "seam": "have ink that runs over a seam into the next cell",
        "fragment": "hold a piece of a neighbour",
    }
    lines = [f"Cut {report.captchas} captchas into {report.cells} glyphs."]
    lines += [
        f"  {report.flagged.get(flag, 0):6d} ({report.flagged.get(flag, 0) / max(report.cells, 1):.1%}) {text}"
        for flag, text in meaning.items()
    ]
    lines += [f"  unreadable: {problem}" for problem in report.unreadable]
    return [*lines, f"Preview: {preview}"] if preview else lines


def ensure_segmented(
    workspace: Workspace, folder: DatasetFolder, say: Say, progress: Progress = silent
) -> None:
    """Cut what has come since the last cut, and say so.

    Raises:
        CaptchaLabError: there is no dataset.
    """
    from captcha_lab.datasets.captcha import segment_dataset, segmenter_of
    from captcha_lab.store.catalog import Catalog

    with Catalog(folder.catalog_path, create=False) as catalog:
        segmenter = segmenter_of(catalog, Segmenter(glyphs=workspace.config.length))
        pending = catalog.unsegmented(segmenter.version)
    if pending:
        report = segment_dataset(folder, segmenter, progress, only_new=True)
        say(f"Segmented {report.captchas} new captchas into {report.cells} glyphs.")


def ensure_packed(
    workspace: Workspace, folder: DatasetFolder, say: Say, seed: int = 0, progress: Progress = silent
) -> PackedSet:
    """The dataset's packed set, up to date: captchas are segmented and packed, faces and digits were prepared.

    Raises:
        CaptchaLabError: there is nothing to pack, or a label is outside the alphabet.
    """
    from captcha_lab.datasets.captcha import pack
    from captcha_lab.store.packed import read_packed

    if not folder.catalog_path.exists() and folder.packed_path.exists():
        return read_packed(folder.packed_path)
    ensure_segmented(workspace, folder, say, progress)
    return pack(folder, workspace.config.alphabet, seed, progress)


def train(
    workspace: Workspace,
    folder: DatasetFolder,
    config: TrainConfig,
    name: str | None = None,
    say: Say = lambda message: None,
    progress: Progress = silent,
) -> TrainReport:
    """Train the recogniser on a dataset's labels, packing them first.

    Raises:
        CaptchaLabError: see `ensure_packed` and `recognise.train.train_recogniser`.
    """
    from captcha_lab.recognise.train import train_recogniser

    data = ensure_packed(workspace, folder, say)
    return train_recogniser(
        data, workspace.models, config, name, lambda scalars: progress(scalars["epoch"], config.epochs)
    )


def find_model(workspace: Workspace, model: str | None, kind: str) -> Path:
    """The run folder or model file a user means: a path, a run's name, or nothing for the newest of a kind.

    Raises:
        CaptchaLabError: there is none.
    """
    from captcha_lab.store.runs import all_runs, latest_run

    if model is None:
        newest = latest_run(workspace.models, kind)
        if newest is None:
            command = {"recogniser": "train", "generator": "train-gen"}.get(kind, "train")
            raise CaptchaLabError(
                f"There is no {kind} in {workspace.models} yet: run `captcha-lab {command}` first."
            )
        return newest.root
    for path in (workspace.models / model, Path(model)):
        if path.exists():
            return path
    names = ", ".join(run.name for run in all_runs(workspace.models, kind)) or "none"
    raise CaptchaLabError(f"There is no model {model} (a path, or one of the runs: {names}).")


def load_recogniser(workspace: Workspace, model: str | None = None) -> Recogniser:
    """The recogniser a user means (see `find_model`)."""
    from captcha_lab.recognise.read import Recogniser

    return Recogniser.load(find_model(workspace, model, "recogniser"))


def read(paths: list[Path], model: str | None = None, progress: Progress = silent) -> ReadReport:
    """Read captcha files and folders with a recogniser of the workspace (see `recognise.read.read_files`)."""
    from captcha_lab.recognise.read import read_files

    return read_files(load_recogniser(Workspace.find(), model), paths, progress)


# Generators


@dataclass(frozen=True)
class GeneratorData:
    """What a generator trains on: a packed file, and which of its columns are the condition."""

    path: Path
    dataset: str
    condition: str
    """classes, attributes or none: what the data could tell a conditional generator."""
    attributes: tuple[str, ...] = ()

    def batches(self, labelled: bool, seed: int, group: Group) -> PackedBatches:
        """The stream of one run; `labelled` = with conditions."""
        from captcha_lab.datasets.batches import BatchOptions
        from captcha_lab.generate.batches import PackedBatches

        condition = self.condition if labelled else "none"
        options = BatchOptions(
            condition=condition, attributes=self.attributes, seed=seed, rank=group.rank, world=group.world
        )
        return PackedBatches(self.path, options)


def generator_data(
    workspace: Workspace,
    folder: DatasetFolder,
    group: Group,
    say: Say,
    attributes: tuple[str, ...] = (),
) -> GeneratorData:
    """Pack the dataset where that is needed (the first process does it), and see what labels it has.

    Raises:
        CaptchaLabError: see `ensure_packed`.
    """
    if group.leads:
        ensure_packed(workspace, folder, say)
    group.wait()
    return packed_condition(folder, attributes)


def packed_condition(folder: DatasetFolder, attributes: tuple[str, ...]) -> GeneratorData:
    """What a packed dataset could tell a conditional generator: classes, else attributes, else nothing.

    Raises:
        CaptchaLabError: the packed file can't be read.
    """
    from captcha_lab.store.packed import SPLITS, UNLABELLED, open_packed

    with open_packed(folder.packed_path) as (_, facts):
        train = facts.split[()] == SPLITS.index("train")
        if facts.labels is not None and (facts.labels[()][train] != UNLABELLED).any() and not attributes:
            condition = "classes"
        else:
            condition = "none" if facts.attributes is None else "attributes"
    return GeneratorData(folder.packed_path, folder.name, condition, attributes)


def recogniser_quality(
    workspace: Workspace, data: GeneratorData, say: Say, name: str | None = None
) -> tuple[RecogniserQuality | None, str | None]:
    """The newest (or named) recogniser as judge of samples while training, and its run's name; None without one.

    A recogniser that reads other classes or another size is no judge.
    """
    from captcha_lab.generate.quality import RecogniserQuality
    from captcha_lab.recognise.read import Recogniser
    from captcha_lab.store.packed import open_packed
    from captcha_lab.store.runs import latest_run

    newest = latest_run(workspace.models, "recogniser")
    root = workspace.models / name if name else newest.root if newest else None
    if root is None:
        say("No recogniser yet: the best weights are chosen by pixels alone (`captcha-lab train` makes one).")
        return None, None
    recogniser = Recogniser.load(root)
    with open_packed(data.path) as (_, facts):
        shape, classes = facts.images.shape[1:], facts.classes
        if shape != (recogniser.size, recogniser.size) or (classes and classes != recogniser.classes):
            return None, None
        rows = (facts.split[()] == 1).nonzero()[0]
        real = facts.images[()][rows if len(rows) >= 64 else slice(None)][:2000]
    if len(real) < 16:
        return None, None
    return RecogniserQuality(recogniser, real), root.name


def train_generator(
    workspace: Workspace,
    folder: DatasetFolder,
    choice: Choice,
    config: GeneratorConfig,
    *,
    name: str | None = None,
    attributes: tuple[str, ...] = (),
    say: Say = lambda message: None,
    progress: Progress = silent,
) -> GeneratorReport:
    """Train the generator a user asks for on a dataset, packing it first.

    Raises:
        UsageError: the choice makes no recipe, or not for this data.
        CaptchaLabError: see `ensure_packed` and `generate.train.train`.
    """
    from captcha_lab.generate.choose import choose
    from captcha_lab.generate.parallel import join_group
    from captcha_lab.generate.train import choose_device, train

    choose(choice)  # a wrong option is said before any work is done
    group = join_group(choose_device(config.device))
    data = generator_data(workspace, folder, group, say, attributes)
    if data.condition == "none":
        choice = replace(choice, label=False)
        if group.leads:
            say(
                "There are no labels yet: training without a condition (`captcha-lab label --review` gives some)."
            )
    recipe = choose(choice, labelled=data.condition != "none")
    quality, judge = recogniser_quality(workspace, data, say) if group.leads else (None, None)
    facts = {"dataset": data.dataset, "attributes": list(attributes), "judge": judge}
    with data.batches(recipe.labelled, config.seed, group) as batches:
        return train(
            recipe,
            batches,
            workspace.models,
            config,
            name=name,
            facts=facts,
            quality=quality,
            hooks=_generator_hooks(say, progress),
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
    say: Say = lambda message: None,
    progress: Progress = silent,
) -> list[GeneratorReport]:
    """Several seeds, one run each (see `train_generator`); a run that is interrupted is the last."""
    reports: list[GeneratorReport] = []
    for k in range(seeds):
        own = name if name is None or seeds == 1 else f"{name}-{k + 1}"
        seeded = replace(config, seed=config.seed + k)
        report = train_generator(
            workspace, folder, choice, seeded, name=own, attributes=attributes, say=say, progress=progress
        )
        reports.append(report)
        if report.interrupted:
            break
    return reports


def overview_generator(folder: DatasetFolder, choice: Choice, device: str) -> Overview:
    """What a choice would build: for the packed dataset where there is one, else for the source's image size."""
    from captcha_lab.generate.choose import choose
    from captcha_lab.generate.overview import overview
    from captcha_lab.generate.parallel import Group

    if not folder.packed_path.exists():
        return overview(choose(choice), device=device)
    data = packed_condition(folder, ())
    recipe = choose(choice, labelled=data.condition != "none")
    with data.batches(recipe.labelled, 0, Group()) as batches:
        return overview(recipe, batches, device=device)


def resume_generator(
    workspace: Workspace, model: str, say: Say = lambda message: None, progress: Progress = silent
) -> GeneratorReport:
    """Continue an interrupted run (see `generate.train.resume` for errors)."""
    from captcha_lab.generate.parallel import join_group
    from captcha_lab.generate.recipe import Recipe
    from captcha_lab.generate.train import choose_device, resume

    run = Run.open(workspace.models / model if (workspace.models / model).exists() else Path(model))
    stored = run.config()
    if stored.get("kind") != "generator":
        raise CaptchaLabError(f"{run.name} is a {stored.get('kind')}, not a generator's run.")
    group = join_group(choose_device(stored["train"]["device"]))
    folder = workspace.dataset(stored["dataset"])
    data = generator_data(workspace, folder, group, say, tuple(stored["attributes"]))
    quality = None
    if stored["judge"] and group.leads:
        quality, _ = recogniser_quality(workspace, data, say, stored["judge"])
    labelled = Recipe.from_json(stored["recipe"]).labelled
    with data.batches(labelled, stored["train"]["seed"], group) as batches:
        return resume(run, batches, quality=quality, hooks=_generator_hooks(say, progress), group=group)


def _generator_hooks(say: Say, progress: Progress) -> Hooks:
    from captcha_lab.generate.train import Hooks

    return Hooks(
        progress=lambda done, total, figures: progress(done, total),
        alarm=lambda alarm: say(f"Alarm at iteration {alarm.iteration}: {alarm.message}"),
    )


def load_generator(workspace: Workspace, model: str | None = None) -> Generator:
    """The generator a user means (see `find_model`)."""
    from captcha_lab.generate.sample import load_generator as load

    return load(find_model(workspace, model, "generator"))


def generate(request: Request, model: str | None = None) -> Produced | None:
    """Draw samples from a generator of the workspace (see `generate.request.fulfil` for errors)."""
    from captcha_lab.generate.parallel import join_group
    from captcha_lab.generate.request import fulfil

    workspace = Workspace.find()
    path = find_model(workspace, model, "generator")
    return fulfil(request, load_generator(workspace, model), path.name, join_group())
