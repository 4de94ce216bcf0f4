"""What the generator benchmarks share: real data in a scratch workspace, training, scoring."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from captcha_lab import pipeline
from captcha_lab.cli.output import say
from captcha_lab.collect.exchange.importer import import_path
from captcha_lab.collect.exchange.options import ImportOptions
from captcha_lab.datasets.base import PrepareOptions, dataset_module
from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.core import Evaluator
from captcha_lab.evaluate.generators.result import CandidateResult
from captcha_lab.evaluate.judging.judge import independent_readers
from captcha_lab.evaluate.readers import main_reader
from captcha_lab.evaluate.real import RealData
from captcha_lab.generate.choose import Choice
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.pipeline.common import silent
from captcha_lab.pipeline.evaluation.candidates import run_candidate
from captcha_lab.pipeline.evaluation.data import ensure_attribute_judge, load_data
from captcha_lab.progress import no_progress
from captcha_lab.recognise.classifier import Classifier
from captcha_lab.store.runs import Run, all_runs
from captcha_lab.store.workspace import DatasetFolder, Workspace
from scripts.benchmarks._machine import shared_data
from scripts.benchmarks._pictures import sheet

PRINTED_BEST = 0.9375  # the thesis's best labelled grid, read by a recogniser trained on its own captchas
FACE_SIDE = 64
SHOWN = (
    "attribute_frechet",
    "gan_test",
    "gan_test_judge",
    "gan_train",
    "recall",
    "coverage",
    "frechet",
    "variance",
    "neighbour",
)


@dataclass(frozen=True)
class Bench:
    """A workspace with real data, a recogniser, and an evaluator with the independent judge."""

    workspace: Workspace
    folder: DatasetFolder
    evaluator: Evaluator


@contextmanager
def scratch(keep: Path | None) -> Iterator[Workspace]:
    """A workspace in a folder that is kept, or in one that goes away."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield Workspace(keep.resolve())
        return
    with tempfile.TemporaryDirectory() as place:
        yield Workspace(Path(place))


def fetched(workspace: Workspace, dataset: str) -> DatasetFolder:
    """The dataset, fetched and packed where the workspace has none; captchas with a recogniser of their glyphs.

    Args:
        workspace: where to.
        dataset: "captcha", the thesis's; "mnist"; or "celeba".
    """
    folder = workspace.dataset(dataset)
    if dataset == "captcha":
        if not folder.catalog_path.exists():
            import_options = ImportOptions(labels="filename", split_from_folders=True)
            import_path(shared_data() / "ustc", folder, workspace.config, import_options)
        if not all_runs(workspace.models, "recogniser"):
            pipeline.train(workspace, folder, reader="glyph")
    elif not folder.packed_path.exists():
        options = PrepareOptions(size=FACE_SIDE if dataset == "celeba" else None)
        dataset_module(dataset).prepare(shared_data() / dataset, folder.packed_path, options, silent)
    return folder


@contextmanager
def prepared(config: EvalConfig, dataset: str = "captcha", keep: Path | None = None) -> Iterator[Bench]:
    """Fetch the data, pack it and train the readers.

    Args:
        config: how samples are measured.
        dataset: "captcha" or "mnist"; or "celeba", whose judge is the attribute network.
        keep: a folder for the workspace, whose finished runs are not trained again; None = one that goes away.
    """
    with scratch(keep) as workspace:
        folder = fetched(workspace, dataset)
        if dataset == "celeba":
            real = load_data(workspace, folder, say, config.seed).real
            assert real is not None  # it has no classes, so it was held out or refused
            attributes, _ = ensure_attribute_judge(workspace, folder, say, no_progress)
            yield Bench(workspace, folder, Evaluator(real, {}, config, attributes=attributes))
            return
        if dataset != "captcha":
            pipeline.train(workspace, folder, reader="glyph")
        data = pipeline.ensure_packed(workspace, folder, lambda message: None)
        independent, _ = independent_readers(data, workspace.models)
        recogniser = Classifier.load(pipeline.find_model(workspace, None, "recogniser"))
        readers = main_reader(recogniser) | {"judge": independent["judge"]}
        yield Bench(workspace, folder, Evaluator(RealData.from_packed(data), readers, config))


@dataclass(frozen=True)
class Trained:
    """One recipe trained and scored."""

    recipe: str
    iterations: int
    seconds: float
    alarms: tuple[str, ...]
    reached: float | None  # seconds of training until the recogniser read the printed best; None: not reached
    result: CandidateResult
    sheet: np.ndarray
    """Samples side by side, uint8 [H, W(, 3)]."""


def trained_run(
    workspace: Workspace, folder: DatasetFolder, choice: Choice, config: GeneratorConfig, name: str
) -> Run:
    """The finished run of that name: as it is kept, resumed from where it was interrupted, or trained."""
    place = workspace.models / name
    if not (place / "summary.json").is_file():
        if place.is_dir():
            report = pipeline.resume_generator(workspace, name)
        else:
            report = pipeline.train_generator(workspace, folder, choice, config, name=name)
        if report.interrupted:
            raise KeyboardInterrupt
    return Run.open(place)


def train_and_score(bench: Bench, choice: Choice, config: GeneratorConfig, name: str) -> Trained:
    """Train one recipe in the bench's workspace, unless that was done, and measure its kept weights."""
    run = trained_run(bench.workspace, bench.folder, choice, config, name)
    summary = json.loads((run.root / "summary.json").read_text())
    return Trained(
        recipe=summary["recipe"],
        iterations=summary["iterations"],
        seconds=summary["seconds"],
        alarms=tuple(dict.fromkeys(alarm["kind"] for alarm in summary["alarms"])),
        reached=seconds_to(run.history(), PRINTED_BEST),
        result=bench.evaluator.measure(run_candidate(run)),
        sheet=sheet(run.root),
    )


def seconds_to(history: list[dict[str, Any]], share: float) -> float | None:
    """Seconds after which samples were first read as asked in at least this share."""
    times = [row["seconds"] for row in history if row.get("gan_test", 0.0) >= share]
    return min(times) if times else None


def figures(result: CandidateResult) -> dict[str, float | None]:
    """The shown figures; None where a candidate has none."""
    return {key: result.figures[key].value if key in result.figures else None for key in SHOWN}


def beyond_baseline(result: CandidateResult) -> float:
    """Fréchet distance less the baseline's at the same sample size.

    What a finite sample adds is of the order 1/N and much alike for like images (Chong and Forsyth 2020, section 3),
    so the difference can be compared across sample sizes; a ratio would flatter the smaller sample.
    """
    return result.figures["frechet"].value - result.baseline["frechet"].value
