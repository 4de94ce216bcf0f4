"""From a dataset on the disk to the engine that asks about its glyphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from captcha_lab.alphabet import Alphabet
from captcha_lab.datasets.cutting import read_glyphs
from captcha_lab.errors import CaptchaLabError
from captcha_lab.label.proposals.kept import kept_look_alikes
from captcha_lab.label.proposals.lookalikes import stages
from captcha_lab.label.questions.fit import SAME_LENGTH, WITH_DOUBLE, length_agreement, share_with_double
from captcha_lab.label.questions.glyphs.engine import NOTHING_CUT, GlyphEngine
from captcha_lab.label.questions.types import LabelConfig
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from captcha_lab.store.workspace import DatasetFolder

READING_SHARE = 0.15  # of the time, about, that goes by before the glyphs are compared


@dataclass(frozen=True)
class Opened:
    """The engine, None where whole captchas are the better question, and why it is used or not."""

    engine: GlyphEngine | None
    why: str


def open_glyphs(
    folder: DatasetFolder,
    alphabet: Alphabet,
    progress: Callable[[int, int], None],
    texts: Mapping[int, str] | None = None,
    *,
    otherwise: bool = True,
) -> Opened:
    """The glyph engine of a dataset, with its own connection to the catalog; look-alikes are kept beside that.

    Args:
        folder: the dataset.
        alphabet: the characters that can be labels.
        progress: told (percent done, 100).
        texts: known or believed texts by image id: a cut into another number of glyphs is not used.
        otherwise: whether there is a reader of whole captchas; without one, poor cuts are used too.

    Raises:
        CaptchaLabError: there is no dataset, or a picture is missing or damaged.
    """
    reading, comparing = stages(progress, READING_SHARE)
    table, config = read_glyphs(folder, reading), LabelConfig()
    if not table.places:
        return Opened(None, f"Whole captchas are asked. {NOTHING_CUT}")
    share, against = length_agreement(texts or {}, Counter(image_id for image_id, _ in table.places))
    if share < SAME_LENGTH:
        return Opened(None, f"Whole captchas are asked, because {against}.")
    look = kept_look_alikes(
        folder.root,
        table.images,
        np.array([position for _, position in table.places]),
        max_shapes=config.max_shapes,
        seed=config.seed,
        progress=comparing,
    )
    doubles = share_with_double(look)
    if otherwise and doubles < WITH_DOUBLE:
        return Opened(
            None, f"Whole captchas are asked, because only {doubles:.0%} of the glyphs have a double."
        )
    log = LabelLog(Catalog(folder.catalog_path, create=False))
    engine = GlyphEngine(table.images, table.places, alphabet, log, config, look)
    return Opened(engine, f"Glyphs are asked: {doubles:.0%} have a double, so one key labels many.")


def open_engine(
    folder: DatasetFolder, alphabet: Alphabet, progress: Callable[[int, int], None]
) -> GlyphEngine:
    """The glyph engine of a dataset, however well its captchas are cut (see `open_glyphs`).

    Raises:
        CaptchaLabError: nothing is cut; see also `open_glyphs`.
    """
    engine = open_glyphs(folder, alphabet, progress, otherwise=False).engine
    if engine is None:
        raise CaptchaLabError(NOTHING_CUT)
    return engine
