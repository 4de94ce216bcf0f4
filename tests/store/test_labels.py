import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog, StaleRevisionError
from captcha_lab.store.catalog.rows import GlyphRow


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LabelLog]:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        for number in range(3):
            cut(catalog, catalog.add_image(f"{number:064d}", "png", 80, 20, 100)[0], 4)
        yield LabelLog(catalog)


def cut(catalog: Catalog, image_id: int, cells: int) -> None:
    name = f"cells={cells}"
    catalog.put_cuts(name, {image_id: [GlyphRow(image_id, k, name, k, 0, k + 1, 20) for k in range(cells)]})


def typed(image_id: int, text: str) -> list[LabelEvent]:
    return [LabelEvent(image_id, k, character) for k, character in enumerate(text)]


def test_the_last_word_counts(log: LabelLog) -> None:
    log.record("type", typed(1, "ABCD"), keystrokes=5)
    log.record("key", [LabelEvent(1, 2, "Z")], keystrokes=1)
    assert log.texts() == {1: "ABZD"}
    assert log.keystrokes() == 6
    assert log.revision == 2


def test_undo_is_a_new_act_and_goes_back_without_end(log: LabelLog) -> None:
    log.record("type", typed(1, "ABCD"), keystrokes=5)
    log.record("accept", [LabelEvent(1, 0, "X", "batch"), LabelEvent(2, 0, "Y", "batch")], keystrokes=1)
    undone = log.undo()
    assert undone is not None
    assert undone.kind == "accept"
    assert log.texts() == {1: "ABCD"}
    assert log.undo() is not None
    assert log.current() == {}
    assert log.undo() is None
    assert [act.undoes for act in log.acts()] == [None, None, 2, 1]
    assert log.keystrokes() == 8


def test_undo_leaves_imported_labels(log: LabelLog) -> None:
    log.record("import", [LabelEvent(1, 0, "A", "import")])
    log.record("key", [LabelEvent(1, 0, "B")])
    log.undo()
    assert log.undo() is None
    assert log.current()[1, 0].value == "A"


def test_a_token_is_applied_once(log: LabelLog) -> None:
    first = log.record("key", [LabelEvent(1, 0, "A")], token="t1", keystrokes=1)
    assert log.record("key", [LabelEvent(1, 0, "A")], token="t1", keystrokes=1) == first
    log.record("key", [LabelEvent(1, 1, "B")], token="t2")
    undone = log.undo(token="u1")
    assert log.undo(token="u1") == undone
    assert {place: label.value for place, label in log.current().items()} == {(1, 0): "A"}
    assert log.keystrokes() == 2


def test_a_stale_revision_writes_nothing(log: LabelLog) -> None:
    log.record("key", [LabelEvent(1, 0, "A")])
    with pytest.raises(StaleRevisionError, match="nothing was saved"):
        log.record("key", [LabelEvent(1, 0, "B")], expected_revision=0)
    with pytest.raises(StaleRevisionError):
        log.undo(expected_revision=0)
    assert log.current()[1, 0].value == "A"
    log.record("key", [LabelEvent(1, 0, "B")], expected_revision=1)
    assert log.current()[1, 0].value == "B"


def test_texts_want_every_place(log: LabelLog) -> None:
    log.record("type", [*typed(1, "ABCD"), LabelEvent(2, 1, "X"), *typed(3, "AB"), LabelEvent(3, 2, "")])
    assert log.texts() == {1: "ABCD"}
    log.record("type", typed(2, "AB"))  # two of four
    assert log.texts() == {1: "ABCD"}


def test_places_without_a_cut_are_no_text(log: LabelLog) -> None:
    image_id, _ = log.catalog.add_image("f" * 64, "png", 80, 20, 100)
    log.record("type", typed(image_id, "AB"))
    assert log.texts() == {}
    cut(log.catalog, image_id, 2)
    assert log.texts() == {image_id: "AB"}


def test_a_whole_text_labels_the_places_of_a_cut_that_has_as_many(log: LabelLog) -> None:
    log.record("captcha", [LabelEvent(1, None, "ABCD"), LabelEvent(2, None, "ABCDE")])
    assert log.texts() == {1: "ABCD", 2: "ABCDE"}
    assert {place: label.value for place, label in log.current().items()} == {
        (1, k): character for k, character in enumerate("ABCD")
    }
    cut(log.catalog, 2, 5)
    assert log.current()[2, 4].value == "E"
    log.undo()
    assert log.texts() == {}
    assert log.current() == {}


def test_the_newest_act_wins_whether_it_speaks_of_a_text_or_a_place(log: LabelLog) -> None:
    log.record("captcha", [LabelEvent(1, None, "ABCD")])
    log.record("key", [LabelEvent(1, 2, "X")])
    assert log.texts() == {1: "ABXD"}
    log.record("captcha", [LabelEvent(1, None, "EFGH")])
    assert (log.texts(), log.current()[1, 2].value) == ({1: "EFGH"}, "G")
    log.record("key", [LabelEvent(1, 3, "")])  # badly cut: the text stays, the glyph is none
    assert (log.texts(), log.current()[1, 3].value) == ({1: "EFGH"}, "")
    log.record("captcha", [LabelEvent(1, None, "EFG")])  # as many as the cut has not
    assert log.texts() == {1: "EFG"}
    assert log.current() == {}


def test_places_of_another_cut_are_not_taken_for_those_of_this_one(log: LabelLog) -> None:
    log.record("type", typed(1, "ABCD"))
    cut(log.catalog, 1, 5)
    assert log.current() == {}
    assert log.texts() == {}
    cut(log.catalog, 1, 4)
    assert log.texts() == {1: "ABCD"}


def test_what_no_person_can_read_is_no_text(log: LabelLog) -> None:
    log.record("captcha", [LabelEvent(1, None, "ABCD"), LabelEvent(2, None, "")])
    log.record("captcha", [LabelEvent(1, None, "")])
    assert log.texts() == {}
    assert {k: label.value for k, label in log.text_labels().items()} == {1: "", 2: ""}
    assert log.current() == {}


def test_a_text_has_the_least_certain_source_and_confidence_of_its_places(log: LabelLog) -> None:
    log.record("import", [LabelEvent(1, None, "ABCD", "import")])
    log.record("key", [LabelEvent(1, 0, "X")])
    assert log.text_labels()[1].source == "human"
    log.record("auto", [LabelEvent(1, 1, "Y", "model", None, 0.6), LabelEvent(1, 2, "Z", "model", None, 0.9)])
    label = log.text_labels()[1]
    assert (label.value, label.source, label.confidence, label.act_id) == ("XYZD", "model", 0.6, 3)


def test_events_can_be_neither_changed_nor_removed(log: LabelLog) -> None:
    log.record("key", [LabelEvent(1, 0, "A")])
    for sql in ("UPDATE label_event SET value = 'B'", "DELETE FROM label_event"):
        with pytest.raises(CaptchaLabError, match="append-only"):
            log.catalog.execute(sql)


def test_an_act_with_a_bad_event_is_not_half_applied(log: LabelLog) -> None:
    with pytest.raises(CaptchaLabError):
        log.record("key", [LabelEvent(1, 0, "A"), LabelEvent(99, 0, "B")])
    assert log.current() == {}
    assert log.revision == 0


# A labeller that prints the number of each act after it was saved, until it is killed.
LABELLER = """
import sys
from collections.abc import Iterator
from pathlib import Path
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.rows import GlyphRow
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
log = LabelLog(Catalog(Path(sys.argv[1])))
while True:
    act = log.record("key", [LabelEvent(1, log.revision % 1000, "A"), LabelEvent(2, 0, "B")], keystrokes=1)
    print(act, flush=True)
"""


def kill_a_labeller(path: Path, after: int) -> int:
    """Start a labeller, kill -9 it at some moment after `after` acts, return the last act it said was saved."""
    with subprocess.Popen(
        [sys.executable, "-c", LABELLER, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(after)]
        child.send_signal(signal.SIGKILL)
        said += child.stdout.read().splitlines(keepends=True)
    return int([line for line in said if line.endswith("\n")][-1])


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_what_was_said_to_be_saved_survives_kill_9(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "catalog.sqlite"
    with Catalog(path) as catalog:
        for number in range(2):
            catalog.add_image(f"{number:064d}", "png", 80, 20, 100)
    draw = random.Random(0)
    saved = 0
    for _ in range(kills):
        saved = max(saved, kill_a_labeller(path, draw.randrange(1, 40)))
        with Catalog(path) as catalog:
            log = LabelLog(catalog)
            assert catalog.execute("PRAGMA integrity_check").first()[0] == "ok"
            assert log.revision >= saved > 0
            events = catalog.execute("SELECT act_id, count(*) FROM label_event GROUP BY act_id").rows
            assert [tuple(row) for row in events] == [(k, 2) for k in range(1, log.revision + 1)]
