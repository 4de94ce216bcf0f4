"""What strangers named their files can't command the terminal, and any name can be read."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from captcha_lab.store.images import encode
from tests.cli.conftest import Cli

EVIL = "\x1b]0;owned\x07\x1b[2J"
LATIN = os.fsdecode(b"caf\xe9")


def test_names_are_escaped_in_every_message(cli: Cli, labelled: Path, tmp_path: Path) -> None:
    for name in (f"{EVIL}.png", f"{LATIN}.png", "two\nlines.png"):
        (tmp_path / name).write_bytes(b"no picture")
    (tmp_path / f"good{EVIL}{LATIN}.png").write_bytes(encode(np.zeros((20, 80), np.uint8)))
    done = cli(labelled, "read", str(tmp_path))
    assert done.exit_code == 1
    assert "\x1b" not in done.output
    assert r"good\x1b]0;owned\x07\x1b[2Jcaf\xe9.png" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 3
    assert any(r"two\nlines.png" in line for line in lines)
    missing = cli(labelled, "read", str(tmp_path / f"{EVIL}{LATIN}\nError: all is well"))
    assert missing.exit_code == 1
    assert "\x1b" not in missing.output
    assert sum(line.startswith("Error: ") for line in missing.stderr.splitlines()) == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437"])
def test_a_terminal_of_another_encoding_gets_what_it_can_show(tmp_path: Path, encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "captcha_lab", "read", "字€.png"],
        cwd=tmp_path,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        check=False,
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_tables_are_drawn_with_what_the_encoding_has(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from captcha_lab.cli.output import table

    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    assert table(["name"], [[EVIL]]).isascii()
    assert "\x1b" not in table(["name"], [[EVIL]])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device on this system")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["status", "status --json", "--help", "--version", "train-gen --help"])
def test_output_to_a_full_device_is_one_line(tmp_path: Path, words: str, unbuffered: str) -> None:
    done = subprocess.run(
        f"{sys.executable} -m captcha_lab {words} > /dev/full",
        shell=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "can't be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt", reason="a shell's way of closing a stream")
@pytest.mark.parametrize("closed", ["2>&-", ">&-"])
def test_a_closed_stream_ends_no_command(tmp_path: Path, closed: str) -> None:
    done = subprocess.run(
        f"{sys.executable} -m captcha_lab check {closed}",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert closed == ">&-" or "0 problems" in done.stdout
