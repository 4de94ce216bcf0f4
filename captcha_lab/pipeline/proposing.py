"""Proposals for whole captchas: the reader that comes with the program, trained on as labels come."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.label.questions.texts.proposer import Pixels, TrainedProposer
from captcha_lab.progress import no_progress

if TYPE_CHECKING:
    import numpy as np

    from captcha_lab.recognise.contract import CaptchaReader

KIND = "sequence"  # the kind of reader that learns whole pictures
HELD_OUT = 10  # every so many labelled captchas one is held out, to choose weights and to calibrate
ENOUGH = 40  # labelled captchas below which none is held out
STEPS = 200  # batches of each training: about a minute of an idle core


def text_proposer(pixels: Pixels) -> TrainedProposer | None:
    """Proposals by the base reader, which learns from labels; None where no kind of reader learns whole pictures.

    Args:
        pixels: gives a captcha's picture by its id.
    """
    from captcha_lab.recognise.registry import reader_kinds
    from captcha_lab.recognise.sequence.adapt import adapted
    from captcha_lab.recognise.sequence.reader import base_reader

    if KIND not in reader_kinds():
        return None
    return TrainedProposer(
        pixels, lambda pictures: adapted(base_reader(), pictures), learned, "the base reader"
    )


def learned(images: list[np.ndarray], texts: list[str]) -> CaptchaReader:
    """A reader trained on labelled captchas, and on those without a label ("") that it reads surely."""
    import numpy as np

    from captcha_lab.recognise.registry import CaptchaViews, reader_kind
    from captcha_lab.store.packed.packed import SPLITS, PackedSet
    from captcha_lab.store.packed.texts import TextSet

    def no_glyphs() -> PackedSet:
        raise AssertionError("a reader of whole pictures asks for no glyphs")

    split = np.full(len(texts), SPLITS.index("train"), np.uint8)
    known = [row for row, text in enumerate(texts) if text]
    if len(known) >= ENOUGH:
        split[known[HELD_OUT - 1 :: HELD_OUT]] = SPLITS.index("validation")
    rows, unmarked = np.arange(len(texts)), np.zeros(len(texts), np.uint8)
    data = TextSet(images, tuple(texts), split, rows, unmarked, {"dataset": "labelling"})
    kind = reader_kind(KIND)
    with tempfile.TemporaryDirectory(prefix="captcha-lab-") as place:
        report = kind.train(
            CaptchaViews(data, no_glyphs),
            Path(place),
            {"steps": STEPS, "tensorboard": False},
            None,
            no_progress,
        )
        return kind.load(report.run.root)
