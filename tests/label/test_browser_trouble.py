"""The real page in Chromium while something goes wrong: other tabs, a cut line, a full disk, a restarted server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from captcha_lab.label.web.config import ReviewConfig
from captcha_lab.label.web.server import running_review
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from tests.label import page_data
from tests.label.browser_steps import labels, open_page, saved
from tests.label.page_client import Client

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

pytestmark = pytest.mark.browser


def test_a_stale_page_says_so_and_follows(context: BrowserContext, served: Client, dataset: Any) -> None:
    page = open_page(context, served, "Closest calls")
    assert served.act([[9, 0, "H"]], 0)[0] == 200  # elsewhere
    page.keyboard.press("A")
    page.wait_for_selector("#banner:not([hidden])")
    assert "changed elsewhere" in page.inner_text("#banner")
    assert "Not saved: 1 answer" in page.inner_text("#banner")
    assert page.locator("#strip [data-state=lost]").count() == 1
    assert labels(dataset) == {(9, 0): "H"}
    page.wait_for_selector(".question:not(.empty)")
    page.keyboard.press("B")
    saved(page)
    assert sorted(labels(dataset).values()) == ["B", "H"]


def test_two_tabs_follow_each_other(context: BrowserContext, served: Client, dataset: Any) -> None:
    one = open_page(context, served, "Closest calls")
    two = open_page(context, served, "Closest calls")
    one.bring_to_front()
    one.keyboard.press("A")
    saved(one)
    two.bring_to_front()
    two.wait_for_selector("#banner[data-kind=good]:not([hidden])")
    two.keyboard.press("B")
    saved(two)
    assert sorted(labels(dataset).values()) == ["A", "B"]


def test_a_lost_line_keeps_the_answers_and_sends_them_once(
    context: BrowserContext, served: Client, dataset: Any
) -> None:
    page = open_page(context, served, "Closest calls")
    context.set_offline(True)
    page.keyboard.type("AB")
    page.wait_for_selector("#link:text-is('2 not saved')")
    assert page.locator("#strip [data-state=saved]").count() == 0
    assert "2 answers kept in this page" in page.inner_text("#banner")
    assert labels(dataset) == {}
    context.set_offline(False)
    saved(page, 2)
    assert sorted(labels(dataset).values()) == ["A", "B"]


def test_an_answer_whose_acknowledgement_got_lost_is_applied_once(
    context: BrowserContext, served: Client, dataset: Any
) -> None:
    page = open_page(context, served, "Closest calls")
    lost: list[int] = []

    def swallow(route: Any) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)  # the server has saved it
            route.abort()

    page.route("**/api/act", swallow)
    page.keyboard.press("A")
    saved(page)
    assert lost == [200]
    with Catalog(dataset[0].catalog_path) as catalog:
        assert len(LabelLog(catalog).acts()) == 1


def test_a_full_disk_is_said_and_the_answer_waits(
    context: BrowserContext, served: Client, dataset: Any
) -> None:
    page = open_page(context, served, "Closest calls")
    full = {"kind": "disk", "error": "The catalog can't be used: database or disk is full."}
    page.route("**/api/act", lambda route: route.fulfill(status=507, json=full))
    page.keyboard.press("A")
    page.wait_for_selector("#link:text-is('1 not saved')")
    assert "disk is full. 1 answer kept in this page" in page.inner_text("#banner")
    assert labels(dataset) == {}
    page.unroute("**/api/act")
    saved(page)
    assert list(labels(dataset).values()) == ["A"]


def test_a_restarted_server_gets_what_waited_even_after_a_reload(
    context: BrowserContext, tmp_path: Path
) -> None:
    folder, texts = dataset = page_data.make_dataset(tmp_path / "restart")
    with running_review(page_data.desk(folder, texts), ReviewConfig(port=0, browser=False)) as url:
        client = Client(url)
        page = open_page(context, client, "Closest calls")
    page.keyboard.type("AB")  # nobody listens
    page.wait_for_selector("#link[data-state=lost]")
    assert labels(dataset) == {}
    with running_review(page_data.desk(folder, texts), ReviewConfig(port=client.port, browser=False)):
        page.reload()
        page.wait_for_selector("#link[data-state=saved]")
        page.wait_for_selector(".question:not(.empty)")
        assert sorted(labels(dataset).values()) == ["A", "B"]


def test_nothing_is_shown_as_saved_before_the_commit(
    context: BrowserContext, served: Client, dataset: Any
) -> None:
    page = open_page(context, served, "Closest calls")
    held: list[Any] = []
    page.route("**/api/act", lambda route: held.append(route))
    with page.expect_request("**/api/act"):  # it goes out after the server has proved itself
        page.keyboard.press("A")
    page.wait_for_selector("#strip [data-state=wait]")
    page.wait_for_selector("#link:has-text('saving')")
    while not held:
        page.wait_for_timeout(20)
    assert page.locator("#strip [data-state=saved]").count() == 0
    held[0].continue_()
    saved(page)
