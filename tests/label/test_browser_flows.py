"""The real page in Chromium: undo, redo, skips, pages, whole captchas, pictures set aside, and who else can use it."""

from __future__ import annotations

from typing import Any

import pytest

from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.workspace import DatasetFolder
from tests.label.browser_steps import PATIENCE, choose, labels, open_page, right, saved, texts
from tests.label.page_client import Client

pytestmark = pytest.mark.browser
Drawn = tuple[DatasetFolder, list[str]]
Page = Any  # playwright is not always installed


def shown(page: Page) -> str:
    """What the question on the stage shows."""
    return str(page.get_attribute(".question img >> nth=0", "alt"))


def test_the_first_screen_says_what_to_do(page: Page) -> None:
    assert page.inner_text(".ask") == "Type the character you see"
    assert page.inner_text("#queues button[aria-current]").startswith("Best next")
    assert "Glyph" in page.text_content("#spoken")


def test_backspace_after_a_skip_goes_back_to_the_skipped_question(
    context: Any, served: Client, dataset: Drawn
) -> None:
    page = open_page(context, served, "Closest calls")
    page.keyboard.press("2")
    saved(page)
    before = shown(page)
    page.keyboard.press("Space")
    assert shown(page) != before
    page.keyboard.press("Backspace")
    assert shown(page) == before
    assert "skipped" in page.inner_text("#message")
    assert len(labels(dataset)) == 1  # the answer before the skip stays


def test_undo_says_what_and_redo_does_it_again(context: Any, served: Client, dataset: Drawn) -> None:
    page = open_page(context, served, "New shapes")
    page.wait_for_selector(".cluster .member")
    page.keyboard.press("D")
    saved(page)
    found = labels(dataset)
    page.keyboard.press("Control+z")
    page.wait_for_selector(f"#message:has-text('Undone: D for {len(found)} glyphs')")
    assert labels(dataset) == {}
    page.keyboard.press("Control+y")
    saved(page)
    assert labels(dataset) == found
    assert "Done again: D" in page.inner_text("#message")
    assert page.problems == []


def test_redo_answers_a_question_that_the_server_asked_anew(
    context: Any, served: Client, dataset: Drawn
) -> None:
    page = open_page(context, served, "New shapes")
    page.wait_for_selector(".cluster .member")
    page.keyboard.press("D")
    saved(page)
    found = labels(dataset)

    def anew(route: Any) -> None:
        reply = route.fetch()
        body = reply.json()
        for question in body["questions"]:
            question["why"] = "asked anew"
        route.fulfill(response=reply, json=body)

    page.route("**/state", anew)
    page.keyboard.press("Control+z")
    page.wait_for_selector(".why:has-text('asked anew')")
    page.keyboard.press("Control+y")
    saved(page)
    assert labels(dataset) == found
    shown = page.get_attribute(".question .big", "alt").split()
    assert (int(shown[4]), int(shown[1]) - 1) not in found
    said = page.inner_text("#spoken")
    assert said.startswith(f"Glyph {shown[1]} of captcha {shown[4]}")  # heard, too
    page.unroute_all(behavior="ignoreErrors")
    assert page.problems == []


def test_an_accepted_page_is_not_shown_again(context: Any, served: Client, dataset: Drawn) -> None:
    page = open_page(context, served, "Pages")
    for _ in range(3):
        tiles = {tile.get_attribute("alt") for tile in page.query_selector_all(".tile img")}
        first = page.get_attribute(".tile img >> nth=0", "alt").split()
        page.keyboard.press(right(dataset, (int(first[4]), int(first[1]) - 1)))
        page.keyboard.press("Shift+Enter")
        after = {tile.get_attribute("alt") for tile in page.query_selector_all(".tile img")}
        assert tiles.isdisjoint(after)
    saved(page, 6)
    page.wait_for_timeout(300)  # the server's reply brings nothing of them back either
    after = {tile.get_attribute("alt") for tile in page.query_selector_all(".tile img")}
    done = {f"glyph {position + 1} of captcha {image}" for image, position in labels(dataset)}
    assert after.isdisjoint(done)
    assert page.problems == []


def test_a_picture_is_set_aside_and_brought_back(context: Any, served: Client, dataset: Drawn) -> None:
    def aside() -> list[int]:
        with Catalog(dataset[0].catalog_path, create=False) as catalog:
            return [row.id for row in catalog.images(aside=True)]

    page = open_page(context, served, "Whole captchas")
    assert shown(page) == "captcha 1"
    page.keyboard.press("Shift+Delete")
    page.wait_for_selector("#link[data-state=saved]")
    assert aside() == [1]
    assert shown(page) == "captcha 2"
    choose(page, "Closest calls")
    page.wait_for_selector(".question:not(.empty)")
    assert "captcha 1" not in {shown(page)[-9:]}
    page.keyboard.press("Backspace")
    page.wait_for_selector("#message:has-text('in use again')")
    page.wait_for_selector("#link[data-state=saved]")
    assert aside() == []
    assert labels(dataset) == {}
    assert page.problems == []


def test_an_answer_of_the_strip_is_given_again(context: Any, served: Client, dataset: Drawn) -> None:
    page = open_page(context, served, "Closest calls")
    first = shown(page)
    page.keyboard.press("2")
    saved(page)
    assert shown(page) != first
    page.click("#strip li button")
    assert shown(page) == first
    page.keyboard.press("3")
    saved(page, 2)
    assert list(labels(dataset).values()) == ["3"]


def test_a_character_outside_the_alphabet_joins_it_when_pressed_twice(
    context: Any, served: Client, dataset: Drawn
) -> None:
    page = open_page(context, served, "Closest calls")
    page.keyboard.press("1")
    assert "Press it again to add it" in page.inner_text("#message")
    page.keyboard.press("1")
    saved(page)
    assert list(labels(dataset).values()) == ["1"]


@pytest.fixture
def text_page(context: Any, served_texts: Client) -> Page:
    return open_page(context, served_texts, queues=5)


def test_a_page_of_captchas_is_accepted_less_its_retyped_stray(text_page: Page, dataset: Drawn) -> None:
    page = text_page
    choose(page, "Pages")
    page.wait_for_selector(".texts .tile")
    tiles = page.locator(".tile").count()
    assert tiles > 10
    stray = page.locator(".tile", has=page.locator("mark")).first
    image = int(stray.locator("img").get_attribute("alt").split()[1])
    assert image in (3, 7)
    stray.click()
    page.keyboard.type(dataset[1][image - 1])
    page.keyboard.press("Enter")
    saved(page)
    assert texts(dataset) == {image: dataset[1][image - 1]}
    page.keyboard.press("Shift+Enter")
    saved(page, 2)
    assert len(texts(dataset)) == tiles
    page.keyboard.press("Backspace")
    page.wait_for_selector("#message:has-text('Undone: ')")
    assert texts(dataset) == {image: dataset[1][image - 1]}
    assert page.problems == []


def test_a_doubtful_character_is_mended_by_an_arrow_and_a_key(text_page: Page, dataset: Drawn) -> None:
    page = text_page
    choose(page, "Whole captchas")
    page.wait_for_selector(".slot.doubtful")  # what teaches most comes first
    image = int(shown(page).split()[1])
    assert page.get_attribute(".slot.doubtful", "aria-label").endswith(", doubtful")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press(dataset[1][image - 1][1])
    page.keyboard.press("Enter")
    saved(page)
    assert texts(dataset) == {image: dataset[1][image - 1]}
    assert page.problems == []


def test_a_text_saved_in_another_case_is_said(text_page: Page, dataset: Drawn) -> None:
    choose(text_page, "Whole captchas")
    text_page.wait_for_selector(".slots")
    text_page.keyboard.type("abcd")
    text_page.keyboard.press("Enter")
    text_page.wait_for_selector("#message:has-text('‘abcd’ is saved as ‘ABCD’')")
    assert text_page.inner_text("#strip b") == "ABCD"
    text_page.keyboard.press("Alt+c")
    text_page.wait_for_selector("#message:has-text('Case matters')")
    text_page.keyboard.type("abcd")
    text_page.keyboard.press("Enter")
    saved(text_page, 2)
    assert sorted(texts(dataset).values()) == ["ABCD", "abcd"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 700, 1280])
def test_nothing_shuts_anybody_out(
    chromium: Any, served: Client, served_texts: Client, scheme: str, width: int
) -> None:
    """axe finds no violation in any kind of question; 640 pixels are 1280 at twice the size."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    made = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    made.set_default_timeout(PATIENCE)
    try:
        page = open_page(made, served)
        page.keyboard.press("D")
        for title in ("New shapes", "Closest calls", "Pages", "Audit", "Whole captchas"):
            choose(page, title)
            page.wait_for_selector(".question:not(.asking)")
            found = axe.run(page)
            assert found.violations_count == 0, (title, found.generate_report())
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), title
        page.keyboard.press("?")
        assert axe.run(page).violations_count == 0
        page = open_page(made, served_texts, "Pages", queues=5)
        page.wait_for_selector(".texts .tile")
        found = axe.run(page)
        assert found.violations_count == 0, found.generate_report()
    finally:
        made.close()


def test_at_twice_the_size_the_question_is_not_covered(chromium: Any, served: Client) -> None:
    made = chromium.new_context(viewport={"width": 640, "height": 400}, device_scale_factor=2)
    made.set_default_timeout(PATIENCE)
    try:
        page = open_page(made, served)
        assert not page.is_visible("#keypad")  # a mouse and a keyboard are there
        box = page.locator(".question .big").bounding_box()
        top = page.locator("footer").bounding_box()["y"]
        assert box["y"] + box["height"] <= top
    finally:
        made.close()
