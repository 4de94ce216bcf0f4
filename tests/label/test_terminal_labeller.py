"""The terminal labeller on a pipe, and what its lines mean."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading

import numpy as np
import pytest

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import UsageError
from captcha_lab.label.questions.plain import Ground
from captcha_lab.label.questions.types import Item, Member
from captcha_lab.label.terminal.blocks import side_by_side, to_lines
from captcha_lab.label.terminal.commands import NotUnderstoodError, parse
from captcha_lab.label.terminal.labeller import Terminal
from captcha_lab.label.worker import Worker
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from tests.label import page_data

STRAY = (1, 0)


def session(dataset, lines: str, queue: str = "captcha"):
    """Report, labels and output of one session on a pipe."""
    folder, texts = dataset
    out = io.StringIO()
    with Catalog(folder.catalog_path) as catalog:
        ground = Ground.of(catalog)
        worker = Worker(
            folder, ground.alphabet, ground.segmenter, page_data.maker(texts, frozenset({STRAY, (3, 2)}))
        )
        terminal = Terminal(
            folder, catalog, ground, queue, None if queue == "captcha" else worker, io.StringIO(lines), out
        )
        if queue != "captcha":
            worker.cut()
            worker.compare()
        report = terminal.run()
        labels = {place: label.value for place, label in LabelLog(catalog).current().items()}
    return report, labels, out.getvalue()


def texts_of(labels: dict) -> dict[int, str]:
    return {
        image: "".join(labels[image, p] or "-" for p in range(4)) for image in sorted({i for i, _ in labels})
    }


def test_each_line_is_saved_and_undo_works(dataset):
    report, labels, out = session(dataset, "aaaa\nBBBB\n<\ncccc\n \nDDD-\n")
    assert texts_of(labels) == {1: "AAAA", 2: "CCCC", 4: "DDD-"}
    assert (report.acts, report.labels, report.undone, report.skipped) == (4, 16, 1, 1)
    assert report.keystrokes == 5 + 5 + 2 + 5 + 2 + 5
    assert report.waiting == 27
    assert out.count("saved (4 labels") == 4
    assert "> aaaa\n  saved" in out


def test_what_is_not_understood_is_said_and_saves_nothing(dataset):
    report, labels, out = session(
        dataset, "AAA\nAAA7\n\n?\n/nonsense\n/queue nonsense\n/queue seed\nAAAA\n/quit\nBBBB\n"
    )
    assert texts_of(labels) == {1: "AAAA"}
    assert report.acts == 1
    for said in (
        "type 4 characters", "'7' is not in the alphabet", "no proposal", "undo, as far", "no command /nonsense",
        "There is no queue 'nonsense'", "--queue seed",
    ):  # fmt: skip
        assert said in out


def test_undo_with_nothing_to_undo(dataset):
    assert "nothing left to undo" in session(dataset, "<\n")[2]


def test_a_cluster_gets_one_key_less_its_strays(dataset):
    report, labels, _ = session(dataset, "d !2 !3\n/quit\n", "seed")
    assert set(labels.values()) == {"D"}
    assert report.acts == 1
    assert report.labels == len(labels) == report.labels
    whole = session(dataset, "<\nD\n/quit\n", "seed")[1]
    assert len(whole) == len(labels) + 2


def test_a_page_is_accepted_with_its_strays_retyped(dataset):
    right = dataset[1][0][0]
    report, labels, out = session(dataset, f"1{right} !2\n/quit\n", "grid")
    assert "[Enter: all as proposed]" in out
    assert labels[STRAY] == right
    assert report.acts == 1
    wrong = [p for p, value in labels.items() if value != dataset[1][p[0] - 1][p[1]]]
    assert wrong == []


def test_enter_accepts_the_proposal(dataset):
    _, labels, _ = session(dataset, "\n\n/quit\n", "uncertain")
    assert len(labels) == 2


def test_labels_changed_elsewhere_are_said(dataset):
    folder, _ = dataset

    class Meddling(io.StringIO):
        def readline(self, *args):
            line = super().readline(*args)
            if line == "AAAA\n":
                with Catalog(folder.catalog_path) as other:
                    log = LabelLog(other)
                    if log.revision == 0:
                        log.record("elsewhere", [])
            return line

    out = io.StringIO()
    with Catalog(folder.catalog_path) as catalog:
        report = Terminal(
            folder, catalog, Ground.of(catalog), "captcha", None, Meddling("AAAA\nBBBB\n"), out
        ).run()
        assert report.acts == 1
        assert "nothing was saved" in out.getvalue()
        assert LabelLog(catalog).texts() == {1: "BBBB"}


def test_there_is_no_such_queue(dataset):
    with Catalog(dataset[0].catalog_path) as catalog, pytest.raises(UsageError, match="choose one of seed"):
        Terminal(dataset[0], catalog, Ground.of(catalog), "queue", None, io.StringIO(), io.StringIO())


def item(kind: str, count: int, proposal: str | None = "A") -> Item:
    members = tuple(Member(k, 1, k, proposal="A") for k in range(count))
    return Item("x", "grid", kind, members, proposal, 1.0, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "kind", "count", "message"),
    [("AB", "glyph", 1, "one character"),
     ("A !1", "cluster", 3, "write !2 to !3"), ("A 2", "cluster", 3, "one character"),
     ("4A", "page", 3, "1 to 3"), ("A", "page", 3, "number of a tile"), ("1!", "page", 3, "not in the alphabet"),
     ("1A ²B", "page", 3, "number of a tile"), ("!٣", "page", 9, "number of a tile"),
     ("ABC", "captcha", 4, "4 characters")],
)  # fmt: skip
def test_lines_that_fit_no_form(line, kind, count, message):
    with pytest.raises(NotUnderstoodError, match=message):
        parse(line, item(kind, count), Alphabet("AB12"))


def test_a_page_line_with_digit_labels():
    command = parse("12 31 !2", item("page", 3), Alphabet("12"))
    assert command.fixes == {1: "2", 3: "1"}
    assert command.left_out == {2}


def test_strays_before_or_after_the_label():
    for line in ("A !2 !3", "!2 !3 A", "!3 a !2"):
        command = parse(line, item("cluster", 3), Alphabet("AB"))
        assert (command.values, command.left_out) == (("A",), {2, 3})
    assert parse("!", item("glyph", 1), Alphabet("!?")).values == ("!",)


def test_single_keys_on_a_real_terminal(dataset):
    """A key labels at once, Backspace undoes, `!` reads on to the end of the line, Ctrl-D ends."""
    import os
    import pty

    main, side = pty.openpty()
    folder, texts = dataset
    keys = iter([b"D", b"\x7f", b"!2 !3 d\n", b"\x04"])

    class Person(io.StringIO):
        """Presses the next key a moment after being asked."""

        def write(self, text: str) -> int:
            if text.endswith("> "):
                threading.Timer(0.1, os.write, (main, next(keys))).start()
            return super().write(text)

    with open(side) as source, Catalog(folder.catalog_path) as catalog:  # noqa: PTH123 - a handle, not a path
        ground = Ground.of(catalog)
        worker = Worker(folder, ground.alphabet, ground.segmenter, page_data.maker(texts))
        worker.cut()
        worker.compare()
        report = Terminal(folder, catalog, ground, "seed", worker, source, Person()).run()
        labels = LabelLog(catalog).current()
        pressed = LabelLog(catalog).keystrokes()
    os.close(main)
    assert (report.acts, report.undone) == (2, 1)
    assert {label.value for label in labels.values()} == {"D"}
    assert len(labels) == len([1 for text in texts for c in text if c == "D"]) - 2
    assert pressed == 1 + 1 + 8


def test_a_dash_is_a_label_where_the_alphabet_has_one():
    assert parse("-", item("glyph", 1), Alphabet("AB-")).values == ("-",)
    assert parse("-", item("glyph", 1), Alphabet("AB")).values == ("",)


def test_half_blocks_show_the_pixels():
    picture = np.full((4, 3), 255, np.uint8)
    picture[0, 0] = picture[1, 1] = picture[2, 2] = picture[3, 2] = 0
    assert to_lines(picture, 80, colour=False) == ["▀▄ ", "  █"]
    assert to_lines(picture[:3], 80, colour=False) == ["▀▄ ", "  ▀"]
    assert [len(line) for line in to_lines(np.zeros((20, 200), np.uint8), 50, colour=False)] == [50, 50, 50]
    coloured = to_lines(np.full((2, 1, 3), (1, 2, 3), np.uint8), 80, colour=True)
    assert coloured == ["\x1b[38;2;1;2;3;48;2;1;2;3m▀\x1b[0m"]


def test_pictures_side_by_side_fit_the_width():
    lines = side_by_side([["ab", "cd"]] * 3, ["1", "2", "3"], 2, 6)
    assert lines == ["1   2", "ab  ab", "cd  cd", "3", "ab", "cd"]


def test_the_command_on_a_pipe(tmp_path):
    page_data.make_dataset(tmp_path, captchas=5)
    command = [sys.executable, "-m", "captcha_lab", "label"]
    done = subprocess.run(
        command, cwd=tmp_path, input="aaaa\n<\nABCD\n", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Segmented 5 new captchas into 20 glyphs." in done.stderr
    assert "4 wait" in done.stdout
    done = subprocess.run(
        [*command, "--json"], cwd=tmp_path, input="BBBB\n", capture_output=True, text=True, timeout=60
    )
    report = json.loads(done.stdout)
    assert (report["acts"], report["labels"], report["waiting"]) == (1, 4, 3)
    with Catalog(tmp_path / "datasets" / "captcha" / "catalog.sqlite") as catalog:
        assert LabelLog(catalog).texts() == {1: "ABCD", 2: "BBBB"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [(["--queue", "x"], 2, "choose one of"), ([], 1, "captcha-lab scrape"), (["--auto"], 1, "captcha-lab scrape"),
     (["--dataset", "../x"], 2, "can't name"), (["--review", "--simulate", "."], 2, "stands alone")],
)  # fmt: skip
def test_bad_use_is_one_clear_line(tmp_path, monkeypatch, arguments, code, message):
    from typer.testing import CliRunner

    from captcha_lab.cli import app

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["label", *arguments])
    assert result.exit_code == code, result.output
    assert message in result.output
    assert list(tmp_path.iterdir()) == []
