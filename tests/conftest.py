"""Fixtures shared by all rooms."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

# Tests run in two worker processes on two cores: more threads per process only fight each other.
torch.set_num_threads(1)

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real data is not beside the checkout ({SHARED_DATA.name} folder absent)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's browser, one for all the tests of a process: two cannot be driven at once."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium on this machine")
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
