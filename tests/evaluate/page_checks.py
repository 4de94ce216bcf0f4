"""What every page that the program writes must stand: three sizes, light and dark, axe, print."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

PRINTED = 680  # CSS pixels between the margins of A4
# Two of them are also 1280 and 780 pixels at twice the size.
SIZES = (390, 640, 1280)


def check_page(chromium: Browser, path: Path) -> None:
    """Open a page at three sizes, light and dark: nothing overflows, axe finds nothing, nothing is fetched; and print.

    Raises:
        AssertionError: naming the size and the violations.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    requests, complaints = [], []
    tab = chromium.new_page()
    tab.on("request", lambda r: requests.append(r.url))
    tab.on("console", lambda m: complaints.append(m.text))
    tab.goto(f"file://{path}")
    assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        for width in SIZES:
            tab.set_viewport_size({"width": width, "height": 800})
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, (scheme, width)
            found = axe.run(tab)
            assert found.violations_count == 0, (scheme, width, found.generate_report())
    tab.emulate_media(media="print", color_scheme="dark")
    tab.set_viewport_size({"width": PRINTED, "height": 960})
    cut_off = (
        "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert tab.evaluate(cut_off) == 0, "a table is cut off in print"
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    tab.close()
    assert not complaints
    assert all(url.startswith(("file:", "data:")) for url in requests)
