"""From a dataset on the disk to the engine that asks about its glyphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from captcha_lab.alphabet import Alphabet
from captcha_lab.datasets.cutting import GlyphTable, read_glyphs
from captcha_lab.errors import CaptchaLabError
from captcha_lab.label.proposals.kept import kept_look_alikes
from captcha_lab.label.proposals.lookalikes import LookAlikes, stages
from captcha_lab.label.questions.fit import SAME_LENGTH, WITH_DOUBLE, length_agreement, share_with_double
from captcha_lab.label.questions.glyphs.engine import NOTHING_CUT, GlyphEngine
from captcha_lab.label.questions.types import LabelConfig
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from captcha_lab.store.workspace import DatasetFolder

READING_SHARE = 0.15  # of the time, about, that goes by before the glyphs are compared


@dataclass(frozen=True)
class ComparedCut:
    """The glyphs of a dataset, their shapes (None where whole captchas are the better question), and why."""

    glyphs: GlyphTable
    look: LookAlikes | None
    why: str


def compare_cut(
    folder: DatasetFolder,
    progress: Callable[[int, int], None],
    texts: Mapping[int, str] | None = None,
    *,
    otherwise: bool = True,
) -> ComparedCut:
    """See whether a dataset's cut is good enough to ask about glyphs; look-alikes are kept beside the catalog.

    Args:
        folder: the dataset.
        progress: told (percent done, 100).
        texts: known or believed texts by image id: a cut into another number of glyphs is not used.
        otherwise: whether there is a reader of whole captchas; without one, poor cuts are used too.

    Raises:
        CaptchaLabError: there is no dataset.
    """
    reading, comparing = stages(progress, READING_SHARE)
    table, config = read_glyphs(folder, reading), LabelConfig()
    if not table.places:
        return ComparedCut(table, None, f"Whole captchas are asked. {NOTHING_CUT}")
    share, against = length_agreement(texts or {}, Counter(image_id for image_id, _ in table.places))
    if share < SAME_LENGTH:
        return ComparedCut(table, None, f"Whole captchas are asked, because {against}.")
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
        why = f"Whole captchas are asked, because only {doubles:.0%} of the glyphs have a double."
        return ComparedCut(table, None, why)
    return ComparedCut(
        table, look, f"Glyphs are asked: {doubles:.0%} of them have a double, so one key labels many."
    )


def glyph_engine(folder: DatasetFolder, alphabet: Alphabet, cut: ComparedCut) -> GlyphEngine | None:
    """The engine that asks about a cut's glyphs, with its own connection to the catalog; None where none should.

    Raises:
        CaptchaLabError: there is no dataset.
    """
    if cut.look is None:
        return None
    log = LabelLog(Catalog(folder.catalog_path, create=False))
    return GlyphEngine(cut.glyphs.images, cut.glyphs.places, alphabet, log, LabelConfig(), cut.look)


def open_engine(
    folder: DatasetFolder, alphabet: Alphabet, progress: Callable[[int, int], None]
) -> GlyphEngine:
    """The glyph engine of a dataset, however well its captchas are cut (see `compare_cut`).

    Raises:
        CaptchaLabError: nothing is cut, or there is no dataset.
    """
    engine = glyph_engine(folder, alphabet, compare_cut(folder, progress, otherwise=False))
    if engine is None:
        raise CaptchaLabError(NOTHING_CUT)
    return engine
