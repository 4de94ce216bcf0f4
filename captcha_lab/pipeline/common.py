"""What every chain of stages needs: where things lie, which model is meant, and how to talk meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.workspace import DatasetFolder, Workspace

Say = Callable[[str], None]
Progress = Callable[[int, int], None]  # (done, total)


def silent(done: int, total: int) -> None:
    """A progress callback that shows nothing."""


def locate(dataset: str | None = None) -> tuple[Workspace, DatasetFolder]:
    """The workspace around the current folder, and one of its datasets."""
    workspace = Workspace.find()
    return workspace, workspace.dataset(dataset)


def find_model(
    workspace: Workspace,
    model: str | None,
    kind: str,
    dataset: str | None = None,
    say: Say = lambda message: None,
) -> Path:
    """The run folder or model file a user means: a path, a run's name, or nothing for the one in use.

    Where nothing is named, the choice (see `pipeline.models.choose_run`) is said.

    Raises:
        CaptchaLabError: there is none.
    """
    from captcha_lab.pipeline.models import COMMAND, choose_run
    from captcha_lab.store.runs import all_runs

    if model is None:
        chosen = choose_run(workspace, kind, dataset)
        if chosen is None:
            raise CaptchaLabError(
                f"There is no {kind} in {workspace.models} yet: run `captcha-lab {COMMAND.get(kind, 'train')}` first."
            )
        say(chosen.message)
        return chosen.run.root
    for path in (workspace.models / model, Path(model)):
        if path.exists():
            return path
    names = ", ".join(run.name for run in all_runs(workspace.models, kind)) or "none"
    raise CaptchaLabError(f"There is no model {model} (a path, or one of the runs: {names}).")


def check_folder(path: Path) -> None:
    """Make a folder that results go to, before the work that makes them.

    Raises:
        UsageError: it can't be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} can't be made a folder ({error.strerror}): name another one.") from error
