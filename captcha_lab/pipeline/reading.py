"""Reading captchas: with the reader in use, or with the one that comes with the program where none was trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captcha_lab.errors import CaptchaLabError
from captcha_lab.pipeline.common import Progress, Say, find_model, silent
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.store.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np

    from captcha_lab.recognise.contract import CaptchaReader, Reading
    from captcha_lab.recognise.files import ReadReport
    from captcha_lab.recognise.sequence.reader import SequenceReader

BASE = "base-reader"  # `--model base-reader`, and where there is no other


def load_recogniser(
    workspace: Workspace, model: str | None = None, say: Say = lambda message: None
) -> CaptchaReader:
    """The reader of captchas that a user means (see `find_model`)."""
    from captcha_lab.recognise.registry import load_reader

    return load_reader(find_model(workspace, model, "recogniser", say=say))


def read(
    paths: list[Path],
    model: str | None = None,
    progress: PhaseProgress = no_progress,
    say: Say = lambda message: None,
    *,
    min_confidence: float = 0.0,
) -> ReadReport | None:
    """Read captcha files and folders with a reader of the workspace (see `recognise.files.read_files`).

    Where none was trained, or with the model `base-reader`, the base reader reads; of many captchas it learns length,
    alphabet and the look of their characters first, without any label. Processes that torchrun started read a share
    each; the first has the whole report, the others None.
    """
    from captcha_lab.parallel import join_group
    from captcha_lab.recognise.files import ReadReport, files_in, read_files

    workspace = Workspace.find()
    base = _base_is_meant(workspace, model)
    name = BASE if base else find_model(workspace, model, "recogniser", say=say).name
    files = [file for path in paths for file in files_in(path)]
    reader = _base_for(files, model, say, progress) if base else load_recogniser(workspace, model)
    group = join_group()  # last: what is wrong for all processes is found before they meet
    own = files[group.share(len(files))]
    share = read_files(reader, own, partial(progress, "Reading"), min_confidence=min_confidence)
    parts = group.gather(share)
    if not parts:
        return None
    return ReadReport(
        [reading for part in parts for reading in part.readings],
        [problem for part in parts for problem in part.unreadable],
        max(part.seconds for part in parts),
        name,
    )


def read_pictures(workspace: Workspace, images: Iterable[Any], model: str | None = None) -> list[Reading]:
    """Readings of pictures in any form, by the reader of the workspace that `read` would take.

    Raises:
        CaptchaLabError: one of them is no picture, or there is no such model.
    """
    from captcha_lab.store.pixels import pictures

    arrays = pictures(images)
    if _base_is_meant(workspace, model):
        return _taught(arrays).read(arrays)
    return load_recogniser(workspace, model).read(arrays)


def _base_is_meant(workspace: Workspace, model: str | None) -> bool:
    from captcha_lab.pipeline.models import choose_run

    if model is None:
        return choose_run(workspace, "recogniser") is None
    return model == BASE and not (workspace.models / BASE).exists()


def _base_for(files: Sequence[Path], model: str | None, say: Say, progress: PhaseProgress) -> CaptchaReader:
    from captcha_lab.recognise.sequence.reader import base_reader

    if model is None:
        say("No reader was trained here: the base reader reads, which comes with the program.")
    reader = _taught(_pictures(files), partial(progress, "Learning from the captchas"))
    facts = reader.facts
    if facts != base_reader().facts:
        length = f"{facts.lengths[0]} characters" if facts.lengths else "texts of several lengths"
        say(f"The captchas seem to have {length} of {''.join(facts.classes)}.")
    return reader


def _taught(pictures: Sequence[np.ndarray], progress: Progress = silent) -> SequenceReader:
    """The base reader with what it learns of captchas without a label."""
    from captcha_lab.recognise.sequence.adapt import self_taught
    from captcha_lab.recognise.sequence.reader import base_reader

    return self_taught(base_reader(), pictures, progress)


def _pictures(files: Sequence[Path]) -> list[np.ndarray]:
    """The pictures that can be read, of as many files as it takes to learn of a set, spread over all."""
    from captcha_lab.recognise.sequence.adapt import MOST_TAUGHT
    from captcha_lab.store.images import read_image

    found = []
    for file in files[:: max(len(files) // MOST_TAUGHT, 1)][:MOST_TAUGHT]:
        try:
            found.append(read_image(file))
        except CaptchaLabError:
            continue  # reading names it
    return found
