"""Captchas: cut, packed, trained on and read, each command doing the earlier steps it needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captcha_lab.errors import CaptchaLabError
from captcha_lab.pipeline.common import Progress, Say, find_model, silent
from captcha_lab.segment import Segmenter
from captcha_lab.store.workspace import DEFAULT_LENGTH, DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.datasets.cutting import SegmentReport
    from captcha_lab.recognise.config import TrainConfig
    from captcha_lab.recognise.read import ReadReport, Recogniser
    from captcha_lab.recognise.train import TrainReport
    from captcha_lab.store.packed.packed import PackedSet


def segment(
    workspace: Workspace,
    folder: DatasetFolder,
    settings: dict[str, Any],
    preview: Path | None = None,
    progress: Progress = silent,
) -> SegmentReport:
    """Cut all captchas of a dataset, and draw some of them where a path is given.

    Args:
        workspace: for the configured length.
        folder: of the dataset.
        settings: fields of `Segmenter` that the user named; where neither the method nor the number of cells is
            among them, the labels choose these.
        preview: the picture to draw, or None.
        progress: told (done, total) captchas.

    Raises:
        CaptchaLabError: there is no dataset, or it holds no captchas.
        UsageError: a setting is impossible.
    """
    from captcha_lab.datasets.cutting import check_segmenter, choose_segmenter, segment_dataset
    from captcha_lab.datasets.facts import describe
    from captcha_lab.segment.method import method_named
    from captcha_lab.store.catalog.catalog import Catalog
    from captcha_lab.store.images import check_target

    if preview is not None:
        check_target(preview)
    named = {"method", "glyphs"} & settings.keys()
    method_named(Segmenter(**{"glyphs": DEFAULT_LENGTH, **settings}).method)  # says what is impossible
    with Catalog(folder.catalog_path, create=False) as catalog:
        if named:
            length = workspace.config.length or describe(catalog).length
            default = DEFAULT_LENGTH if settings.get("method", "equal") == "equal" else 0
            chosen = Segmenter(**{"glyphs": length or default, **settings})
        else:
            chosen = replace(choose_segmenter(folder, catalog, workspace.config.length), **settings)
        check_segmenter(folder, catalog, chosen)
    report = segment_dataset(folder, chosen, progress, by_hand=bool(settings))
    if report.captchas == 0:
        raise CaptchaLabError(
            f"Dataset {folder.name} holds no captchas that can be cut: run `captcha-lab scrape` or `captcha-lab "
            "import`."
        )
    if preview is not None:
        _draw_preview(folder, preview)
    return report


def _draw_preview(folder: DatasetFolder, path: Path) -> None:
    from captcha_lab.datasets.cutting import sample_cuts
    from captcha_lab.segment.preview import preview as draw
    from captcha_lab.store.images import write_image

    images, boxes, segmenter = sample_cuts(folder)
    write_image(path, draw(images, segmenter, boxes))


def describe_segmentation(report: SegmentReport, preview: Path | None = None) -> list[str]:
    """What a segmentation found, as lines for people."""
    meaning = {
        "empty": "hold no ink",
        "seam": "have ink that runs over an edge into the next cell",
        "fragment": "hold a piece of a neighbour",
    }
    found = report.segmenter
    number = f"{found.glyphs} cells each" if found.glyphs else "as many cells as characters are found"
    lines = [
        f"Cut {report.captchas} captchas into {report.cells} glyphs by the method {found.method} ({number})."
    ]
    lines += [
        f"  {report.flagged.get(flag, 0):6d} ({report.flagged.get(flag, 0) / max(report.cells, 1):.1%}) {text}"
        for flag, text in meaning.items()
    ]
    if report.unlike:
        lines.append(
            f"  {report.unlike} labelled captchas have another number of cells than their text has characters: their "
            "glyphs stay unlabelled. A reader of whole captchas needs no cut."
        )
    lines += [f"  set aside: captcha {image_id}, {why}" for image_id, why in report.aside.items()]
    lines += [f"  unreadable: {problem}" for problem in report.unreadable]
    return [*lines, f"Preview: {preview}"] if preview else lines


def ensure_segmented(
    workspace: Workspace, folder: DatasetFolder, say: Say, progress: Progress = silent
) -> None:
    """Cut what has come since the last cut, or all anew where the labels contradict the present one, and say so.

    Raises:
        CaptchaLabError: there is no dataset.
    """
    from captcha_lab.datasets.cutting import segment_dataset

    segmenter, pending = wanted_segmenter(workspace, folder)
    if not pending:
        return
    report = segment_dataset(folder, segmenter, progress, only_new=True)
    if report.captchas:
        say(f"Segmented {report.captchas} captchas into {report.cells} glyphs (method {segmenter.method}).")
    for image_id, why in report.aside.items():
        say(f"Set captcha {image_id} aside, {why}.")
    for problem in report.unreadable:
        say(f"Left out {problem}")


def wanted_segmenter(workspace: Workspace, folder: DatasetFolder) -> tuple[Segmenter, bool]:
    """How a dataset is to be cut, and whether anything waits to be cut so.

    That is how it was cut last, unless the labels contradict that and no person chose it.

    Raises:
        CaptchaLabError: there is no dataset.
    """
    from captcha_lab.datasets.cutting import BY_HAND, choose_segmenter, segmenter_of, unlike_their_text
    from captcha_lab.datasets.facts import USUAL
    from captcha_lab.store.catalog.catalog import Catalog
    from captcha_lab.store.catalog.labels import LabelLog

    with Catalog(folder.catalog_path, create=False) as catalog:
        stored = catalog.get_meta("segmenter")
        texts = LabelLog(catalog).texts()
        unlike = len(unlike_their_text(catalog, texts)) if stored else 0
        contradicted = unlike > (1 - USUAL) * len(texts) and catalog.get_meta(BY_HAND) != "1"
        if stored and not contradicted:
            segmenter = segmenter_of(catalog)
        else:
            segmenter = choose_segmenter(folder, catalog, workspace.config.length)
        again = segmenter.method != "equal" and unlike > 0
        return segmenter, again or not stored or bool(catalog.unsegmented(segmenter.version))


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
            problems: list[str] = []
            captcha.pack_glyphs(folder, workspace.config.alphabet, seed, progress, problems)
            for problem in problems:
                say(f"Left out {problem}")
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


def load_recogniser(
    workspace: Workspace, model: str | None = None, say: Say = lambda message: None
) -> Recogniser:
    """The recogniser a user means (see `find_model`)."""
    from captcha_lab.recognise.read import Recogniser

    return Recogniser.load(find_model(workspace, model, "recogniser", say=say))


def read(
    paths: list[Path],
    model: str | None = None,
    progress: Progress = silent,
    say: Say = lambda message: None,
) -> ReadReport | None:
    """Read captcha files and folders with a recogniser of the workspace (see `recognise.read.read_files`).

    Processes that torchrun started read a share each; the first has the whole report, the others None.
    """
    from captcha_lab.parallel import join_group
    from captcha_lab.recognise.read import ReadReport, files_in, read_files

    recogniser = load_recogniser(Workspace.find(), model, say)
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
