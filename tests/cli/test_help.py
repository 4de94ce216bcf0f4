"""Help in plain words at any width, examples that are right, and errors that name what was probably meant."""

import importlib
import json
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from captcha_lab import __version__
from captcha_lab.cli import COMMANDS, app, module_of

HELP = ([], *([command] for command in COMMANDS))


def shown(arguments: list[str], columns: int, **environment: str) -> str:
    runner = CliRunner(env=environment)  # it writes 80 columns whatever COLUMNS says, hence the width
    done = runner.invoke(app, [*arguments, "--help"], terminal_width=columns - 2)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help_breaks_lines_at_words(arguments: list[str]) -> None:
    narrow, wide = shown(arguments, 60), shown(arguments, 160)
    before_examples = narrow.split("Examples:", maxsplit=1)[0]
    assert max(map(len, before_examples.splitlines())) <= 60
    assert narrow.split() == wide.split()  # no word is broken at either width


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help_shows_no_type_of_python_and_no_colour(arguments: list[str]) -> None:
    for text in (shown(arguments, 100), shown(arguments, 100, NO_COLOR="1", FORCE_COLOR="1")):
        assert not re.search(r"<\w|list\[|\bint\b|\bstr\b|\x1b", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_are_right(command: str) -> None:
    """Each command shows some, and the command line takes them."""
    group = typer.main.get_command(app)
    examples = importlib.import_module(module_of(command)).EXAMPLES
    assert examples
    for line, meaning in examples:
        program, name, *arguments = shlex.split(line)
        assert (program, name) == ("captcha-lab", command)
        assert meaning.endswith(".")
        assert f"  {line}\n" in shown([command], 60)
        single = group.get_command(typer.Context(group), command)  # type: ignore[attr-defined]
        single.make_context(command, arguments)


def test_the_short_spelling_and_the_version() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["read", "-h"]).stdout == runner.invoke(app, ["read", "--help"]).stdout
    assert runner.invoke(app, ["--version"]).stdout == f"captcha-lab {__version__}\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("trian", "There is no command 'trian'. Did you mean train?"),
        ("train --epohcs 3", "There is no option --epohcs. Did you mean --epochs?"),
        ("train-gen --no-labl", "There is no option --no-labl. Did you mean --no-label or --label?"),
        ("train --epochs many", "Invalid value for '--epochs': give a whole number."),
        ("train --learning-rate fast", "Invalid value for '--learning-rate': give a number."),
        ("read", "Missing argument FILES."),
        ("xyzzy", "There is no command 'xyzzy'."),
    ],
)
def test_errors_say_what_was_probably_meant(line: str, message: str) -> None:
    done = CliRunner().invoke(app, shlex.split(line))
    assert done.exit_code == 2
    assert done.stderr.rstrip().endswith(f"Error: {message}")
    told = CliRunner().invoke(app, [*shlex.split(line), "--json"])
    assert told.exit_code == 2
    assert json.loads(told.stdout) == {"error": message, "exit_code": 2}


def test_an_error_of_the_work_is_json_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["segment", "--json"])
    assert done.exit_code == 1
    assert set(json.loads(done.stdout)) == {"error", "exit_code"}
    assert not done.stderr


def test_shells_complete_commands_and_options() -> None:
    def offered(words: str, number: int) -> set[str]:
        environment = {
            "_CAPTCHA_LAB_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(number),
        }
        done = CliRunner().invoke(app, prog_name="captcha-lab", env=environment)
        return set(done.stdout.split())

    assert offered("captcha-lab tr", 1) == {"train", "train-gen"}
    assert "--epochs" in offered("captcha-lab train --ep", 2)
