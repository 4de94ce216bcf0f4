"""Look through a whole workspace: is everything readable, are all checksums right, what belongs to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.rows import ImageRow
from captcha_lab.store.images import decode
from captcha_lab.store.packed.packed import open_packed
from captcha_lab.store.packed.rows import RowReader
from captcha_lab.store.packed.texts import read_texts
from captcha_lab.store.runs import Run, load_weights
from captcha_lab.store.sums import check_archive
from captcha_lab.store.workspace import DatasetFolder, Workspace

Progress = Callable[[int, int], None]
BATCH = 256  # rows of a packed set in memory at a time


@dataclass
class CheckReport:
    """What was looked at, what is wrong with it, and what belongs to nothing (`clean` removes it)."""

    datasets: int = 0
    pictures: int = 0
    runs: int = 0
    problems: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


def check_workspace(workspace: Workspace, progress: Progress = lambda done, total: None) -> CheckReport:
    """Read everything in a workspace: catalogs, pictures, packed sets, weights and checkpoints.

    Damage is listed, never raised.
    """
    report = CheckReport()
    for folder in dataset_folders(workspace):
        report.datasets += 1
        _check_dataset(folder, report, progress)
    for root in sorted(path.parent for path in workspace.models.glob("*/config.json")):
        report.runs += 1
        report.problems += _complaints(partial(_check_run, Run(root)))
    return report


def dataset_folders(workspace: Workspace) -> list[DatasetFolder]:
    """The datasets of a workspace, by name."""
    folders = sorted((workspace.root / "datasets").glob("*"))
    return [DatasetFolder(path) for path in folders if path.is_dir() and not path.name.startswith(".")]


def images_of(folder: DatasetFolder) -> list[ImageRow]:
    """All pictures of a dataset, those set aside too.

    Raises:
        CaptchaLabError: the catalog can't be read.
    """
    with Catalog(folder.catalog_path, create=False) as catalog:
        return [*catalog.images(), *catalog.images(aside=True)]


def orphan_blobs(folder: DatasetFolder, rows: list[ImageRow]) -> Iterator[Path]:
    """Files among the pictures that no row of the catalog names."""
    blobs = BlobStore(folder.blobs)
    known = {blobs.path(row.sha256, row.extension) for row in rows}
    return (path for path in sorted(folder.blobs.glob("*/*")) if path.is_file() and path not in known)


def _check_dataset(folder: DatasetFolder, report: CheckReport, progress: Progress) -> None:
    if folder.catalog_path.is_file():
        try:
            with Catalog(folder.catalog_path, create=False) as catalog:
                catalog.check()
            rows = images_of(folder)
            blobs = BlobStore(folder.blobs)
            for k, row in enumerate(rows, 1):
                report.pictures += 1
                report.problems += [
                    f"Captcha {row.id} of dataset {folder.name}: {said}"
                    for said in _complaints(partial(_decode, blobs, row))
                ]
                progress(k, len(rows))
            report.orphans += map(str, orphan_blobs(folder, rows))
        except CaptchaLabError as error:
            report.problems.append(str(error))
    if folder.packed_path.is_file():
        report.problems += _complaints(partial(_read_packed, folder.packed_path))
    if folder.texts_path.is_file():
        report.problems += _complaints(partial(read_texts, folder.texts_path))


def _decode(blobs: BlobStore, row: ImageRow) -> None:
    decode(blobs.get(row.sha256, row.extension))


def _read_packed(path: Path) -> None:
    import numpy as np

    with open_packed(path):
        pass
    with RowReader(path) as rows:
        for start in range(0, len(rows), BATCH):
            rows.read(np.arange(start, min(start + BATCH, len(rows))))


def _check_run(run: Run) -> None:
    run.config()
    if run.weights.is_file():
        load_weights(run.weights)
    if run.resume.is_file():
        try:
            check_archive(run.resume)
        except CaptchaLabError as error:
            raise CaptchaLabError(f"The checkpoint {run.resume} is damaged ({error}).") from error


def _complaints(look: Callable[[], object]) -> list[str]:
    try:
        look()
    except CaptchaLabError as error:
        return [str(error)]
    return []
