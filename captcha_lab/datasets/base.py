"""The interface every dataset module keeps, and how a module is found: one file in this folder each.

A module is a file with a `DATASET` object that turns what its makers publish into one packed HDF5 file; what
reads that file (`captcha_lab.datasets.batches`) needs no module, because the file describes itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from captcha_lab.discovery import declaring
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.workspace import DatasetFolder

if TYPE_CHECKING:
    import numpy as np

Progress = Callable[[int, int], None]  # (done, total) of whatever is being counted
CROPS = ("108", "148", "none")
SHAPING = ("size", "crop", "attributes", "grey")  # options that not every module can follow


@dataclass(frozen=True)
class PrepareOptions:
    """How pictures become rows of a packed set; what a module can't follow is refused."""

    size: int | None = None  # pixels a side of the packed pictures; None: the module's own
    crop: str | None = None  # side in pixels of the centred square, or "none"; None: the module's own
    attributes: tuple[str, ...] = ()  # columns to keep; empty: all there are
    grey: bool = False  # [N, H, W] instead of [N, H, W, 3]
    seed: int = 0  # of the split, where the makers published none
    workers: int | None = None  # threads; None: one more than there are processors

    def __post_init__(self) -> None:
        if self.size is not None and not 8 <= self.size <= 1024:
            raise UsageError(f"--size {self.size}: choose between 8 and 1024 pixels.")
        if self.crop is not None and self.crop not in CROPS:
            raise UsageError(f"--crop {self.crop}: choose one of {', '.join(CROPS)}.")
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"--workers {self.workers}: at least 1 is needed.")

    def asked(self) -> list[str]:
        """The options of `SHAPING` that were given."""
        default = PrepareOptions()
        return [name for name in SHAPING if getattr(self, name) != getattr(default, name)]


@dataclass(frozen=True)
class PrepareReport:
    """What `prepare` did: what was packed, what was not and why, and what the user should know."""

    path: Path
    dataset: str
    pictures: int
    image_shape: tuple[int, ...]
    splits: dict[str, int]
    classes: int = 0
    attributes: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()  # (name, reason)
    notes: tuple[str, ...] = ()
    resumed: int = 0  # pictures that an interrupted run had already packed
    seconds: float = 0.0
    info: dict[str, Any] = field(default_factory=dict)


class DatasetModule(Protocol):
    """One kind of dataset."""

    name: str
    summary: str  # one line: what PATH is
    embedded: str | None  # what is packed when no PATH is given; None: a PATH is needed
    options: tuple[str, ...]  # those of `SHAPING` that it follows
    embedded_options: tuple[str, ...]  # the same when no PATH is given

    def prepare(
        self, source: Path | None, target: Path, options: PrepareOptions, progress: Progress
    ) -> PrepareReport:
        """Pack `source` (None: the embedded default) into the HDF5 file `target`, all or nothing.

        Raises:
            UsageError: an option asks for something the source can't give.
            CaptchaLabError: the source can't be read, or the disk refuses.
        """
        ...


def dataset_names() -> tuple[str, ...]:
    """The names of all dataset modules, found by looking into this folder (nothing is imported)."""
    return declaring("captcha_lab.datasets", "DATASET")


def dataset_module(name: str) -> DatasetModule:
    """The module of a dataset.

    Raises:
        UsageError: there is no such module.
    """
    if name not in dataset_names():
        raise UsageError(f"There is no dataset module {name!r}: choose one of {', '.join(dataset_names())}.")
    module: DatasetModule = importlib.import_module(f"captcha_lab.datasets.{name}").DATASET
    return module


def prepare(
    name: str,
    source: Path | None,
    folder: DatasetFolder,
    options: PrepareOptions | None = None,
    progress: Progress = lambda done, total: None,
) -> PrepareReport:
    """Pack a dataset into its folder (see `DatasetModule.prepare` for errors)."""
    module = dataset_module(name)
    options = options or PrepareOptions()
    if source is None and module.embedded is None:
        raise UsageError(
            f"`prepare {name}` needs a PATH ({module.summary}): nothing of it comes with captcha-lab."
        )
    follows, how = (
        (module.options, "") if source is not None else (module.embedded_options, " without a PATH")
    )
    for option in options.asked():
        if option not in follows:
            known = ", ".join(f"--{name}" for name in follows) or "none of its kind"
            raise UsageError(f"--{option} has no meaning for `prepare {name}`{how}, which takes {known}.")
    if source is not None and not source.exists():
        raise CaptchaLabError(f"{source} does not exist: give the {module.summary}.")
    return module.prepare(source, folder.packed_path, options, progress)


def ensure_packed(
    name: str, folder: DatasetFolder, progress: Progress = lambda done, total: None
) -> PrepareReport | None:
    """Where the folder has no packed file yet, pack the module's embedded default; None if there was one.

    Raises:
        UsageError: the module has no embedded default.
    """
    return None if folder.packed_path.exists() else prepare(name, None, folder, progress=progress)


def random_split(count: int, seed: int, validation: float = 0.1, test: float = 0.1) -> np.ndarray:
    """uint8 [count]: 0 train, 1 validation, 2 test, the shares drawn without replacement."""
    import numpy as np

    split = np.zeros(count, np.uint8)
    order = np.random.default_rng(seed).permutation(count)
    n_test, n_validation = round(count * test), round(count * validation)
    split[order[:n_test]] = 2
    split[order[n_test : n_test + n_validation]] = 1
    return split


def count_splits(split: np.ndarray) -> dict[str, int]:
    """How many rows each split has, by name."""
    return {name: int((split == k).sum()) for k, name in enumerate(("train", "validation", "test"))}
