"""The glyph reader: captchas cut into cells, each read by the thesis's LeNet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from captcha_lab.errors import CaptchaLabError
from captcha_lab.recognise.classifier import Classifier, lenet_of
from captcha_lab.recognise.codec.glyph import GlyphCodec
from captcha_lab.recognise.contract import Reading
from captcha_lab.recognise.networks.lenet import ARCHITECTURE
from captcha_lab.recognise.restore import described, restore
from captcha_lab.recognise.tensors import SCALING
from captcha_lab.segment import Segmenter
from captcha_lab.segment.inspect import MIN_INK
from captcha_lab.store.pixels import pictures

KIND = "glyph"
ONLY_JUDGES = (
    "It judges glyphs that another reader cut, and can't cut captchas by itself: that reader reads them."
)


class GlyphReader:
    """A `CaptchaReader` that cuts captchas into cells and classifies each.

    Args:
        classifier: reads glyphs.
        segmenter: how captchas are cut, as in training.
        temperature: see `GlyphCodec`.
    """

    kind = KIND

    def __init__(self, classifier: Classifier, segmenter: Segmenter, temperature: float = 1.0) -> None:
        self.classifier, self.segmenter = classifier, segmenter
        self.codec = GlyphCodec(classifier.classes, temperature)

    def __repr__(self) -> str:
        return f"GlyphReader({len(self.classes)} classes, {self.segmenter.method} cells)"

    @property
    def classes(self) -> tuple[str, ...]:
        """The characters it can read."""
        return self.classifier.classes

    @classmethod
    def load(cls, path: Path | str) -> GlyphReader:
        """Rebuild a reader from a run folder or a model file alone.

        Raises:
            CaptchaLabError: the file is absent, damaged, another kind of model, or one that reads single pictures.
        """
        network, facts = restore(Path(path), "a reader of glyphs", ARCHITECTURE, SCALING, lenet_of)
        if not facts.get("segmenter"):
            raise CaptchaLabError(
                f"{path} was trained on single pictures (digits, for instance) and cannot cut captchas."
            )
        with described(Path(path)):
            if cut_by_reader(facts):
                raise CaptchaLabError(f"{path} reads no captchas: {ONLY_JUDGES[0].lower()}{ONLY_JUDGES[1:]}")
            classifier = Classifier(network, tuple(facts["classes"]), int(facts["size"]))
            segmenter = Segmenter.from_dict(facts["segmenter"])
            return cls(classifier, segmenter, float(facts.get("temperature", 1.0)))

    def read(self, images: Iterable[Any]) -> list[Reading]:
        """Texts of captchas of any sizes, as arrays, paths, bytes or PIL images; a cell without ink is no character.

        Raises:
            CaptchaLabError: one of them is no picture (see `store.pixels.pixels_of`).
        """
        images = pictures(images)
        boxes = self.segmenter.boxes(images)
        glyphs = self.segmenter.crop(images, boxes)
        inked = np.count_nonzero(glyphs != 255, axis=(1, 2)) >= MIN_INK
        return self.codec.decode(self.classifier.logits(glyphs).numpy(), inked, boxes)

    def read_bytes(self, files: Sequence[bytes]) -> list[Reading]:
        """As `read`, under the name of before."""
        return self.read(files)


def cut_by_reader(info: Mapping[str, Any]) -> bool:
    """Whether the glyphs that these facts are of were cut by a reader of whole captchas."""
    return (info.get("segmenter") or {}).get("method") == "reader"
