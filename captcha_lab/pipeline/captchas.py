"""Captchas: cut, packed, trained on and read, each command doing the earlier steps it needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.errors import CaptchaLabError
from captcha_lab.pipeline.common import Progress, Say, find_model, silent
from captcha_lab.segment import Segmenter
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.datasets.captcha import SegmentReport
    from captcha_lab.recognise.config import TrainConfig
    from captcha_lab.recognise.read import ReadReport, Recogniser
    from captcha_lab.recognise.train import TrainReport
    from captcha_lab.store.packed.packed import PackedSet

PREVIEWED = 24  # captchas drawn by `segment --preview`


def segment(
    folder: DatasetFolder, segmenter: Segmenter, preview: Path | None = None, progress: Progress = silent
) -> SegmentReport:
    """Cut all captchas of a dataset, and draw some of them where a path is given.

    Raises:
        CaptchaLabError: there is no dataset, or it holds no captchas.
    """
    from captcha_lab.datasets.captcha import segment_dataset
    from captcha_lab.store.images import check_target

    if preview is not None:
        check_target(preview)
    report = segment_dataset(folder, segmenter, progress)
    if report.captchas == 0:
        raise CaptchaLabError(
            f"Dataset {folder.name} holds no captchas: run `captcha-lab scrape` or `captcha-lab import`."
        )
    if preview is not None:
        _draw_preview(folder, segmenter, preview)
    return report


def _draw_preview(folder: DatasetFolder, segmenter: Segmenter, path: Path) -> None:
    import numpy as np

    from captcha_lab.datasets.captcha import captchas
    from captcha_lab.segment.preview import preview as draw
    from captcha_lab.store.catalog.catalog import Catalog
    from captcha_lab.store.images import write_image

    with Catalog(folder.catalog_path, create=False) as catalog:
        rows = catalog.images()
    chosen = np.unique(np.linspace(0, len(rows) - 1, PREVIEWED).astype(int))
    images = [image for _, image in captchas(folder, [rows[k] for k in chosen], problems=[])]
    write_image(path, draw(images, segmenter))


def describe_segmentation(report: SegmentReport, preview: Path | None = None) -> list[str]:
    """What a segmentation found, as lines for people."""
    meaning = {
        "empty": "hold no ink",
        "seam": "have ink that runs over a seam into the next cell",
        "fragment": "hold a piece of a neighbour",
    }
    lines = [f"Cut {report.captchas} captchas into {report.cells} glyphs."]
    lines += [
        f"  {report.flagged.get(flag, 0):6d} ({report.flagged.get(flag, 0) / max(report.cells, 1):.1%}) {text}"
        for flag, text in meaning.items()
    ]
    lines += [f"  unreadable: {problem}" for problem in report.unreadable]
    return [*lines, f"Preview: {preview}"] if preview else lines


def ensure_segmented(
    workspace: Workspace, folder: DatasetFolder, say: Say, progress: Progress = silent
) -> None:
    """Cut what has come since the last cut, and say so.

    Raises:
        CaptchaLabError: there is no dataset.
    """
    from captcha_lab.datasets.captcha import segment_dataset, segmenter_of
    from captcha_lab.store.catalog.catalog import Catalog

    with Catalog(folder.catalog_path, create=False) as catalog:
        segmenter = segmenter_of(catalog, Segmenter(glyphs=workspace.config.length))
        pending = catalog.unsegmented(segmenter.version)
    if pending:
        report = segment_dataset(folder, segmenter, progress, only_new=True)
        say(f"Segmented {report.captchas} new captchas into {report.cells} glyphs.")


def ensure_packed_file(
    workspace: Workspace, folder: DatasetFolder, say: Say, seed: int = 0, progress: Progress = silent
) -> None:
    """Bring a dataset's packed file up to date without reading it.

    Captchas are segmented and packed; faces and digits were prepared, or are packed from the module's embedded
    default where the dataset bears its name.

    Raises:
        CaptchaLabError: there is nothing to pack, or a label is outside the alphabet.
        UsageError: the dataset's module has no embedded default.
    """
    from captcha_lab.datasets import base, captcha

    is_captcha = folder.catalog_path.exists() or folder.name not in base.dataset_names()
    if is_captcha or folder.name == captcha.DATASET.name:
        if folder.catalog_path.exists() or not folder.packed_path.exists():
            ensure_segmented(workspace, folder, say, progress)
            captcha.pack(folder, workspace.config.alphabet, seed, progress)
        return
    report = base.ensure_packed(folder.name, folder, progress)
    for note in report.notes if report else ():
        say(note)


def ensure_packed(
    workspace: Workspace, folder: DatasetFolder, say: Say, seed: int = 0, progress: Progress = silent
) -> PackedSet:
    """The dataset's packed set in memory, up to date (see `ensure_packed_file`)."""
    from captcha_lab.store.packed.packed import read_packed

    ensure_packed_file(workspace, folder, say, seed, progress)
    return read_packed(folder.packed_path)


def train(
    workspace: Workspace,
    folder: DatasetFolder,
    config: TrainConfig,
    name: str | None = None,
    say: Say = lambda message: None,
    progress: Progress = silent,
) -> TrainReport:
    """Train the recogniser on a dataset's labels, packing them first.

    Raises:
        CaptchaLabError: see `ensure_packed` and `recognise.train.train_recogniser`.
    """
    from captcha_lab.recognise.train import train_recogniser

    data = ensure_packed(workspace, folder, say)
    return train_recogniser(
        data, workspace.models, config, name, lambda scalars: progress(scalars["epoch"], config.epochs)
    )


def load_recogniser(workspace: Workspace, model: str | None = None) -> Recogniser:
    """The recogniser a user means (see `find_model`)."""
    from captcha_lab.recognise.read import Recogniser

    return Recogniser.load(find_model(workspace, model, "recogniser"))


def read(paths: list[Path], model: str | None = None, progress: Progress = silent) -> ReadReport | None:
    """Read captcha files and folders with a recogniser of the workspace (see `recognise.read.read_files`).

    Processes that torchrun started read a share each; the first has the whole report, the others None.
    """
    from captcha_lab.parallel import join_group
    from captcha_lab.recognise.read import ReadReport, files_in, read_files

    recogniser = load_recogniser(Workspace.find(), model)
    files = [file for path in paths for file in files_in(path)]
    group = join_group()  # last: what is wrong for all processes is found before they meet
    share = read_files(recogniser, files[group.share(len(files))], progress)
    parts = group.gather(share)
    if not parts:
        return None
    return ReadReport(
        [reading for part in parts for reading in part.readings],
        [problem for part in parts for problem in part.unreadable],
        max(part.seconds for part in parts),
    )
