"""The trained models of a workspace: which of them a command uses, what each is, how one is pinned or removed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.metrics.intervals import wilson
from captcha_lab.store.runs import Run, all_runs
from captcha_lab.store.workspace import Workspace, set_config

COMMAND = {"recogniser": "train", "generator": "train-gen"}  # what makes a model of the kind
FAR = 0.05  # a newest run whose score is lower by more than this is said to be worse
CELLS = 4  # glyphs of a captcha where a glyph reader's run does not say


@dataclass(frozen=True)
class Score:
    """How well a run did on data that it was not trained on.

    Attributes:
        value: of a recogniser the share of captchas read right, in [0, 1]; of a generator its score, in [0, 1].
        low: what runs are ranked by: of a share the lower end of its 95 % interval, so that three captchas of three
            do not beat 249 of 250.
        text: the same for people.
    """

    value: float
    low: float
    text: str


@dataclass(frozen=True)
class RunFacts:
    """One run, as `captcha-lab runs` lists it; `score` is None where the run has none, `created` in Unix seconds."""

    name: str
    kind: str
    what: str
    dataset: str
    score: float | None
    score_text: str
    used: bool
    finished: bool
    bytes: int
    created: float


@dataclass(frozen=True)
class Chosen:
    """A run that a command uses by default, and a word on a newer one that did far worse."""

    run: Run
    why: str
    worse: str = ""

    @property
    def message(self) -> str:
        """What a command says of its choice."""
        return f"Model: {self.run.name} ({self.why}).{self.worse}"


def score_of(run: Run) -> Score | None:
    """What a run's own validation said; None where it has said nothing yet.

    The validation of a reader of glyphs is a share of glyphs, which counts here as that of whole captchas.
    """
    config, history = run.config(), run.history()
    if config.get("kind") == "generator":
        scores = [
            float(line["score"]) for line in history if line.get("kind") == "evaluation" and "score" in line
        ]
        return Score(max(scores), max(scores), f"{max(scores):.2f} of 1") if scores else None
    summary: dict[str, Any] = next((line for line in reversed(history) if line.get("summary")), {})
    share: Any = summary.get("validation_captchas")
    whole = _is_share(share) or config.get("reader", "glyph") != "glyph"
    share = share if _is_share(share) else summary.get("validation")
    if not _is_share(share):
        return None
    value, low = wilson(int(share[3]), int(share[4]))[:2]
    cells = 1 if whole else _cells(config)
    text = f"{100 * value:.1f} % of {share[4]} {'captchas' if whole else 'glyphs'}"
    return Score(value**cells, low**cells, text)


def _is_share(value: Any) -> bool:
    """Whether a figure of `metrics.jsonl` is a share that was tried at least once."""
    return isinstance(value, list) and len(value) == 5 and 0 <= value[3] <= value[4] and bool(value[4])


def _cells(config: dict[str, Any]) -> int:
    data = config.get("data") or {}
    if data.get("kind") != "captcha":
        return 1  # digits and the like: a glyph is all there is
    return int((data.get("segmenter") or {}).get("glyphs") or CELLS)


def dataset_of(run: Run) -> str:
    """The dataset a run was trained on; empty where it does not say."""
    config = run.config()
    return str(config.get("dataset") or (config.get("data") or {}).get("dataset") or "")


def choose_run(workspace: Workspace, kind: str, dataset: str | None = None) -> Chosen | None:
    """The run of a kind that is used where none is named: the pinned one, else the best validated one.

    Runs of the dataset come first; those of others count only where it has none. None where there is no run at all.
    """
    runs = [run for run in all_runs(workspace.models, kind) if run.weights.is_file()]
    own = [run for run in runs if dataset_of(run) == (dataset or workspace.config.dataset)]
    runs = own or runs
    runs = [run for run in runs if not _only_judges(run)] or runs
    if not runs:
        return None
    for run in runs:
        if run.name in workspace.config.use:
            return Chosen(run, "pinned by `captcha-lab use`")
    scores = {run.name: score_of(run) for run in runs}
    newest = runs[-1]
    best = max(reversed(runs), key=lambda run: _rank(scores[run.name]))
    found, last = scores[best.name], scores[newest.name]
    if found is None:
        return Chosen(best, f"the newest {kind}; none was validated")
    why = f"{'the only' if len(runs) == 1 else 'the best validated'} {kind}: {found.text}"
    if last is None or last.value >= found.value - FAR:
        return Chosen(best, why)
    worse = f" The newest, {newest.name}, did far worse ({last.text}); --model {newest.name} takes it all the same."
    return Chosen(best, why, worse)


def _only_judges(run: Run) -> bool:
    """Whether a run reads glyphs that another reader must cut: it takes no captcha by itself."""
    return ((run.config().get("data") or {}).get("segmenter") or {}).get("method") == "reader"


def _rank(score: Score | None) -> float:
    return -1.0 if score is None else score.low


def list_runs(workspace: Workspace) -> list[RunFacts]:
    """All runs of a workspace, the newest first."""
    used = _used(workspace)
    return [_facts(run, run.name in used) for run in reversed(all_runs(workspace.models))]


def _used(workspace: Workspace) -> set[str]:
    """The runs that commands take by default, over all kinds and datasets."""
    pairs = {(run.config().get("kind", ""), dataset_of(run)) for run in all_runs(workspace.models)}
    chosen = (choose_run(workspace, kind, dataset) for kind, dataset in pairs if kind in COMMAND)
    return {choice.run.name for choice in chosen if choice is not None}


def _facts(run: Run, used: bool) -> RunFacts:
    config = run.config()
    recipe = config.get("recipe")
    what = recipe.get("name") if isinstance(recipe, dict) else recipe or config.get("reader")
    score = score_of(run)
    return RunFacts(
        run.name,
        str(config.get("kind", "")),
        str(what or ""),
        dataset_of(run),
        score.value if score else None,
        score.text if score else "",
        used,
        run.weights.is_file() and not run.resume.is_file(),
        sum(path.stat().st_size for path in run.root.rglob("*") if path.is_file()),
        float(config.get("created", 0.0)),
    )


def use_run(workspace: Workspace, name: str) -> Run:
    """Pin a run: commands take it by default for its kind and dataset, in the place of any other of both.

    Raises:
        CaptchaLabError: there is no such run, or it has no weights.
        UsageError: it is of a kind that no command takes by default.
    """
    run = Run.open(workspace.models / name)
    kind = run.config().get("kind")
    if kind not in COMMAND:
        raise UsageError(f"{name} is a {kind}: only a {' or a '.join(COMMAND)} can be pinned.")
    if not run.weights.is_file():
        raise CaptchaLabError(f"{name} has no weights yet: wait for its training, or continue it.")
    set_config(workspace, "use", (*_pinned_without(workspace, kind, dataset_of(run)), name))
    return run


def _pinned_without(workspace: Workspace, kind: str, dataset: str) -> tuple[str, ...]:
    runs = {run.name: run for run in all_runs(workspace.models)}
    kept = (runs[name] for name in workspace.config.use if name in runs)
    return tuple(run.name for run in kept if (run.config().get("kind"), dataset_of(run)) != (kind, dataset))


def release_runs(workspace: Workspace) -> None:
    """Pin nothing: the best validated run of each kind is used again."""
    set_config(workspace, "use", ())


def open_run(workspace: Workspace, name: str) -> Run:
    """A run of the workspace by its name; a path is no name, so that nothing outside can be removed.

    Raises:
        CaptchaLabError: there is no such run.
    """
    if Path(name).name != name or not (workspace.models / name / "config.json").is_file():
        names = ", ".join(run.name for run in all_runs(workspace.models)) or "none"
        raise CaptchaLabError(f"There is no run {name} in {workspace.models} (runs there: {names}).")
    return Run(workspace.models / name)


def remove_run(workspace: Workspace, name: str) -> int:
    """Delete a run's folder, and its pin; the bytes it took.

    Raises:
        CaptchaLabError: there is no such run, or the disk refuses.
    """
    run = open_run(workspace, name)
    size = _facts(run, False).bytes
    if name in workspace.config.use:
        set_config(workspace, "use", tuple(pin for pin in workspace.config.use if pin != name))
    try:
        shutil.rmtree(run.root)
    except OSError as error:
        raise CaptchaLabError(f"Can't remove {run.root}: {error.strerror}.") from error
    return size


def sort_models(workspace: Workspace, names: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    """The generators among the models a user names, and the recogniser; a name that is no run counts as a generator.

    Raises:
        UsageError: several recognisers are named.
    """
    folders = {
        name: next((p for p in (workspace.models / name, Path(name)) if p.is_dir()), None) for name in names
    }
    readers = [
        name
        for name, folder in folders.items()
        if folder and (folder / "config.json").is_file() and Run(folder).config().get("kind") == "recogniser"
    ]
    if len(readers) > 1:
        raise UsageError(f"{' and '.join(readers)} are recognisers: name one of them with --model.")
    return tuple(name for name in names if name not in readers), readers[0] if readers else None
