"""A catalog made before texts and cuts had tables of their own opens, migrates by itself, and loses nothing."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from captcha_lab.datasets.facts import describe
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.catalog import catalog as catalog_module
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from captcha_lab.store.catalog.predictions import Prediction, predictions
from captcha_lab.store.catalog.schema import MIGRATIONS

BEFORE = Path(__file__).with_name("catalog_before.sql").read_text(encoding="utf-8")


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """Six captchas: imported, typed, labelled by glyph, half typed and uncut, typed and uncut, labelled by a model."""
    path = tmp_path / "catalog.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(BEFORE)
    connection.close()
    return path


def test_texts_given_whole_are_texts_and_half_a_text_is_none(before: Path) -> None:
    with Catalog(before) as catalog:
        log = LabelLog(catalog)
        # Captcha 2 was typed as EFGH and one glyph corrected; 3 has two labels of four, 4 two and no cut.
        assert log.texts() == {1: "AB2D", 2: "EFGJ", 5: "PQRS", 6: "TUVW"}
        sources = {image_id: label.source for image_id, label in log.text_labels().items()}
        assert sources == {1: "import", 2: "human", 5: "human", 6: "model"}
        current = {place: label.value for place, label in log.current().items()}
        assert {place: value for place, value in current.items() if place[0] in (3, 4)} == {
            (3, 0): "K",
            (3, 1): "",
            (4, 0): "M",
            (4, 1): "N",
        }
        assert describe(catalog).lengths == {4: 4}


def test_history_keystrokes_undo_cuts_and_predictions_stay(before: Path) -> None:
    old = sqlite3.connect(before)
    acts = old.execute("SELECT id, at, kind, session, keystrokes, token, undoes FROM label_act").fetchall()
    cells = old.execute("SELECT image_id, position, segmenter, x0, y0, x1, y1, flags FROM glyph").fetchall()
    others = {
        name: old.execute(f"SELECT * FROM {name}").fetchall() for name in ("fetch", "meta", "provenance")
    }
    old.close()
    with Catalog(before) as catalog:
        log = LabelLog(catalog)
        rows = catalog.execute("SELECT id, at, kind, session, keystrokes, token, undoes FROM label_act")
        assert [tuple(row) for row in rows] == acts
        glyphs = catalog.glyphs()
        assert [
            (g.image_id, g.position, g.segmenter, g.x0, g.y0, g.x1, g.y1, g.flags) for g in glyphs
        ] == cells
        for name, content in others.items():
            assert [tuple(row) for row in catalog.execute(f"SELECT * FROM {name}")] == content
        assert log.keystrokes() == sum(act[4] for act in acts)
        assert predictions(catalog, 1) == [
            Prediction(6, "TUVW", 0.9, (0.9,) * 4)
        ]  # captcha 3 was read in part
        assert log.undo() is not None  # the model's
        assert log.undo() is not None  # PQRS
        assert log.texts() == {1: "AB2D", 2: "EFGJ"}
        assert log.act_named("t1") == 2
        with pytest.raises(CaptchaLabError, match="append-only"):
            catalog.execute("UPDATE label_event SET value = 'B'")


def test_it_migrates_once(before: Path) -> None:
    for _ in range(2):
        with Catalog(before) as catalog:
            assert catalog.execute("PRAGMA user_version").first()[0] == len(MIGRATIONS)
            assert catalog.execute("PRAGMA integrity_check").first()[0] == "ok"
            assert catalog.execute("PRAGMA foreign_key_check").rows == []
            assert len(LabelLog(catalog).texts()) == 4


def test_an_unfinished_migration_is_invisible(before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def content() -> list[str]:
        connection = sqlite3.connect(before)
        try:
            return list(connection.iterdump())
        finally:
            connection.close()

    was = content()
    for statements in range(1, len(MIGRATIONS[1]), 5):
        broken = (MIGRATIONS[0], (*MIGRATIONS[1][:statements], "SELECT * FROM nowhere"))
        monkeypatch.setattr(catalog_module, "MIGRATIONS", broken)
        with pytest.raises(CaptchaLabError, match="nowhere"):
            Catalog(before)
        assert content() == was
    monkeypatch.undo()
    with Catalog(before) as catalog:
        assert len(LabelLog(catalog).texts()) == 4


KILLED = """
import os, signal, sys
from pathlib import Path
from captcha_lab.store.catalog.catalog import Catalog
execute = Catalog.execute
def dying(self, sql, values=()):
    if sql.startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return execute(self, sql, values)
Catalog.execute = dying
Catalog(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("at", ["DROP TABLE label_event_1", "CREATE VIEW current_text", "COMMIT"])
def test_a_migration_killed_starts_again(before: Path, at: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(before), at], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    with Catalog(before) as catalog:
        assert LabelLog(catalog).texts() == {1: "AB2D", 2: "EFGJ", 5: "PQRS", 6: "TUVW"}
