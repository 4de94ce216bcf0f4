"""The real page in Chromium, by keys and clicks as a person would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from tests.label.browser_steps import PATIENCE, choose, labels, open_page, right, saved, texts
from tests.label.page_client import Client

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

pytestmark = pytest.mark.browser
STRAY = (1, 0)  # a place whose proposal is wrong


def test_one_key_labels_a_cluster_and_undo_takes_it_back(page: Any, dataset: Any) -> None:
    choose(page, "New shapes")
    page.wait_for_selector(".cluster .member")
    members = page.locator(".cluster .member").count() + 1
    page.keyboard.press("d")  # folded
    saved(page)
    assert set(labels(dataset).values()) == {"D"}
    assert len(labels(dataset)) == members
    page.keyboard.press("Backspace")
    page.wait_for_selector("#message:has-text('Undone: ')")
    assert labels(dataset) == {}
    assert page.locator(".cluster .member").count() + 1 == members  # the same question is back
    assert page.problems == []


def test_a_stray_is_thrown_out_by_click_or_by_keys(page: Any, dataset: Any) -> None:
    choose(page, "New shapes")
    page.wait_for_selector(".cluster .member")
    members = page.locator(".cluster .member").count() + 1
    page.click(".member >> nth=1")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert page.locator(".member.out").count() in (1, 2)
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")  # the first look-alike
    page.keyboard.press("Space")
    assert page.locator(".member.out").count() == 1
    page.keyboard.press("D")
    saved(page)
    assert len(labels(dataset)) == members - 1


def test_a_page_is_accepted_in_one_act_without_its_strays(
    context: BrowserContext, served: Client, dataset: Any
) -> None:
    page = open_page(context, served, "Pages")
    page.wait_for_selector(f".tile img[alt='glyph 1 of captcha {STRAY[0]}']")
    tiles = page.locator(".tile").count()
    # the stray comes first: its confidence is lowest
    page.keyboard.press(right(dataset, STRAY))
    saved(page)
    assert labels(dataset) == {STRAY: right(dataset, STRAY)}
    assert page.locator(".tile.settled").count() == 1
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")  # left for later
    page.keyboard.press("Shift+Enter")
    saved(page, 2)
    found = labels(dataset)
    assert len(found) == tiles - 1
    assert all(value == right(dataset, place) for place, value in found.items() if place != (3, 2))
    page.keyboard.press("Backspace")
    page.wait_for_selector("#message:has-text('Undone: ')")
    assert labels(dataset) == {STRAY: right(dataset, STRAY)}  # one act, one undo
    assert page.locator(".tile.settled").count() == 1
    assert page.problems == []


def test_enter_accepts_space_skips_and_dash_is_not_a_glyph(
    context: BrowserContext, served: Client, dataset: Any
) -> None:
    page = open_page(context, served, "Closest calls")

    def shown() -> tuple[int, int]:
        alt = page.get_attribute(".question .glyph.big", "alt").split()
        return int(alt[4]), int(alt[1]) - 1

    first = shown()
    page.keyboard.press("Space")
    second = shown()
    assert second != first
    page.keyboard.press("Enter")
    saved(page)
    third = shown()
    page.keyboard.press("-")
    saved(page, 2)
    assert first not in labels(dataset)
    assert labels(dataset)[third] == ""
    assert second in labels(dataset)


def test_typing_ahead_saves_every_key_in_order(context: BrowserContext, served: Client, dataset: Any) -> None:
    page = open_page(context, served, "Closest calls")
    keys = "ABCDEF"
    page.keyboard.type(keys)
    saved(page, len(keys))
    with Catalog(dataset[0].catalog_path) as catalog:
        log = LabelLog(catalog)
        current = log.current()
        by_act = {label.act_id: label.value for label in current.values()}
        assert [by_act[act.id] for act in log.acts()] == list(keys)
        assert log.keystrokes() == len(keys)


def test_a_whole_captcha_is_typed_and_corrected(
    context: BrowserContext, served: Client, dataset: Any
) -> None:
    page = open_page(context, served, "Whole captchas")
    page.wait_for_selector(".slots")
    page.keyboard.type("ab")
    page.keyboard.press("Backspace")  # rubs out, undoes nothing
    page.keyboard.type("CD")
    page.keyboard.press("Enter")  # of another length than the captcha has cells
    saved(page)
    assert texts(dataset) == {1: "ACD"}
    page.keyboard.press("Enter")  # the whole proposal of the next
    saved(page, 2)
    assert texts(dataset)[2] == dataset[1][1]
    page.keyboard.press("ArrowRight")  # mend the third: the first arrow goes to the least sure character
    page.keyboard.press("H")
    page.keyboard.press("Enter")
    saved(page, 3)
    assert texts(dataset)[3] == f"H{dataset[1][2][1]}2{dataset[1][2][3]}"  # (3, 2) is proposed wrong
    page.keyboard.press("-")  # no human can read it
    saved(page, 4)
    with Catalog(dataset[0].catalog_path) as catalog:
        assert LabelLog(catalog).text_labels()[4].value == ""
    assert page.problems == []


def test_a_key_outside_the_alphabet_is_said_and_saves_nothing(page: Any, dataset: Any) -> None:
    page.keyboard.press("1")
    assert "not in the alphabet" in page.inner_text("#message")
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("D")  # goes to the help, not to the labels
    page.keyboard.press("Escape")
    assert labels(dataset) == {}


def test_the_blind_audit_shows_neither_label_nor_proposal(
    context: BrowserContext, served: Client, dataset: Any
) -> None:
    served.act([[1, 0, "A"]], 0)
    page = open_page(context, served, "Audit")
    page.wait_for_selector(".one")
    assert page.locator(".proposal, .disputed").count() == 0
    questions = served.state("audit")["questions"]
    assert all(m["label"] is None and m["proposal"] is None for asked in questions for m in asked["members"])


def test_a_held_down_key_labels_one_glyph(context: BrowserContext, served: Client, dataset: Any) -> None:
    page = open_page(context, served, "Closest calls")
    page.keyboard.down("A")
    for _ in range(5):
        page.keyboard.down("A")  # what the system sends while a key is held
    page.keyboard.up("A")
    saved(page)
    page.wait_for_timeout(200)
    assert len(labels(dataset)) == 1


def test_the_phone_has_keys_to_tap_and_nothing_overflows(
    chromium: Browser, served: Client, dataset: Any
) -> None:
    phone = chromium.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    phone.set_default_timeout(PATIENCE)
    try:
        page = open_page(phone, served, "Closest calls")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.tap("#keypad button:has-text('B')")
        saved(page)
        assert list(labels(dataset).values()) == ["B"]
        for queue in ("New shapes", "Pages", "Whole captchas"):
            choose(page, queue)
            page.wait_for_selector(".question:not(.empty)")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), queue
    finally:
        phone.close()


def test_the_whole_work_by_keyboard_alone(page: Any, served: Client, dataset: Any) -> None:
    """Every glyph gets its label with keys only, in far fewer keys than glyphs."""
    pressed = 0
    choose(page, "Pages")
    for _ in range(40):
        page.wait_for_selector("#link[data-state=saved]")
        page.wait_for_selector(".question:not(.asking)")
        if page.locator(".question.empty").count():
            break
        page.keyboard.press("Shift+Enter")
        pressed += 1
    found = labels(dataset)
    assert len(found) == 120
    wrong = {place for place, value in found.items() if value != right(dataset, place)}
    assert wrong <= {(1, 0), (3, 2)}
    assert pressed < 40
    page.keyboard.press("PageDown")  # suspects
    page.wait_for_selector(".disputed")
    for _ in wrong:
        page.keyboard.press("Enter")
        page.wait_for_selector("#link[data-state=saved]")
        page.wait_for_selector(".question:not(.asking)")
    saved(page)
    page.wait_for_selector(".question.empty:not(.asking)")
    assert all(value == right(dataset, place) for place, value in labels(dataset).items())
    assert page.problems == []


def test_all_remaining_proposals_are_accepted_after_a_question_and_undone_by_one_key(
    page: Any, dataset: Any
) -> None:
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#rest[open]")
    said = page.inner_text("#rest")
    assert "120 glyphs" in said
    assert "98.30 % right: about 2 of them wrong" in said
    assert "It is early" in said  # the panel has not said stop
    page.keyboard.press("Enter")  # "Not yet" has the focus while it is early
    page.wait_for_selector("#rest:not([open])", state="attached")
    page.keyboard.press("Escape")
    assert labels(dataset) == {}
    page.click("#accept-all")
    page.click("#rest-yes")
    page.wait_for_selector("#message:text-is('120 proposals accepted.')")
    found = labels(dataset)
    assert len(found) == 120
    assert {place for place, value in found.items() if value != right(dataset, place)} <= {(1, 0), (3, 2)}
    with Catalog(dataset[0].catalog_path, create=False) as catalog:
        assert len(LabelLog(catalog).acts()) == 1
    page.wait_for_selector("#link[data-state=saved]")
    page.keyboard.press("Backspace")
    page.wait_for_selector("#message:text-is('Undone: the proposals wait again.')")
    assert labels(dataset) == {}
    assert page.problems == []
