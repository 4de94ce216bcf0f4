"""What killed commands left over: found by what it is, removed only when nothing can still be at work on it."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.care.check import dataset_folders, images_of, orphan_blobs
from captcha_lab.store.files import read_file
from captcha_lab.store.locks import is_held
from captcha_lab.store.runs import Run
from captcha_lab.store.workspace import Workspace

_TEMPORARY = re.compile(r"\.tmp-[a-z0-9_]{8}(\..*)?")  # as `tempfile` makes them
UNNAMED = "a picture that the catalog does not name"
RECENT = 60.0  # seconds; what changed so lately is left, though it was old when it was listed
AGE = 3600.0  # seconds; what is younger may belong to a command that is at work


@dataclass(frozen=True)
class Leftover:
    """A file or folder that nothing needs; `bytes` of all that is in it."""

    path: Path
    why: str
    bytes: int


def leftovers(workspace: Workspace, age: float = AGE) -> list[Leftover]:
    """What can be removed, and why; of files only what is older than `age` in seconds."""
    found = dict(_found(workspace, time.time() - age))
    return [Leftover(path, why, _size(path)) for path, why in sorted(found.items())]


def remove(items: list[Leftover]) -> int:
    """Delete them; bytes freed.

    Raises:
        CaptchaLabError: one can't be deleted; the others are.
    """
    freed, refused = 0, ""
    for item in items:
        try:
            if _has_changed(item):
                continue
            if item.path.is_dir() and not item.path.is_symlink():
                shutil.rmtree(item.path)
            else:
                item.path.unlink(missing_ok=True)
            freed += item.bytes
        except OSError as error:
            refused = refused or f"{item.path} can't be removed: {error.strerror or error}."
    if refused:
        raise CaptchaLabError(refused)
    return freed


def _found(workspace: Workspace, before: float) -> Iterator[tuple[Path, str]]:
    for folder in (workspace.root, workspace.root / "datasets", workspace.models):
        yield from _old(folder.glob(".tmp-*"), before, "left by a command that was killed")
    for dataset in dataset_folders(workspace):
        yield from _old(dataset.root.rglob(".tmp-*"), before, "left by a command that was killed")
        yield from _old(dataset.root.glob("review-*.html"), before, "led to a review page that has ended")
        journal = dataset.root / f".{dataset.packed_path.name}.journal"
        if not is_held(journal):
            parts = (journal, journal.with_suffix(".partial"))
            yield from _old((path for path in parts if path.exists()), before, "a part of a packed set")
        if dataset.catalog_path.is_file():
            with suppress(CaptchaLabError):  # of a damaged catalog nothing is an orphan
                orphans = orphan_blobs(dataset, images_of(dataset))
                yield from _old(orphans, before, UNNAMED)
    for config in workspace.models.glob("*/config.json"):
        yield from _old(config.parent.rglob(".tmp-*"), before, "left by a command that was killed")
        if Run(config.parent).is_dead:
            yield config.parent, "a run that was killed before it had weights or a checkpoint"
    for path in (workspace.root / "datasets" / ".origins").glob("*"):
        if path.suffix == ".lock" and not is_held(path):
            yield path, "a lock that nobody holds"
        if path.suffix == ".json" and _is_past(path):
            yield path, "a wait that is over"


def _has_changed(item: Leftover) -> bool:
    """Whether a command took it up since it was listed: an import may bring the picture that nobody named."""
    return item.why == UNNAMED and time.time() - item.path.lstat().st_mtime < RECENT


def _old(paths: Iterator[Path], before: float, why: str) -> Iterator[tuple[Path, str]]:
    for path in paths:
        if path.name.startswith(".tmp-") and not _TEMPORARY.fullmatch(path.name):
            continue  # a person's own
        with suppress(OSError):
            if path.lstat().st_mtime < before:
                yield path, why


def _is_past(path: Path) -> bool:
    try:
        return bool(json.loads(read_file(path))["not_before"] < time.time())
    except (CaptchaLabError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(file.stat().st_size for file in files)
