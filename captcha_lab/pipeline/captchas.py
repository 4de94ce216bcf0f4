"""Captchas: cut, packed, trained on and read, each command doing the earlier steps it needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.pipeline.common import Progress, Say, find_model, silent
from captcha_lab.segment import Segmenter
from captcha_lab.store.workspace import DEFAULT_LENGTH, DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.datasets.cutting import Finder, SegmentReport
    from captcha_lab.store.packed.packed import PackedSet


def segment(
    workspace: Workspace,
    folder: DatasetFolder,
    settings: dict[str, Any],
    preview: Path | None = None,
    progress: Progress = silent,
    *,
    by_reader: bool = False,
    model: str | None = None,
    say: Say = lambda message: None,
) -> SegmentReport:
    """Cut all captchas of a dataset, and draw some of them where a path is given.

    Args:
        workspace: for the configured length.
        folder: of the dataset.
        settings: fields of `Segmenter` that the user named; where neither the method nor the number of cells is
            among them, the labels choose these.
        preview: the picture to draw, or None.
        progress: told (done, total) captchas.
        by_reader: cut where a trained reader of whole captchas sees the characters stand.
        model: that reader's run; None for the one that is used by default.
        say: told which it is.

    Raises:
        CaptchaLabError: there is no dataset, or it holds no captchas; the reader does not say where characters stand.
        UsageError: a setting is impossible.
    """
    from captcha_lab.datasets.cutting import check_segmenter, choose_segmenter, segment_dataset
    from captcha_lab.datasets.facts import describe
    from captcha_lab.segment.method import method_named
    from captcha_lab.store.catalog.catalog import Catalog
    from captcha_lab.store.images import check_target

    if preview is not None:
        check_target(preview)
    find = None
    if by_reader:
        if settings.get("method", "reader") != "reader":
            raise UsageError(
                f"--by-reader cannot go with --method {settings['method']}: leave one of them out."
            )
        path = find_model(workspace, model, "recogniser", say=say)
        settings, find = {"method": "reader", "run": path.name, "glyphs": 0} | settings, _finder(path)
    named = {"method", "glyphs"} & settings.keys()
    method_named(Segmenter(**{"glyphs": DEFAULT_LENGTH, **settings}).method)  # says what is impossible
    with Catalog(folder.catalog_path, create=False) as catalog:
        if named:
            length = workspace.config.length or describe(catalog).length
            default = DEFAULT_LENGTH if settings.get("method", "equal") == "equal" else 0
            chosen = Segmenter(**{"glyphs": length or default, **settings})
        else:
            chosen = replace(choose_segmenter(folder, catalog, workspace.config.length), **settings)
        if find is None:
            check_segmenter(folder, catalog, chosen)
    report = segment_dataset(folder, chosen, progress, by_hand=bool(settings), find=find)
    if report.captchas == 0:
        raise CaptchaLabError(
            f"Dataset {folder.name} holds no captchas that can be cut: run `captcha-lab scrape` or `captcha-lab "
            "import`."
        )
    if preview is not None:
        _draw_preview(folder, preview)
    return report


def _finder(path: Path) -> Finder:
    """Cells by a trained reader that says where characters stand."""
    from captcha_lab.datasets.cutting import reader_cells
    from captcha_lab.recognise.registry import load_reader

    reader = load_reader(path)
    if reader.kind == "glyph":
        raise CaptchaLabError(
            f"{path.name} reads cells and needs a cut itself: train a reader of whole captchas with "
            "`captcha-lab train --reader sequence`."
        )
    return reader_cells(reader.read)


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
    find = None
    if segmenter.method == "reader":
        path = workspace.models / segmenter.run
        if not path.exists():
            say(
                f"New captchas stay uncut: the reader {segmenter.run}, which cut the others, is gone. "
                "`captcha-lab segment` cuts all anew."
            )
            return
        find = _finder(path)
    report = segment_dataset(folder, segmenter, progress, only_new=True, find=find)
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
    from captcha_lab.datasets.cutting import (
        BY_HAND,
        choose_segmenter,
        miscut,
        segmenter_of,
        unlike_their_text,
    )
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
        again = bool(stored) and bool(miscut(catalog, segmenter, texts))
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
