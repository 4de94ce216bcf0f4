"""From a dataset on the disk to the engine that asks about it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from captcha_lab.alphabet import Alphabet
from captcha_lab.datasets.cutting import read_glyphs
from captcha_lab.errors import CaptchaLabError
from captcha_lab.label.proposals.kept import kept_look_alikes
from captcha_lab.label.proposals.lookalikes import stages
from captcha_lab.label.questions.engine import NOTHING_CUT, Engine
from captcha_lab.label.questions.types import LabelConfig
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from captcha_lab.store.workspace import DatasetFolder

READING_SHARE = 0.15  # of the time, about, that goes by before the glyphs are compared


def open_engine(folder: DatasetFolder, alphabet: Alphabet, progress: Callable[[int, int], None]) -> Engine:
    """The engine of a dataset, with its own connection to the catalog; look-alikes are kept beside that.

    Raises:
        CaptchaLabError: there is no dataset, nothing is cut, or a picture is missing or damaged.
    """
    reading, comparing = stages(progress, READING_SHARE)
    table, config = read_glyphs(folder, reading), LabelConfig()
    if not table.places:
        raise CaptchaLabError(NOTHING_CUT)
    positions = np.array([position for _, position in table.places])
    look = kept_look_alikes(
        folder.root,
        table.images,
        positions,
        max_shapes=config.max_shapes,
        seed=config.seed,
        progress=comparing,
    )
    log = LabelLog(Catalog(folder.catalog_path, create=False))
    return Engine(table.images, table.places, alphabet, log, config, look)
