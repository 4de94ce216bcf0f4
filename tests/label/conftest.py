"""A review page being served."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from captcha_lab.label.web.config import ReviewConfig
from captcha_lab.label.web.server import running_review
from captcha_lab.store.workspace import DatasetFolder
from tests.label import page_data
from tests.label.browser_steps import PATIENCE, open_page
from tests.label.page_client import Client

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Folder and texts of thirty drawn captchas, made once."""
    return page_data.make_dataset(tmp_path_factory.mktemp("drawn"))


@pytest.fixture
def dataset(drawn: Any, tmp_path: Path) -> Any:
    """The same, for one test to change."""
    folder, texts = drawn
    root = tmp_path / "datasets" / folder.name
    shutil.copytree(folder.root, root)
    return DatasetFolder(root), texts


@pytest.fixture
def served(dataset: Any) -> Iterator[Client]:
    """A page over `dataset`, entered."""
    folder, texts = dataset
    with running_review(
        page_data.desk(folder, texts, frozenset({(1, 0), (3, 2)})), ReviewConfig(port=0, browser=False)
    ) as url:
        yield Client(url).enter().wait()


@pytest.fixture
def served_texts(dataset: Any) -> Iterator[Client]:
    """A page over `dataset` that asks about whole captchas; the proposals of captchas 3 and 7 are wrong."""
    folder, texts = dataset
    desk = page_data.text_desk(folder, texts, frozenset({3, 7}))
    with running_review(desk, ReviewConfig(port=0, browser=False)) as url:
        yield Client(url).enter().wait()


@pytest.fixture(scope="module")
def fortress(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A page that all attacks of a module may try; none may change anything."""
    folder, texts = page_data.make_dataset(tmp_path_factory.mktemp("fortress"))
    with running_review(page_data.desk(folder, texts), ReviewConfig(port=0, browser=False)) as url:
        yield Client(url).enter()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": 1280, "height": 800})
    made.set_default_timeout(PATIENCE)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, served: Client) -> Any:
    return open_page(context, served)
