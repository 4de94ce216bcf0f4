"""What a person sees in a terminal: bars with the name of the phase, messages beside them, lines broken at words."""

import os
import pty
import re
import subprocess
import sys

import pytest

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-9]|4[0-9])(;[0-9]+)*m")


def in_a_terminal(code: str, columns: int = 60, **environment: str) -> str:
    """What a program writes to a terminal of so many columns, control sequences and all."""
    leader, follower = pty.openpty()
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "COLUMNS": str(columns),
        "LINES": "24",
        **environment,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=follower, stdout=follower, stderr=follower, env=environment
    )
    os.close(follower)
    parts = []
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(leader)
    assert process.wait() == 0
    return b"".join(parts).decode()


BAR = """
from captcha_lab.cli.output import progress, say
with progress("Counting sheep") as bar:
    bar(1, 10)
    say("A message of some length that does not fit on a line of sixty columns, so it is broken.")
    bar.phase("reading samples", 3, 10, "loss 0.25")
    say("Another one.")
say("After the bar.")
"""


def test_messages_stand_above_the_bar_and_phases_are_named() -> None:
    text = in_a_terminal(BAR)
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", CONTROL.sub("", text))]
    assert "A message of some length that does not fit on a line of" in lines
    assert "sixty columns, so it is broken." in lines
    assert "Another one." in lines
    assert "After the bar." in lines
    assert "Counting sheep" in text
    assert "Reading samples" in text
    assert "loss 0.25" in CONTROL.sub("", text)


@pytest.mark.parametrize("columns", [60, 100, 160])
def test_no_figure_is_lost_in_a_narrow_terminal(columns: int) -> None:
    code = (
        "import time\nfrom captcha_lab.cli.output import progress\n"
        "with progress('Training') as bar:\n"
        "    for k in range(5):\n"
        "        bar.phase('training the sequence reader on labelled captchas', k, 1000, 'loss 0.123')\n"
        "        time.sleep(0.15)\n"
    )
    text = CONTROL.sub("", in_a_terminal(code, columns))
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text)]
    assert all(len(line) <= columns for line in lines)
    assert any("on labelled captchas" in line and line.endswith("loss 0.123") for line in lines)
    assert any(re.search(r"4/1000 +[\d.]+(/s| s each) +\d:\d\d:\d\d left", line) for line in lines)


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_can_be_refused(environment: dict[str, str], coloured: bool) -> None:
    os_environment = {"NO_COLOR": ""} | environment
    assert bool(COLOUR.search(in_a_terminal(BAR, 100, **os_environment))) == coloured


def test_results_are_broken_at_words() -> None:
    code = "from captcha_lab.cli.output import emit\nemit(None, False, '  a line with words ' * 10, 'tab\\tline' * 20)"
    lines = in_a_terminal(code, 60).split("\r\n")
    assert all(len(line) <= 60 for line in lines if "\t" not in line)
    assert {word for line in lines for word in line.split()} >= {"words"}
    assert "tab\tlinetab" in lines[-2]


@pytest.mark.parametrize("columns", [60, 160])
def test_no_name_of_a_table_is_cut_off(columns: int) -> None:
    code = (
        "from captcha_lab.cli.output import emit, table\n"
        "names = ('', 'run', 'kind', 'recipe', 'data', 'score', 'size', 'made')\n"
        "row = ('*', 'generator-20261125-180042', 'generator', 'wdcgan-label', 'captcha', '', '38 MB', '2026')\n"
        "emit(None, False, table(names, [row]))"
    )
    lines = in_a_terminal(code, columns).split("\r\n")
    assert all(len(line) <= columns for line in lines)
    text = " ".join(" ".join(lines).split())
    assert "* generator-20261125-180042" in text
    assert ("recipe wdcgan-label; data captcha; size 38 MB" in text) == (columns == 60)
    assert "…" not in text


def test_a_question_waits_for_no_bar() -> None:
    code = (
        "import typer\nfrom captcha_lab.cli import output\n"
        "typer.confirm = lambda question, err: print('QUESTION', output._shown[0]._progress.live.is_started) or True\n"
        "with output.progress('Working') as bar:\n    bar(1, 2)\n    print(output.ask('Really?'))\n"
        "    print('AFTER', output._shown[0]._progress.live.is_started)\n"
    )
    text = CONTROL.sub("", in_a_terminal(code))
    assert "QUESTION False" in text
    assert "AFTER True" in text
