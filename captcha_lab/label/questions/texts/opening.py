"""From a dataset on the disk to the engine that asks about its whole captchas."""

from __future__ import annotations

from captcha_lab.errors import CaptchaLabError
from captcha_lab.label.questions.texts.engine import TextEngine
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from captcha_lab.store.workspace import DatasetFolder


def open_texts(folder: DatasetFolder, configured_alphabet: str = "") -> TextEngine:
    """The text engine of a dataset, with its own connection to the catalog; ready at once.

    Raises:
        CaptchaLabError: there is no dataset, or it holds no captchas.
    """
    from captcha_lab.datasets.facts import alphabet_of, describe

    catalog = Catalog(folder.catalog_path, create=False)
    images = [row.id for row in catalog.images()]
    if not images:
        catalog.close()
        raise CaptchaLabError(
            f"Dataset {folder.name} holds no captchas: run `captcha-lab scrape` or `captcha-lab import` first."
        )
    engine = TextEngine(images, LabelLog(catalog), alphabet_of(catalog, configured_alphabet))
    engine.assumed = not (configured_alphabet or catalog.get_meta("alphabet") or describe(catalog).alphabet)
    return engine
