import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.catalog.catalog import Catalog, GlyphRow
from captcha_lab.store.catalog.predictions import Prediction, predictions, put_predictions, register_run
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
    catalog.put_glyphs(GlyphRow(image_id, k, "four", 20 * k, 0, 20 * k + 20, 20) for k in range(4))
    assert catalog.unsegmented("four") == []
    assert [row.id for row in catalog.unsegmented("two")] == [image_id]
    catalog.put_glyphs(GlyphRow(image_id, k, "two", 40 * k, 0, 40 * k + 40, 20) for k in range(2))
    assert [(g.position, g.segmenter, g.x1) for g in catalog.glyphs()] == [(0, "two", 40), (1, "two", 80)]


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
    put_predictions(catalog, run, [Prediction(image_id, k, "A", 0.9, 0.8, fold=k) for k in range(2)])
    put_predictions(catalog, run, [Prediction(image_id, 0, "B", 0.7, 0.5)])
    assert predictions(catalog, run) == [Prediction(image_id, 0, "B", 0.7, 0.5)]


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
    assert catalog.execute("PRAGMA synchronous").fetchone()[0] == 3  # EXTRA
    assert catalog.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    assert catalog.execute("PRAGMA foreign_keys").fetchone()[0] == 1
