"""Chains the stages for `eval`: data, recogniser, judge, generators, evaluation, report."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import date
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.extras import require
from captcha_lab.pipeline.common import Say, check_folder, find_model
from captcha_lab.pipeline.evaluation.candidates import generator_candidates
from captcha_lab.pipeline.evaluation.data import EvaluationData, ensure_attribute_judge, load_data
from captcha_lab.pipeline.evaluation.readers import captcha_reader, glyph_classifier, text_curve
from captcha_lab.pipeline.evaluation.repetition import repeated_runs
from captcha_lab.pipeline.evaluation.whole import asks_for_whole, measure_whole
from captcha_lab.plot import Plot
from captcha_lab.progress import PhaseProgress
from captcha_lab.store.runs import Run, latest_run
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.evaluate.config import EvalConfig
    from captcha_lab.evaluate.generators.candidate import Candidate
    from captcha_lab.evaluate.generators.result import Evaluation
    from captcha_lab.evaluate.readers import SampleReader
    from captcha_lab.evaluate.real import RealData
    from captcha_lab.evaluate.report.report import Report
    from captcha_lab.evaluate.request import EvalRequest
    from captcha_lab.evaluate.subject import Extractor
    from captcha_lab.recognise.classifier import Classifier
    from captcha_lab.store.packed.packed import PackedSet


@dataclass(frozen=True)
class Evaluated:
    """A report and where it lies."""

    report: Report
    json_path: Path
    html_path: Path

    def __repr__(self) -> str:
        return f"Evaluated({self.report.verdict} Report: {self.html_path})"

    def _repr_html_(self) -> str:
        """Verdict, grade and leaderboard, for notebooks."""
        from captcha_lab.evaluate.report.board import report_lines

        lines = escape("\n".join(report_lines(self.report)))
        return f"<pre>{lines}</pre><p>Report: {escape(str(self.html_path))}</p>"

    def plot(self) -> Plot:
        """The shares that were measured, beside those of real images where there are any.

        Raises:
            CaptchaLabError: matplotlib is not installed.
        """
        require("matplotlib")
        from captcha_lab.evaluate.report.figure import report_figure

        return Plot(report_figure(self.report))


def evaluate(
    workspace: Workspace,
    folder: DatasetFolder,
    request: EvalRequest,
    config: EvalConfig,
    say: Say,
    progress: PhaseProgress,
) -> Evaluated:
    """Evaluate the recogniser and generators of a workspace, and write the report.

    What is missing on the way is made where it can be (packing, a recogniser, the judge), and said.

    Raises:
        CaptchaLabError: there is nothing to evaluate, or a run doesn't fit the data.
        UsageError: a repeated training with one seed.
    """
    from captcha_lab.evaluate.reading.glyphs import measure_glyphs
    from captcha_lab.evaluate.reading.texts import measure_texts
    from captcha_lab.evaluate.report.report import Report, verdict_sentence
    from captcha_lab.evaluate.report.write import write_report

    if request.retrain and config.seeds < 2:
        raise UsageError("--retrain repeats the training once for each further seed: give --seeds 2 or more.")
    if request.folder is not None:
        check_folder(request.folder)  # before the work
    started = time.perf_counter()
    folder = _folder_of(workspace, folder, request)
    _check_there(workspace, folder)
    extra = _extra(request)  # before any work: the file may be another one
    notes: list[str] = []
    captchas = captcha_reader(workspace, folder, request, say)
    how = _Measuring(workspace, folder, request, config, say, progress, notes)
    if asks_for_whole(workspace, folder, request):
        measured = _Measured(*measure_whole(workspace, folder, request, config, say, progress, notes, extra))
    else:
        measured = how.singles(captchas is not None, extra)
    reading = texts = None
    if captchas is not None:
        test = captchas.texts
        texts = measure_texts(captchas.reader, test.images, test.texts, seed=config.seed, progress=progress)
        if config.labels:
            texts = replace(texts, curve=text_curve(folder, test, config, progress))
    packed = measured.packed
    if measured.recogniser is not None and packed is not None and len(packed.part("test", labelled=True)):
        reading = measure_glyphs(measured.recogniser, packed, seed=config.seed, progress=progress)
    evaluation, run = measured.evaluation, captchas.run if captchas is not None else measured.run
    report = Report(
        verdict_sentence(evaluation, reading, texts), evaluation, reading, folder.name, request.command, notes,
        texts, reader=run, date=date.today().isoformat(), seconds=time.perf_counter() - started,
    )  # fmt: skip
    target = request.folder or _report_folder(workspace, measured.candidates, run)
    return Evaluated(report, *write_report(report, target))


@dataclass(frozen=True)
class _Measured:
    """What was found of generators, and who reads single pictures."""

    candidates: list[Candidate]
    evaluation: Evaluation | None
    recogniser: Classifier | None = None
    run: str = ""
    packed: PackedSet | None = None


@dataclass(frozen=True)
class _Measuring:
    """What measuring generators needs beside the data; notes are added to as it goes on."""

    workspace: Workspace
    folder: DatasetFolder
    request: EvalRequest
    config: EvalConfig
    say: Say
    progress: PhaseProgress
    notes: list[str]

    def singles(self, whole: bool, extra: list[Extractor]) -> _Measured:
        """Generators of single pictures beside real ones; `whole`: there is a reader of whole captchas.

        Raises:
            CaptchaLabError: there is nothing to evaluate.
        """
        workspace, folder, request = self.workspace, self.folder, self.request
        data = load_data(workspace, folder, self.say, self.config.seed)
        samples = request.generators or latest_run(workspace.models, "generator") is not None
        # Where whole captchas are read and no generator is there, nobody needs a classifier of glyphs.
        recogniser, run = glyph_classifier(
            workspace, folder, data, request, self.say, self.notes, needed=samples or not whole
        )
        reads = recogniser is not None or whole
        if data.real is None:
            if request.generators or not reads:
                raise CaptchaLabError(data.problem)
            self.notes.append(f"No generator was measured. {data.problem}")
            return _Measured([], None, recogniser, run, data.packed)
        candidates, panel = self.candidates(data.real)
        if not candidates and not reads:
            raise CaptchaLabError(
                f"There is nothing to evaluate: dataset {folder.name} has no labels to read against and "
                f"{workspace.models} holds no generator of it. Run `captcha-lab label` or `captcha-lab train-gen`."
            )
        evaluation = None
        if candidates:
            evaluation = self.evaluate(data, candidates, recogniser, run, panel, extra)
        return _Measured(candidates, evaluation, recogniser, run, data.packed)

    def candidates(self, real: RealData) -> tuple[list[Candidate], dict[str, SampleReader]]:
        """The runs and printed grids asked for, and a panel of readers where grids have classes."""
        from captcha_lab.evaluate.generators.printed import load_grids, train_panel

        def repeated(run: Run) -> list[Run]:
            if not self.request.retrain:
                return [run]
            return repeated_runs(self.workspace, run, self.config.seeds, self.say, self.progress)

        found, skipped = generator_candidates(self.workspace, self.folder, self.request, real, repeated)
        self.notes.extend(skipped)
        if self.request.figures is None:
            return found, {}
        grids = load_grids(self.request.figures, real)
        for reason in dict.fromkeys(reason for _, reason in grids.skipped):
            names = [name for name, why in grids.skipped if why == reason]
            self.notes.append(f"Not scored ({reason}): {', '.join(names)}.")
        classes = real.labelled and any(candidate.labelled for candidate in grids.candidates)
        panel = {"panel": train_panel(real, progress=self.progress)} if classes else {}
        return [*found, *grids.candidates], panel

    def evaluate(
        self,
        data: EvaluationData,
        candidates: list[Candidate],
        recogniser: Classifier | None,
        run: str,
        panel: dict[str, SampleReader],
        extra: list[Extractor],
    ) -> Evaluation:
        """Measure the candidates by every reader that the data allows."""
        from captcha_lab.evaluate.generators.core import Evaluator
        from captcha_lab.evaluate.judging.judge import independent_readers
        from captcha_lab.evaluate.readers import main_reader

        assert data.real is not None  # it gave the candidates
        readers = {} if recogniser is None else main_reader(recogniser, f"lenet ({run})")
        attributes = None
        if self.config.judge and recogniser is not None and data.packed is not None:
            independent, said = independent_readers(
                data.packed, self.workspace.models, progress=self.progress
            )
            readers |= independent
            self.notes.extend(said)
        if recogniser is None and data.real.attribute_names:
            attributes, said = ensure_attribute_judge(self.workspace, self.folder, self.say, self.progress)
            self.notes.extend(said)
        evaluator = Evaluator(
            data.real,
            readers | panel,
            self.config,
            extra=extra,
            attributes=attributes,
            progress=self.progress,
        )
        return evaluator.run(candidates)


def _folder_of(workspace: Workspace, folder: DatasetFolder, request: EvalRequest) -> DatasetFolder:
    """The dataset the named run was trained on, where the configured one isn't there at all."""
    if folder.exists or request.named or not request.runs:
        return folder
    named = Run.open(find_model(workspace, request.runs[0], "generator")).config().get("dataset")
    return workspace.dataset(named) if named else folder


def _check_there(workspace: Workspace, folder: DatasetFolder) -> None:
    """Raises CaptchaLabError where the workspace has no such dataset."""
    if not folder.exists:
        raise CaptchaLabError(
            f"There is nothing to evaluate: the workspace {workspace.root} has no dataset {folder.name}. "
            "Begin with `captcha-lab scrape`, or name another one with --dataset."
        )


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
