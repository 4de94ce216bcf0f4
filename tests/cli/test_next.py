"""Every command ends with what it made, and below that the command that may come next."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from captcha_lab.cli import COMMANDS
from tests.cli.conftest import Cli
from tests.cli.test_json import ONE_EACH

# What these print is looked at by tests of their own: they take long, or do not end by themselves.
ELSEWHERE = {"audit", "demo", "eval", "generate", "restore", "serve"}
FURTHER = [
    ["explain"],
    ["read", "PICTURES", "--min-confidence", "0.5"],
    ["import", "PICTURES", "--dry-run"],
    ["train-gen", "--list"],
    ["train-gen", "--recipe", "draft", "--dry-run"],
]


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def test_no_command_is_left_out() -> None:
    assert {arguments[0] for arguments in ONE_EACH} | ELSEWHERE == set(COMMANDS)


@pytest.mark.parametrize("arguments", [*ONE_EACH, *FURTHER], ids=" ".join)
def test_commands_end_with_the_next_step(
    arguments: list[str], workspace: Path, captcha_files: Path, cli: Cli
) -> None:
    given = [str(captcha_files) if word == "PICTURES" else word for word in arguments]
    done = cli(workspace, *given)
    assert done.exit_code == 0, done.output
    told = done.stdout if arguments == ["status"] else done.stderr
    assert last_line(told).startswith("Next: "), told
    assert done.stdout.strip(), "what was made is said on stdout"


def test_the_next_step_is_no_part_of_the_result(workspace: Path, captcha_files: Path, cli: Cli) -> None:
    done = cli(workspace, "read", str(captcha_files))
    assert "Next" not in done.stdout
    assert all(line.count("\t") == 2 for line in done.stdout.splitlines())


def test_a_training_says_where_to_watch_it_and_how_it_went(workspace: Path, cli: Cli) -> None:
    done = cli(
        workspace, "train-gen", "--recipe", "draft", "--iterations", "2", "--batch-size", "8", "--name", "gan"
    )
    folder = workspace / "models" / "gan"
    assert f"Pictures appear in {folder / 'samples'}" in done.stderr
    assert f"tensorboard --logdir {folder / 'tensorboard'}" in done.stderr
    assert re.search(r"^  (Good|Usable|Weak|Poor) \(\d\.\d\d of 1\)\. Weakest: ", done.stdout, re.MULTILINE)


def test_a_backup_is_brought_back_by_the_command_that_is_named(workspace: Path, cli: Cli) -> None:
    made = cli(workspace, "backup", "kept.zip")
    command = last_line(made.stderr).removeprefix("Next: captcha-lab ").split("  (")[0]
    done = cli(workspace, *command.replace("NAME", "again").split())
    assert done.exit_code == 0, done.output
    assert last_line(done.stderr).startswith("Next: captcha-lab ")
