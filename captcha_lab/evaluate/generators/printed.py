"""Printed grids of samples, such as the thesis's figures, as candidates; and a panel of readers for them.

A printed grid is small (256 samples) and shows samples no reader was tuned to, so a single recogniser's score of
it depends on that recogniser: one trained on shifted glyphs reads off-centre samples that another, just as good on
real glyphs, does not. A panel of fresh recognisers shows that spread instead of hiding it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.generators.candidate import Candidate, size_text
from captcha_lab.evaluate.readers import SampleReader
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Images
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.classifier import Classifier
from captcha_lab.recognise.classify import build_lenet, train_classifier
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.recognise.contract import GlyphClassifier
from captcha_lab.store.files import read_file
from captcha_lab.store.images import read_image

DESCRIPTION = "figures.json"
_KINDS = {"file": str, "cell": int, "class_order": list | str | None, "per_class": int | None}
PANEL_EPOCHS = 12
# (shift in pixels, seed): half of the panel learns from glyphs as they are, half from shifted ones. Fourteen readers,
# that read 98.4 to 99.9 % of held-out glyphs, read 82 to 96 % of the thesis's best grid, by shift and seed
# alone, and 62 to 96 % of another, whose glyphs stand a pixel off: the range says more than the mean.
PANEL = tuple((k % 2, 101 + k) for k in range(8))


@dataclass(frozen=True)
class PrintedGrids:
    """Candidates that fit the data, and why the other grids can't be scored (file, reason)."""

    candidates: list[Candidate]
    skipped: list[tuple[str, str]]


def load_grids(folder: Path, real: RealData) -> PrintedGrids:
    """The grids that `figures.json` describes: file, system, iterations, seconds, cell, class order, per class.

    Raises:
        CaptchaLabError: the description is missing or damaged, or a picture it names can't be read.
    """
    path = folder / DESCRIPTION
    try:
        entries = json.loads(read_file(path))
    except CaptchaLabError as error:
        raise CaptchaLabError(
            f"{path} can't be read ({error}): name a folder of printed grids with a {DESCRIPTION}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise CaptchaLabError(f"{path} is not JSON ({error}).") from error
    if not isinstance(entries, list) or not all(
        isinstance(e, dict) and all(isinstance(e.get(key), kind) for key, kind in _KINDS.items())
        for e in entries
    ):
        raise CaptchaLabError(
            f"{path} must hold a list of objects with `file` (text) and `cell` (whole number), and where there are any "
            "with `class_order` (texts) and `per_class` (whole number)."
        )
    grids = PrintedGrids([], [])
    for entry in entries:
        images = cut_grid(_read_picture(folder, entry["file"]), entry["cell"], entry["file"])
        if images.shape[1:] != real.image_shape:
            reason = f"{size_text(images.shape[1:])} cells, the data's are {size_text(real.image_shape)}"
            grids.skipped.append((entry["file"], reason))
            continue
        labels = _labels(entry, len(images), real.classes)
        name = Path(entry["file"]).stem
        facts = {"source": "printed", **{k: v for k, v in entry.items() if k != "class_order"}}
        grids.candidates.append(
            Candidate(name, images=images, labels=labels, labelled=labels is not None, facts=facts)
        )
    return grids


def _read_picture(folder: Path, name: str) -> NDArray[np.uint8]:
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise CaptchaLabError(f"{DESCRIPTION} names {name!r}, which lies outside of {folder}.")
    try:
        return read_image(folder / name)
    except CaptchaLabError as error:
        raise CaptchaLabError(f"{DESCRIPTION} names a picture that is missing or damaged: {error}") from error


def cut_grid(picture: NDArray[np.uint8], cell: int, name: str) -> Images:
    """A picture [H, W] or [H, W, 3] as its cells, row by row: uint8 [N, cell, cell(, 3)].

    Raises:
        CaptchaLabError: the cells don't fill it.
    """
    height, width = picture.shape[:2]
    if cell < 1 or height % cell or width % cell:
        raise CaptchaLabError(f"{name} has {width}x{height} pixels, which cells of {cell} do not fill.")
    rows, columns = height // cell, width // cell
    parts = picture.reshape(rows, cell, columns, cell, *picture.shape[2:])
    return np.ascontiguousarray(parts.swapaxes(1, 2).reshape(-1, cell, cell, *picture.shape[2:]))


def _labels(entry: dict[str, Any], count: int, classes: tuple[str, ...]) -> NDArray[np.integer] | None:
    """Class numbers of a labelled grid in the data's own order; None where it has no classes."""
    order, each = entry.get("class_order"), entry.get("per_class")
    if not entry.get("labelled") or not order or not each:
        return None
    if not all(isinstance(name, str) for name in order):
        raise CaptchaLabError(f"{DESCRIPTION}: the `class_order` of {entry['file']} is no list of texts.")
    unknown = [name for name in order if name not in classes]
    if unknown or len(order) * int(each) != count:
        raise CaptchaLabError(
            f"{entry['file']} should show {each} each of {order}, but it has {count} cells"
            + (f" and the data has no class {unknown[0]!r}." if unknown else ".")
        )
    return np.repeat([classes.index(name) for name in order], int(each))


def train_panel(
    real: RealData,
    *,
    members: tuple[tuple[int, int], ...] = PANEL,
    epochs: int = PANEL_EPOCHS,
    progress: PhaseProgress = no_progress,
) -> SampleReader:
    """Fresh recognisers of the thesis's architecture, trained on the real training glyphs, as one reader.

    Raises:
        CaptchaLabError: the data has no labels.
    """
    if not real.labelled or real.train_conditions is None:
        raise CaptchaLabError("Readers need labelled glyphs: give labels with `captcha-lab label`.")
    size, channels = real.image_shape[0], 3 if len(real.image_shape) == 3 else 1
    panel: list[GlyphClassifier] = []
    total = len(members) * epochs
    for pixels, seed in members:
        done = len(panel) * epochs

        def tell(scalars: dict[str, Any], done: int = done) -> None:
            progress("training the panel of readers", done + scalars["epoch"], total)

        network = build_lenet(len(real.classes), size, channels, seed)
        config = ClassifierConfig(epochs=epochs, patience=epochs, shift=pixels, seed=seed)
        train_classifier(network, real.train, np.asarray(real.train_conditions), None, config, tell)
        panel.append(Classifier(network, real.classes, size))
    role = (
        f"{len(panel)} freshly trained recognisers: their mean, and from the lowest to the highest of them."
    )
    return SampleReader(tuple(panel), "panel", "panel", role)
