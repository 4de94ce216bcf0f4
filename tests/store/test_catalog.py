import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.predictions import Prediction, predictions, put_predictions, register_run
from captcha_lab.store.catalog.rows import GlyphRow
from captcha_lab.store.catalog.schema import MIGRATIONS


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        yield catalog


def test_the_same_bytes_are_one_image(catalog: Catalog) -> None:
    first = catalog.add_image("a" * 64, "png", 80, 20, 100, "train")
    again = catalog.add_image("a" * 64, "png", 80, 20, 100, "test")
    assert first == (1, True)
    assert again == (1, False)
    assert [(row.sha256, row.split) for row in catalog.images()] == [("a" * 64, "train")]


def test_every_attempt_is_a_row(catalog: Catalog) -> None:
    image_id, _ = catalog.add_image("a" * 64, "png", 80, 20, 100)
    catalog.add_fetch("http://127.0.0.1/captcha", "stored", status=200, image_id=image_id)
    catalog.add_fetch("http://127.0.0.1/captcha", "failed", note="connection reset")
    assert [(row.outcome, row.status, row.note) for row in catalog.fetches()] == [
        ("stored", 200, ""),
        ("failed", None, "connection reset"),
    ]
    assert catalog.count_fetches() == {"stored": 1, "failed": 1}


def test_an_image_that_does_not_exist_is_refused(catalog: Catalog) -> None:
    with pytest.raises(CaptchaLabError, match="FOREIGN KEY"):
        catalog.add_fetch("file:x", "stored", image_id=7)


def test_a_new_cut_replaces_the_old_one_whole(catalog: Catalog) -> None:
    image_id, _ = catalog.add_image("a" * 64, "png", 80, 20, 100)
    catalog.put_cuts("four", {image_id: cells(image_id, "four", 4)})
    assert catalog.unsegmented("four") == []
    assert [row.id for row in catalog.unsegmented("two")] == [image_id]
    catalog.put_cuts("two", {image_id: cells(image_id, "two", 2)})
    assert [(g.position, g.segmenter, g.x1) for g in catalog.glyphs()] == [(0, "two", 40), (1, "two", 80)]


def cells(image_id: int, segmenter: str, count: int) -> list[GlyphRow]:
    width = 80 // count
    return [GlyphRow(image_id, k, segmenter, width * k, 0, width * (k + 1), 20) for k in range(count)]


def test_a_cut_is_seen_when_it_is_complete(catalog: Catalog) -> None:
    ids = [catalog.add_image(f"{number:064d}", "png", 80, 20, 100)[0] for number in range(2)]
    catalog.put_cuts("four", {k: cells(k, "four", 4) for k in ids})
    catalog.put_cuts("two", {ids[0]: cells(ids[0], "two", 2)}, complete=False)
    assert {k: len(own) for k, own in catalog.cuts().items()} == {ids[0]: 4, ids[1]: 4}
    assert [row.id for row in catalog.unsegmented("two")] == [ids[1]]  # what is left to do
    catalog.put_cuts("two", {ids[1]: []}, complete=False)
    catalog.complete_cuts("two")
    assert {k: len(own) for k, own in catalog.cuts().items()} == {ids[0]: 2, ids[1]: 0}
    assert catalog.execute("SELECT count(*) FROM glyph").first()[0] == 2
    assert catalog.box(ids[0], 1) == (40, 0, 80, 20)
    assert catalog.box(ids[0], 2) is None


def test_pictures_are_set_aside_and_taken_back(catalog: Catalog) -> None:
    ids = [catalog.add_image(f"{number:064d}", "png", 80, 20, 100)[0] for number in range(3)]
    catalog.put_cuts("four", {k: cells(k, "four", 4) for k in ids})
    assert catalog.set_aside(ids[:2], "blank") == 2
    assert catalog.set_aside(ids[:1], "again") == 0
    assert [row.id for row in catalog.images()] == ids[2:]
    assert [(row.id, row.aside) for row in catalog.images(aside=True)] == [
        (ids[0], "blank"),
        (ids[1], "blank"),
    ]
    assert {g.image_id for g in catalog.glyphs()} == set(catalog.cuts()) == {ids[2]}
    assert catalog.take_back([*ids[:1], *ids[2:]]) == 1
    assert [row.id for row in catalog.images()] == [ids[0], ids[2]]


def test_a_failed_transaction_leaves_nothing(catalog: Catalog) -> None:
    def work() -> None:
        with catalog.transaction():
            catalog.add_image("a" * 64, "png", 1, 1, 1)
            with catalog.transaction():
                catalog.set_meta("alphabet", "AB")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        work()
    assert catalog.images() == []
    assert catalog.get_meta("alphabet") is None


def test_threads_share_one_catalog(catalog: Catalog) -> None:
    def add(start: int) -> None:
        for number in range(start, start + 20):
            catalog.add_image(f"{number:064d}", "png", 1, 1, 1)

    threads = [threading.Thread(target=add, args=(20 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(catalog.images()) == 80


def test_predictions_of_a_run_are_replaced_together(catalog: Catalog) -> None:
    image_id, _ = catalog.add_image("a" * 64, "png", 1, 1, 1)
    run = register_run(catalog, "recogniser-1")
    assert register_run(catalog, "recogniser-1") == run
    other, _ = catalog.add_image("b" * 64, "png", 1, 1, 1)
    put_predictions(catalog, run, [Prediction(k, "AB", 0.9, (0.95, 0.95), fold=k) for k in (image_id, other)])
    put_predictions(catalog, run, [Prediction(image_id, "", 0.7)])
    assert predictions(catalog, run) == [Prediction(image_id, "", 0.7)]


def test_no_catalog_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CaptchaLabError, match="captcha-lab scrape"):
        Catalog(tmp_path / "none" / "catalog.sqlite", create=False)
    assert not (tmp_path / "none").exists()


def test_a_damaged_file_is_said_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"not a database at all" * 50)
    with pytest.raises(CaptchaLabError, match=r"catalog.sqlite can't be used"):
        Catalog(path)
    assert path.read_bytes() == b"not a database at all" * 50


def test_a_newer_catalog_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    Catalog(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(CaptchaLabError, match="newer captcha-lab"):
        Catalog(path)


def test_writes_survive_a_power_cut_by_design(catalog: Catalog) -> None:
    assert catalog.execute("PRAGMA synchronous").first()[0] == 3  # EXTRA
    assert catalog.execute("PRAGMA journal_mode").first()[0] == "delete"
    assert catalog.execute("PRAGMA foreign_keys").first()[0] == 1


def test_a_result_holds_all_its_rows_and_keeps_nobody_waiting(catalog: Catalog) -> None:
    # Two open catalogs in one program once stopped it whole, where a row was read while the other one was written.
    for number in range(300):
        catalog.add_image(f"{number:064d}", "png", 80, 20, 100)
    rows = iter(catalog.execute("SELECT id FROM image ORDER BY id"))
    assert next(rows)["id"] == 1
    with Catalog(catalog.path) as other:
        other.execute("PRAGMA busy_timeout = 50")
        other.add_image("a" * 64, "png", 80, 20, 100)
    assert [row["id"] for row in rows] == list(range(2, 301))


def test_a_commit_that_is_refused_leaves_nothing_half_done(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with Catalog(path) as catalog:
        catalog.add_image("a" * 64, "png", 80, 20, 100)
        catalog.execute("PRAGMA busy_timeout = 50")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT * FROM image").fetchall()  # reads on: nobody may write meanwhile
        with pytest.raises(CaptchaLabError, match="in use by another program"), catalog.transaction():
            catalog.set_meta("a", "b")
        other.close()
        assert catalog.get_meta("a") is None
        catalog.set_meta("a", "c")
        assert catalog.get_meta("a") == "c"
