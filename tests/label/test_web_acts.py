"""Acts: durable when acknowledged, applied once, refused whole when the page is stale."""

from __future__ import annotations

import io
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from captcha_lab.errors import CaptchaLabError
from captcha_lab.label.web.config import ReviewConfig
from captcha_lab.label.web.desk import Desk
from captcha_lab.label.web.server import running_review
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
from captcha_lab.store.workspace import DatasetFolder
from tests.label import page_data
from tests.label.page_client import Client

Drawn = tuple[DatasetFolder, list[str]]


def labels_of(folder: Any) -> dict[Any, Any]:
    with Catalog(folder.catalog_path, create=False) as catalog:
        return {place: (label.value, label.source) for place, label in LabelLog(catalog).current().items()}


def test_an_act_is_in_the_catalog_when_it_is_acknowledged(served: Client, dataset: Drawn) -> None:
    members = [[1, 0, "H"], [1, 1, None], [2, 0, "B"]]
    page = {"id": "x", "queue": "grid", "kind": "page", "members": members}
    status, reply = served.say(page, 0, corrections=[[1, 0, "A"], [1, 1, ""]], keystrokes=3)
    assert (status, reply) == (200, {"act": 1, "labels": 3, "settled": 0, "value": None})
    assert labels_of(dataset[0]) == {(1, 0): ("A", "human"), (1, 1): ("", "human"), (2, 0): ("B", "batch")}
    with Catalog(dataset[0].catalog_path) as catalog:
        assert LabelLog(catalog).keystrokes() == 3


def test_the_same_act_sent_again_is_applied_once(served: Client, dataset: Drawn) -> None:
    first = served.act([[1, 0, "A"]], 0, token="same")
    assert served.act([[1, 0, "A"]], 0, token="same") == first
    assert served.act([[1, 1, "B"]], 1, token="next")[0] == 200
    assert served.act([[1, 0, "A"]], 0, token="same") == first  # even when the labels have moved on
    assert served.state()["revision"] == 2


def test_a_stale_page_saves_nothing(served: Client, dataset: Drawn) -> None:
    assert served.act([[1, 0, "A"]], 0)[0] == 200
    status, reply = served.act([[1, 0, "B"]], 0)
    assert (status, reply["kind"]) == (409, "stale")
    assert "nothing was saved" in reply["error"]
    assert labels_of(dataset[0]) == {(1, 0): ("A", "human")}
    status, reply = served.post("undo", token="u", session="s", keystrokes=1, revision=0)
    assert (status, reply["kind"]) == (409, "stale")


def test_two_tabs_at_once_never_both_win(served: Client, dataset: Drawn) -> None:
    results: list[int] = []
    start = threading.Barrier(8)

    def press(k: int) -> None:
        start.wait()
        mark = [1, 0, page_data.CHARACTERS[k]]
        results.append(served.act([mark], 0, session=f"tab{k}", token=f"tab{k}")[0])

    threads = [threading.Thread(target=press, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [200] + [409] * 7
    assert served.state()["revision"] == 1


def test_undo_goes_back_to_the_beginning_and_says_what_it_undid(served: Client, dataset: Drawn) -> None:
    for k in range(3):
        assert served.act([[k + 1, 0, "A"]], k)[1]["act"] == k + 1
    revision = 3
    for expected in (3, 2, 1):
        status, reply = served.post(
            "undo", token=f"u{expected}", session="s", keystrokes=1, revision=revision
        )
        assert (status, reply["undone"]["act"]) == (200, expected)
        again = served.post("undo", token=f"u{expected}", session="s", keystrokes=1, revision=revision)
        assert again == (status, reply)
        revision = reply["act"]
        assert served.state()["revision"] == revision
    status, reply = served.post("undo", token="last", session="s", keystrokes=1, revision=revision)
    assert (status, reply) == (200, {"act": None, "undone": None})
    assert labels_of(dataset[0]) == {}


def test_undo_survives_a_restart(dataset: Drawn) -> None:
    folder, texts = dataset
    for start in range(2):
        with running_review(page_data.desk(folder, texts), ReviewConfig(port=0, browser=False)) as url:
            client = type_client(url)
            if start == 0:
                assert client.act([[1, None, "A"]], 0)[0] == 200
            else:
                status, reply = client.post("undo", token="u", session="s", keystrokes=1, revision=1)
                assert (status, reply["undone"]["act"]) == (200, 1)
    assert labels_of(folder) == {}


def type_client(url: str) -> Client:
    return Client(url).enter()


def test_room_and_cookie_end_with_their_server(dataset: Drawn) -> None:
    folder, texts = dataset
    with running_review(page_data.desk(folder, texts), ReviewConfig(port=0, browser=False)) as url:
        old = type_client(url)
    with running_review(page_data.desk(folder, texts), ReviewConfig(port=0, browser=False)) as url:
        new = Client(url)
        assert new.room != old.room
        assert new.request("GET", new.room, Cookie=old.cookie)[0] == 403
        assert new.post("state", queue=None, count=0, exclude=[])[0] == 403
        assert new.enter().cookie != old.cookie


def test_a_full_disk_is_said_and_the_act_is_taken_later(
    dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, texts = dataset
    desk = page_data.desk(folder, texts)
    with running_review(desk, ReviewConfig(port=0, browser=False)) as url:
        client = type_client(url)
        catalog = desk.engine.texts.log.catalog
        pages = catalog.execute("PRAGMA page_count").first()[0]
        catalog.execute(f"PRAGMA max_page_count = {pages}")
        big = [[k + 1, None, "A"] for k in range(30)]
        status, reply = client.act(big, 0, token="big")
        while status == 200:  # the pages that are there still have room
            status, reply = client.act(big, reply["act"])
        assert (status, reply["kind"]) == (507, "disk")
        assert "full" in reply["error"]
        revision = client.state()["revision"]
        catalog.execute("PRAGMA max_page_count = 1000000")
        status, reply = client.act(big, revision, token="later")
        assert (status, reply["act"]) == (200, revision + 1)


def test_before_the_glyphs_are_compared_captchas_can_be_typed(dataset: Drawn) -> None:
    folder, texts = dataset
    gate = threading.Event()

    def slow() -> page_data.KnowingEngine:
        gate.wait(30)
        return page_data.KnowingEngine(folder, texts)

    desk = Desk(folder, *page_data.labelling(folder, texts, make=slow))
    with running_review(desk, ReviewConfig(port=0, browser=False)) as url:
        client = type_client(url)
        state = client.state("best")
        assert not state["work"]["ready"]
        asked = state["questions"][0]
        assert (asked["kind"], asked["proposal"], len(asked["members"])) == ("text", None, 1)
        assert client.say(asked, 0, value=texts[0])[0] == 200
        assert {queue["name"]: queue["count"] for queue in client.state()["queues"]}["captcha"] == 29
        status, reply = client.act([[2, 0, "A"]], 1)  # of an earlier start: it may be sent again
        assert (status, reply["kind"]) == (503, "wait")
        gate.set()
        state = client.wait().state()
        assert state["panel"]["labelled"] == 4
        assert client.act([[2, 0, "A"]], 1)[0] == 200


def test_work_that_fails_behind_the_page_is_said(dataset: Drawn) -> None:
    folder, texts = dataset

    def broken() -> page_data.KnowingEngine:
        raise CaptchaLabError("The shapes can't be compared: for a reason.")

    desk = Desk(folder, *page_data.labelling(folder, texts, make=broken))
    with running_review(desk, ReviewConfig(port=0, browser=False)) as url:
        client = type_client(url)
        for _ in range(100):
            problem = client.state()["work"]["problem"]
            if problem:
                break
            threading.Event().wait(0.02)
        assert problem == "The shapes can't be compared: for a reason."
        assert client.act([[1, None, "A"]], 0)[0] == 200  # typing goes on


def test_asking_for_training_trains(served: Client, dataset: Drawn) -> None:
    for _ in range(100):
        if served.post("retrain")[1]["started"]:
            break
        threading.Event().wait(0.02)
    else:
        raise AssertionError("training never started")


def test_pictures_are_pngs_of_the_right_size(served: Client) -> None:
    for path, size in (("captcha/1.png", (80, 20)), ("glyph/1-3.png", (20, 20))):
        status, headers, body = served.request("GET", served.room + path)
        assert (status, headers["content-type"]) == (200, "image/png")
        assert Image.open(io.BytesIO(body)).size == size


def test_a_damaged_picture_is_an_error_of_its_own(served: Client, dataset: Drawn) -> None:
    for blob in dataset[0].blobs.rglob("*.png"):
        blob.write_bytes(b"damaged")
    status, reply = served.request("GET", f"{served.room}captcha/5.png")[::2]
    assert status == 500
    assert b"damaged" in reply
    assert served.act([[5, 0, "A"]], 0)[0] == 200


def test_labels_given_by_another_program_are_seen(served: Client, dataset: Drawn) -> None:
    assert served.state()["revision"] == 0
    with Catalog(dataset[0].catalog_path) as catalog:
        LabelLog(catalog).record("typed", [LabelEvent(1, 0, "A")])
    assert served.state()["revision"] == 1
    assert served.act([[2, 0, "A"]], 0)[0] == 409


def test_an_empty_dataset_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CaptchaLabError, match="captcha-lab scrape"):
        Desk(
            DatasetFolder(tmp_path / "captcha"), *page_data.labelling(DatasetFolder(tmp_path / "captcha"), [])
        )
    Catalog(tmp_path / "captcha" / "catalog.sqlite").close()
    with pytest.raises(CaptchaLabError, match="holds no captchas"):
        Desk(
            DatasetFolder(tmp_path / "captcha"), *page_data.labelling(DatasetFolder(tmp_path / "captcha"), [])
        )


def test_a_catalog_locked_for_good_is_an_error_not_a_loss(
    served: Client, dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(dataset[0].catalog_path, isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(served.act([[1, 0, "A"]], 0)))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()  # waiting, neither acknowledged nor refused
        other.execute("ROLLBACK")
        thread.join(10)
        assert results[0][0] == 200
    finally:
        other.close()
