"""What the scraper's tests share: time that passes only when slept through, and a dataset in a scratch folder."""

import random
import time
from pathlib import Path
from typing import Any

import pytest

from captcha_lab.collect.scrape.config import ScrapeConfig, ScrapeResult
from captcha_lab.collect.scrape.pace import Clock
from captcha_lab.collect.scrape.scrape import scrape
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.rows import FetchRow
from captcha_lab.store.workspace import DatasetFolder, Workspace


class Scraping:
    """Scrapes into one dataset; its clock stands still but for the sleeps, which take no time."""

    def __init__(self, root: Path, name: str | None = None) -> None:
        self.folder: DatasetFolder = Workspace(root).dataset(name)
        self.skipped = 0.0
        self.sleeps: list[float] = []
        self.said: list[str] = []
        start = time.time()
        self.clock = Clock(lambda: self.skipped, lambda: start + self.skipped, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.skipped += seconds
        self.sleeps.append(seconds)

    def __call__(
        self, url: str, *, confirm: Any = None, on_progress: Any = lambda done, total: None, **options: Any
    ) -> ScrapeResult:
        config = ScrapeConfig(**{"silence": 5.0, "deadline": 8.0, **options})
        return scrape(
            self.folder,
            url,
            config,
            confirm=confirm,
            say=self.said.append,
            on_progress=on_progress,
            clock=self.clock,
            rng=random.Random(0),
        )

    @property
    def fetches(self) -> list[FetchRow]:
        with Catalog(self.folder.catalog_path) as catalog:
            return catalog.fetches()

    @property
    def provenance(self) -> list[dict[str, Any]]:
        with Catalog(self.folder.catalog_path) as catalog:
            return catalog.provenance()


@pytest.fixture
def scraping(tmp_path: Path) -> Scraping:
    return Scraping(tmp_path)
