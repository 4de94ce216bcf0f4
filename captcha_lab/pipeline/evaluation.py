"""Chains the stages for `eval`: data, recogniser, judge, generators, evaluation, report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.pipeline.candidates import generator_candidates
from captcha_lab.pipeline.captchas import train
from captcha_lab.pipeline.common import Say, StageProgress, find_model
from captcha_lab.pipeline.evaluation_data import ensure_attribute_judge, load_data
from captcha_lab.pipeline.repetition import repeated_runs
from captcha_lab.store.runs import Run
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.evaluate.config import EvalConfig
    from captcha_lab.evaluate.generators.candidate import Candidate
    from captcha_lab.evaluate.real import RealData
    from captcha_lab.evaluate.report.report import Report
    from captcha_lab.evaluate.request import EvalRequest
    from captcha_lab.evaluate.subject import Extractor
    from captcha_lab.recognise.classifier import Classifier


@dataclass(frozen=True)
class Evaluated:
    """A report and where it lies."""

    report: Report
    json_path: Path
    html_path: Path


def evaluate(
    workspace: Workspace,
    folder: DatasetFolder,
    request: EvalRequest,
    config: EvalConfig,
    say: Say,
    progress: StageProgress,
) -> Evaluated:
    """Evaluate the recogniser and generators of a workspace, and write the report.

    What is missing on the way is made where it can be (packing, a recogniser, the judge), and said.

    Raises:
        CaptchaLabError: there is nothing to evaluate, or a run doesn't fit the data.
        UsageError: a repeated training with one seed.
    """
    from captcha_lab.evaluate.generators.core import Evaluator
    from captcha_lab.evaluate.generators.printed import load_grids, train_panel
    from captcha_lab.evaluate.judging.judge import independent_readers
    from captcha_lab.evaluate.readers import main_reader
    from captcha_lab.evaluate.reading.glyphs import measure_glyphs
    from captcha_lab.evaluate.report.report import Report, verdict_sentence
    from captcha_lab.evaluate.report.write import write_report

    if request.retrain and config.seeds < 2:
        raise UsageError("--retrain repeats the training once for each further seed: give --seeds 2 or more.")
    folder = _folder_of(workspace, folder, request)
    _check_there(workspace, folder)
    extra = _extra(request)  # before any work: the file may be another one
    real, data = load_data(workspace, folder, say, config.seed)
    notes: list[str] = []
    recogniser, reader_run = _recogniser(workspace, folder, real, request, say, notes)

    def repeated(run: Run) -> list[Run]:
        return repeated_runs(workspace, run, config.seeds, say, progress) if request.retrain else [run]

    candidates, skipped = generator_candidates(workspace, folder, request, real, repeated)
    notes += skipped
    readers = {} if recogniser is None else main_reader(recogniser, f"lenet ({reader_run})")
    panel = {}
    if request.figures is not None:
        grids = load_grids(request.figures, real)
        candidates += grids.candidates
        reasons = dict.fromkeys(reason for _, reason in grids.skipped)
        for reason in reasons:
            names = [name for name, why in grids.skipped if why == reason]
            notes.append(f"Not scored ({reason}): {', '.join(names)}.")
        if any(c.labelled for c in grids.candidates) and real.labelled:
            panel = {"panel": train_panel(real, progress=progress)}
    if not candidates and recogniser is None:
        raise CaptchaLabError(
            f"There is nothing to evaluate: dataset {folder.name} has no labels to read against and "
            f"{workspace.models} holds no generator of it. Run `captcha-lab label` or `captcha-lab train-gen`."
        )
    if config.judge and recogniser is not None and data is not None and candidates:
        independent, said = independent_readers(data, workspace.models, progress=progress)
        readers |= independent
        notes += said
    evaluation, reads_attributes = None, None
    if candidates and recogniser is None and real.attribute_names:
        reads_attributes, said = ensure_attribute_judge(workspace, folder, say, progress)
        notes += said
    if candidates:
        evaluator = Evaluator(
            real, readers | panel, config, extra=extra, attributes=reads_attributes, progress=progress
        )  # fmt: skip
        evaluation = evaluator.run(candidates)
    reading = None
    if recogniser is not None and data is not None and data.part("test", labelled=True).labels is not None:
        reading = measure_glyphs(recogniser, data, seed=config.seed, progress=progress)
    report = Report(
        verdict_sentence(evaluation, reading), evaluation, reading, folder.name, request.command, notes
    )
    target = request.folder or _report_folder(workspace, candidates, reader_run)
    return Evaluated(report, *write_report(report, target))


def _folder_of(workspace: Workspace, folder: DatasetFolder, request: EvalRequest) -> DatasetFolder:
    """The dataset the named run was trained on, where the configured one isn't there at all."""
    if folder.catalog_path.exists() or folder.packed_path.exists() or not request.runs:
        return folder
    named = Run.open(find_model(workspace, request.runs[0], "generator")).config().get("dataset")
    return workspace.dataset(named) if named else folder


def _check_there(workspace: Workspace, folder: DatasetFolder) -> None:
    """Raises CaptchaLabError where the workspace has no such dataset."""
    if not folder.catalog_path.exists() and not folder.packed_path.exists():
        raise CaptchaLabError(
            f"There is nothing to evaluate: the workspace {workspace.root} has no dataset {folder.name}. "
            "Begin with `captcha-lab scrape`, or name another one with --dataset."
        )


def _recogniser(
    workspace: Workspace,
    folder: DatasetFolder,
    real: RealData,
    request: EvalRequest,
    say: Say,
    notes: list[str],
) -> tuple[Classifier | None, str]:
    """The named recogniser, else the newest that fits, else a new one; None where there are no labels."""
    from captcha_lab.recognise.classifier import Classifier, fitting_classifier

    if request.recogniser is not None:
        path = find_model(workspace, request.recogniser, "recogniser")
        return Classifier.load(path), path.name
    if real.attribute_names:
        return None, ""
    found = fitting_classifier(workspace.models, real.classes, real.image_shape) if real.labelled else None
    if found is not None:
        return found[0], found[1].name
    if not real.labelled:
        notes.append(
            "The data has no labels, so nobody can read the samples: distances are between pixels. "
            "`captcha-lab label` gives labels."
        )
        return None, ""
    if real.image_shape[0] != real.image_shape[1]:
        notes.append(
            "The images are not square, so the recogniser can't read them: distances are between pixels."
        )
        return None, ""
    say("No recogniser of this dataset yet: training one.")
    report = train(workspace, folder, reader="glyph", say=say).chosen
    return Classifier.load(report.run.root), report.run.name


def _extra(request: EvalRequest) -> list[Extractor]:
    if request.inception is None:
        return []
    from captcha_lab.evaluate.judging.inception import load_inception

    return [load_inception(request.inception)]


def _report_folder(workspace: Workspace, candidates: list[Candidate], reader: str) -> Path:
    """In the run's own folder for one run, in the workspace's `evaluation/` for several or printed grids."""
    if len(candidates) == 1 and "run" in candidates[0].facts:
        return workspace.models / str(candidates[0].facts["run"]) / "evaluation"
    if not candidates and reader:
        return workspace.models / reader / "evaluation"
    return workspace.root / "evaluation"
