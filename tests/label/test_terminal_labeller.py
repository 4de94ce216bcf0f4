"""The terminal labeller on a pipe, and what its lines mean."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pytest

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import UsageError
from captcha_lab.label.questions.types import Answer, Member, Question
from captcha_lab.label.terminal.blocks import side_by_side, to_lines
from captcha_lab.label.terminal.commands import NotUnderstoodError, parse
from captcha_lab.label.terminal.labeller import Terminal, TerminalReport
from captcha_lab.label.worker import Worker
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from captcha_lab.store.workspace import DatasetFolder
from tests.label import page_data

STRAY = (1, 0)


Drawn = tuple[DatasetFolder, list[str]]


def session(dataset: Drawn, lines: str, queue: str = "captcha") -> tuple[TerminalReport, LabelLog, str]:
    """Report, labels and output of one session on a pipe."""
    out = io.StringIO()
    report = perform(dataset, io.StringIO(lines), queue, out)
    return report, LabelLog(Catalog(dataset[0].catalog_path)), out.getvalue()


def perform(
    dataset: Drawn,
    source: TextIO,
    queue: str,
    out: TextIO,
    wrong: frozenset[tuple[int, int]] = frozenset({STRAY, (3, 2)}),
) -> TerminalReport:
    """One session over any input."""
    folder, texts = dataset
    engine, steps = page_data.labelling(folder, texts, wrong)
    worker = Worker(engine, steps[:1] if queue == "captcha" else steps)
    with Catalog(folder.catalog_path) as catalog:
        terminal = Terminal(folder, catalog, engine, worker, queue, source, out)
        worker.prepare()
        return terminal.run()


def test_each_line_is_saved_and_undo_works(dataset: Drawn) -> None:
    report, log, out = session(dataset, "aaaa\nBBBB\n<\ncccc\n \nDDDDD\n-\n")
    assert log.texts() == {1: "AAAA", 2: "CCCC", 4: "DDDDD"}
    assert log.text_labels()[5].value == ""  # no human can read it
    assert (report.acts, report.labels, report.undone, report.skipped) == (5, 5, 1, 1)
    assert report.keystrokes == 5 + 5 + 2 + 5 + 2 + 6 + 2
    assert report.waiting == 26
    assert out.count("saved (1 label") == 5
    assert "> aaaa\n  aaaa is saved as AAAA" in out


def test_what_is_not_understood_is_said_and_saves_nothing(dataset: Drawn) -> None:
    report, log, out = session(
        dataset, "A A\n\n?\n/nonsense\n/queue nonsense\n/queue seed\nAAAA\n/quit\nBBBB\n"
    )
    assert log.texts() == {1: "AAAA"}
    assert report.acts == 1
    for said in (
        "' ' can't be part of", "no proposal", "undo, as far", "no command /nonsense",
        "There is no queue 'nonsense'", "--queue seed",
    ):  # fmt: skip
        assert said in out


def test_case_and_alphabet_are_settled_by_a_line(dataset: Drawn) -> None:
    _, log, out = session(dataset, "abcd\n/case\nabcd\n/add 1\n/add 12\n/quit\n")
    assert log.texts() == {1: "ABCD", 2: "abcd"}
    assert "abcd is saved as ABCD; /case keeps" in out
    assert log.catalog.get_meta("case") == "kept"
    assert "alphabet is 23456789ABCDEFGHJKLMNPQRSTUVWXYZ1 now" in out
    assert str(log.catalog.get_meta("alphabet")).endswith("1")
    _, log, out = session(dataset, "aaaa\n1\n/quit\n", "uncertain")  # remembered
    assert "'1' is not" not in out


def test_undo_with_nothing_to_undo(dataset: Drawn) -> None:
    assert "nothing left to undo" in session(dataset, "<\n")[2]


def test_a_cluster_gets_one_key_less_its_strays(dataset: Drawn) -> None:
    report, log, _ = session(dataset, "d !2 !3\n/quit\n", "seed")
    labels = log.current()
    assert {label.value for label in labels.values()} == {"D"}
    assert report.acts == 1
    assert report.labels == len(labels)
    whole = session(dataset, "<\nD\n/quit\n", "seed")[1].current()
    assert len(whole) == len(labels) + 2


def test_a_page_is_accepted_with_its_strays_retyped(dataset: Drawn) -> None:
    right = dataset[1][0][0]
    report, log, out = session(dataset, f"1{right} !2\n/quit\n", "grid")
    labels = {place: label.value for place, label in log.current().items()}
    assert "[Enter: all as proposed]" in out
    assert labels[STRAY] == right
    assert report.acts == 1
    wrong = [p for p, value in labels.items() if value != dataset[1][p[0] - 1][p[1]]]
    assert wrong == []


def test_enter_accepts_the_proposal(dataset: Drawn) -> None:
    _, log, _ = session(dataset, "2\n2\n\n/quit\n", "uncertain")  # the two under even odds are typed
    assert len(log.current()) == 3


def test_labels_changed_elsewhere_are_said(dataset: Drawn) -> None:
    folder, _ = dataset

    class Meddling(io.StringIO):
        def readline(self, *args: Any) -> Any:
            line = super().readline(*args)
            if line == "AAAA\n":
                with Catalog(folder.catalog_path) as other:
                    log = LabelLog(other)
                    if log.revision == 0:
                        log.record("elsewhere", [])
            return line

    out = io.StringIO()
    report = perform(dataset, Meddling("AAAA\nBBBB\n"), "captcha", out)
    assert report.acts == 1
    assert "nothing was saved" in out.getvalue()
    with Catalog(folder.catalog_path) as catalog:
        assert LabelLog(catalog).texts() == {1: "BBBB"}


def test_there_is_no_such_queue(dataset: Drawn) -> None:
    with pytest.raises(UsageError, match="choose one of best, seed"):
        perform(dataset, io.StringIO(), "queue", io.StringIO())


def question(kind: str, count: int, proposal: str | None = "A") -> Question:
    members = tuple(Member(k, 1, None if kind == "text" else k, proposal="A") for k in range(count))
    return Question("x", "grid", kind, members, proposal, 1.0, 0)  # type: ignore[arg-type]


def answer(line: str, kind: str, count: int, alphabet: str) -> Answer:
    said = parse(line, question(kind, count), Alphabet(alphabet))
    assert isinstance(said, Answer)
    return said


@pytest.mark.parametrize(
    ("line", "kind", "count", "message"),
    [("AB", "glyph", 1, "one character"),
     ("A !1", "cluster", 3, "write !2 to !3"), ("A 2", "cluster", 3, "one character"),
     ("4A", "page", 3, "1 to 3"), ("A", "page", 3, "number of a tile"), ("1!", "page", 3, "not in the alphabet"),
     ("1A ²B", "page", 3, "number of a tile"), ("!٣", "page", 9, "number of a tile"),
     ("2=", "pages of texts", 3, "number of a tile")],
)  # fmt: skip
def test_lines_that_fit_no_form(line: str, kind: str, count: int, message: str) -> None:
    asked = question(kind, count)
    if kind == "pages of texts":
        members = tuple(Member(k, k, None, proposal="AB") for k in range(count))
        asked = Question("x", "grid", "page", members, None, 1.0, 0)
    with pytest.raises(NotUnderstoodError, match=message):
        parse(line, asked, Alphabet("AB12"))


def test_a_page_line_with_digit_labels() -> None:
    said = answer("12 31 !2", "page", 3, "12")
    assert said.corrections == {(1, 0): "2", (1, 2): "1"}
    assert said.left_out == {(1, 1)}


def test_a_page_of_captchas_takes_whole_texts() -> None:
    members = tuple(Member(k, k + 1, None, proposal="AB") for k in range(3))
    said = parse("2=ABBA !3", Question("x", "grid", "page", members, None, 1.0, 0), Alphabet("AB"))
    assert isinstance(said, Answer)
    assert (said.value, said.corrections) == (None, {(2, None): "ABBA"})
    assert said.left_out == {(3, None)}


def test_strays_before_or_after_the_label() -> None:
    for line in ("A !2 !3", "!2 !3 A", "!3 a !2"):
        said = answer(line, "cluster", 3, "AB")
        assert said.value == "A"
        assert said.left_out == {(1, 1), (1, 2)}
    assert answer("!", "glyph", 1, "!?").value == "!"


def test_single_keys_on_a_real_terminal(dataset: Drawn) -> None:
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
        report = perform(dataset, source, "seed", Person(), frozenset())
        labels = LabelLog(catalog).current()
        pressed = LabelLog(catalog).keystrokes()
    os.close(main)
    assert (report.acts, report.undone) == (2, 1)
    assert {label.value for label in labels.values()} == {"D"}
    assert len(labels) == len([1 for text in texts for c in text if c == "D"]) - 2
    assert pressed == 1 + 1 + 8


def test_a_dash_is_a_label_where_the_alphabet_has_one() -> None:
    assert answer("-", "glyph", 1, "AB-").value == "-"
    assert answer("-", "glyph", 1, "AB").value == ""
    assert answer("-", "text", 1, "AB").value == ""


def test_half_blocks_show_the_pixels() -> None:
    picture = np.full((4, 3), 255, np.uint8)
    picture[0, 0] = picture[1, 1] = picture[2, 2] = picture[3, 2] = 0
    assert to_lines(picture, 80, colour=False) == ["▀▄ ", "  █"]
    assert to_lines(picture[:3], 80, colour=False) == ["▀▄ ", "  ▀"]
    assert [len(line) for line in to_lines(np.zeros((20, 200), np.uint8), 50, colour=False)] == [50, 50, 50]
    coloured = to_lines(np.full((2, 1, 3), (1, 2, 3), np.uint8), 80, colour=True)
    assert coloured == ["\x1b[38;2;1;2;3;48;2;1;2;3m▀\x1b[0m"]


def test_pictures_side_by_side_fit_the_width() -> None:
    lines = side_by_side([["ab", "cd"]] * 3, ["1", "2", "3"], 2, 6)
    assert lines == ["1   2", "ab  ab", "cd  cd", "3", "ab", "cd"]


def test_the_command_on_a_pipe(tmp_path: Path) -> None:
    page_data.make_dataset(tmp_path, captchas=5)
    command = [sys.executable, "-m", "captcha_lab", "label"]
    done = subprocess.run(
        command, cwd=tmp_path, input="aaaa\n<\nABCD\n", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Segmented 5 captchas into 20 glyphs" in done.stderr
    assert "4 wait" in done.stdout
    done = subprocess.run(
        [*command, "--json"], cwd=tmp_path, input="BBBB\n", capture_output=True, text=True, timeout=60
    )
    report = json.loads(done.stdout)
    assert (report["acts"], report["labels"], report["waiting"]) == (1, 1, 3)
    with Catalog(tmp_path / "datasets" / "captcha" / "catalog.sqlite") as catalog:
        assert LabelLog(catalog).texts() == {1: "ABCD", 2: "BBBB"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [(["--queue", "x"], 2, "choose one of"), ([], 1, "captcha-lab scrape"), (["--auto"], 1, "captcha-lab scrape"),
     (["--dataset", "../x"], 2, "can't name"), (["--review", "--simulate", "."], 2, "stands alone")],
)  # fmt: skip
def test_bad_use_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[Any] | list[str], code: int, message: str
) -> None:
    from typer.testing import CliRunner

    from captcha_lab.cli import app

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["label", *arguments])
    assert result.exit_code == code, result.output
    assert message in result.output
    assert list(tmp_path.iterdir()) == []
