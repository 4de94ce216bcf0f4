"""Training a reader: the kinds that suit the data are trained, and validation on whole captchas chooses."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.pipeline.captchas import ensure_packed
from captcha_lab.pipeline.common import Say, find_model
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.parallel import Group
    from captcha_lab.recognise.registry import CaptchaViews, ReaderKind, ReaderReport
    from captcha_lab.store.packed.packed import PackedSet

AUTO = "auto"  # the kind of reader that is chosen by what the data is
# Of the validation captchas, whose labels may be wrong too: such a reader of cells needs no other beside it.
ENOUGH = 0.97


@dataclass(frozen=True)
class Training:
    """Readers that were trained, and the one to use.

    Attributes:
        chosen: the reader that read most validation captchas.
        reports: all that were trained, the chosen one among them.
        why: one sentence on the choice.
        notes: why kinds of readers were left out.
        leads: of the processes that torchrun started, this is the first.
    """

    chosen: ReaderReport
    reports: tuple[ReaderReport, ...]
    why: str
    notes: tuple[str, ...] = ()
    leads: bool = True


def train(
    workspace: Workspace,
    folder: DatasetFolder,
    settings: dict[str, Any] | None = None,
    *,
    reader: str = AUTO,
    start: str | None = None,
    name: str | None = None,
    say: Say = lambda message: None,
    progress: PhaseProgress = no_progress,
) -> Training:
    """Train a reader on a dataset's labels, packing them first.

    Processes that torchrun started train together; the first one leaves the run.

    With `auto` the kinds that suit the data are trained, cells first, until one reads nearly every validation captcha;
    the one that reads most is chosen. Single pictures (digits, for instance) are read by a LeNet.

    Args:
        workspace: where the run goes.
        folder: of the dataset.
        settings: of the training, by name; each kind takes those it knows.
        reader: the kind's name, or `auto`.
        start: a run whose reader is trained on (its kind is the one then), or None.
        name: of the run; where several kinds are trained, the others' names end in their kind.
        say: told what happens on the way.
        progress: told the phase, what is done and planned of it, and the loss.

    Raises:
        CaptchaLabError: there are too few labels, or the disk refuses.
        UsageError: there is no such kind of reader, or a setting is impossible.
    """
    from captcha_lab.datasets.captcha import load_texts
    from captcha_lab.parallel import join_group
    from captcha_lab.recognise.registry import CaptchaViews, reader_kind, reader_kinds
    from captcha_lab.store.runs import check_new

    settings = settings or {}
    kinds = [reader_kind(reader)] if reader != AUTO else list(reader_kinds().values())
    if start is not None:
        path = find_model(workspace, start, "recogniser")
        kinds, settings = [_kind_of(path, reader)], settings | {"start": str(path)}
    if not folder.catalog_path.exists():
        return _train_single(workspace, folder, settings, name, say, progress)
    check_new(workspace.models, name, unfinished=True)
    _check_alphabet(workspace, folder)
    problems: list[str] = []
    texts = load_texts(folder, problems=problems)
    group = join_group()  # last: what is wrong for all processes is found before they meet
    views = CaptchaViews(texts, cache(lambda: _packed(workspace, folder, say, group)), group)
    for problem in problems:
        say(f"Left out {problem}")
    _say_facts(folder, say)
    with _models(workspace, group) as models:
        return _train_kinds(views, kinds, models, settings, name, folder.name, say, progress)


@contextmanager
def _models(workspace: Workspace, group: Group) -> Iterator[Path]:
    """The folder that runs go to: the workspace's for the first of several processes, for the others one that goes."""
    if group.leads:
        yield workspace.models
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    group.wait()


def _packed(workspace: Workspace, folder: DatasetFolder, say: Say, group: Group) -> PackedSet:
    """The glyph view; of several processes the first packs it."""
    packed = ensure_packed(workspace, folder, say) if group.leads else None
    group.wait()
    return packed or ensure_packed(workspace, folder, say)


def _train_kinds(
    views: CaptchaViews,
    kinds: list[ReaderKind],
    models: Path,
    settings: dict[str, Any],
    name: str | None,
    dataset: str,
    say: Say,
    progress: PhaseProgress,
) -> Training:
    reports: list[ReaderReport] = []
    notes: list[str] = []
    for kind in kinds:
        reason = kind.suits(views) if len(kinds) > 1 else None
        if reason is not None:
            notes.append(f"No {kind.name} reader: {reason}.")
            say(notes[-1])
            continue
        own = name if not reports else f"{name}-{kind.name}" if name else None
        reports.append(kind.train(views, models, settings, own, progress))
        if views.group.first(_nearly_all(reports[-1])):
            break
    if not reports:
        raise CaptchaLabError(
            f"No reader can be trained on dataset {dataset}: give labels with `captcha-lab label` or "
            "`captcha-lab import PATH --labels filename`."
        )
    chosen = max(reports, key=lambda report: report.validation.value if report.validation else -1.0)
    return Training(chosen, tuple(reports), _why(chosen, reports), tuple(notes), views.group.leads)


def _kind_of(path: Path, reader: str) -> ReaderKind:
    """The kind of reader that lies in a run folder, for one that is to be trained on.

    Raises:
        CaptchaLabError: it holds no reader.
        UsageError: the user asked for another kind.
    """
    from captcha_lab.recognise.registry import load_reader, reader_kind

    kind = reader_kind(load_reader(path).kind)
    if reader not in (AUTO, kind.name):
        raise UsageError(f"--from {path.name} is a {kind.name} reader: leave out --reader {reader}.")
    return kind


def _check_alphabet(workspace: Workspace, folder: DatasetFolder) -> None:
    """Raises CaptchaLabError where a label is outside the alphabet that the workspace's configuration names."""
    from captcha_lab.alphabet import Alphabet
    from captcha_lab.datasets.facts import describe
    from captcha_lab.store.catalog.catalog import Catalog

    if not workspace.config.alphabet:
        return
    alphabet = Alphabet(workspace.config.alphabet)
    with Catalog(folder.catalog_path, create=False) as catalog:
        foreign = [character for character in describe(catalog).alphabet if character not in alphabet]
    if foreign:
        raise CaptchaLabError(
            f"Captchas of dataset {folder.name} are labelled with {', '.join(foreign)}, not in the alphabet "
            f"{alphabet.characters} of the configuration: name the whole alphabet there, or remove it."
        )


def _nearly_all(report: ReaderReport) -> bool:
    return report.validation is not None and report.validation.value >= ENOUGH


def _why(chosen: ReaderReport, reports: list[ReaderReport]) -> str:
    figures = ", ".join(
        f"{report.kind} reader {100 * report.validation.value:.1f} % of {report.validation.trials}"
        for report in reports
        if report.validation is not None
    )
    if not figures:
        return f"Chosen: the {chosen.kind} reader; no captcha was left for validation."
    return f"Chosen: the {chosen.kind} reader. Validation captchas read whole: {figures}."


def _say_facts(folder: DatasetFolder, say: Say) -> None:
    """What the labels say, for nothing of it is configured."""
    from captcha_lab.datasets.facts import describe
    from captcha_lab.store.catalog.catalog import Catalog

    with Catalog(folder.catalog_path, create=False) as catalog:
        say(describe(catalog).sentence)


def _train_single(
    workspace: Workspace,
    folder: DatasetFolder,
    settings: dict[str, Any],
    name: str | None,
    say: Say,
    progress: PhaseProgress,
) -> Training:
    from captcha_lab.parallel import join_group
    from captcha_lab.recognise.glyph.train import train_glyph_reader
    from captcha_lab.recognise.readers.glyph import settings_of

    config, group = settings_of(settings), join_group()
    data = _packed(workspace, folder, say, group)
    with _models(workspace, group) as models:
        report = train_glyph_reader(data, models, config, name, progress=progress, group=group)
    return Training(report, (report,), "", leads=group.leads)
