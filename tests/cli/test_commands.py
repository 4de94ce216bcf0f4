"""Every command has help, is documented, and works on a small workspace."""

import json
import sqlite3
from pathlib import Path

import pytest

from captcha_lab.cli import COMMANDS
from captcha_lab.store.images import read_image
from tests.cli.conftest import Cli

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_list_of_commands_says_what_each_says_of_itself(cli: Cli, tmp_path: Path) -> None:
    listed = " ".join(cli(tmp_path, "--help").stdout.split())
    for command, line in COMMANDS.items():
        assert f"{command} {line}" in listed
        assert line in " ".join(cli(tmp_path, command, "--help").stdout.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_is_documented(command: str, cli: Cli, tmp_path: Path) -> None:
    done = cli(tmp_path, command, "--help")
    assert done.exit_code == 0
    assert "--json" in done.stdout
    assert f"`captcha-lab {command}" in README


def test_import_segment_train_read(workspace: Path, captcha_files: Path, cli: Cli) -> None:
    done = cli(workspace, "segment", "--preview", "cells.png", "--json")
    assert json.loads(done.stdout)["cells"] == 240
    assert read_image(workspace / "cells.png").shape[1] > 300
    done = cli(workspace, "read", str(captcha_files), "--json")
    readings = json.loads(done.stdout)["readings"]
    assert len(readings) == 60
    assert all(len(r["text"]) == 4 and len(r["confidences"]) == 4 for r in readings)


def test_train_segments_what_is_new_and_says_so(tmp_path: Path, captcha_files: Path, cli: Cli) -> None:
    assert cli(tmp_path, "import", str(captcha_files)).exit_code == 0
    done = cli(tmp_path, "train", "--reader", "glyph", "--epochs", "1")
    assert done.exit_code == 0, done.output
    assert "Segmented 60 captchas into 240 glyphs" in done.stderr


def test_labels_survive_another_cut(workspace: Path, cli: Cli) -> None:
    def labels() -> list[tuple[int, int, str]]:
        path = workspace / "datasets" / "captcha" / "catalog.sqlite"
        connection = sqlite3.connect(path)
        rows = connection.execute(
            "SELECT image_id, position, value FROM current_glyph ORDER BY 1, 2"
        ).fetchall()
        connection.close()
        return rows

    before = labels()
    assert len(before) == 240
    assert cli(workspace, "segment", "--threshold", "120", "--binary").exit_code == 0
    assert labels() == before
    assert cli(workspace, "train", "--reader", "glyph", "--epochs", "1").exit_code == 0


def test_a_packed_file_is_rewritten_only_when_labels_or_cut_change(workspace: Path, cli: Cli) -> None:
    packed = workspace / "datasets" / "captcha" / "packed.h5"
    written = packed.stat().st_mtime_ns
    cli(workspace, "train", "--reader", "glyph", "--epochs", "1")
    assert packed.stat().st_mtime_ns == written
    cli(workspace, "segment", "--binary")
    cli(workspace, "train", "--reader", "glyph", "--epochs", "1")
    assert packed.stat().st_mtime_ns > written


def test_a_workspace_is_found_from_below(workspace: Path, cli: Cli) -> None:
    (workspace / "captcha-lab.toml").write_text("length = 4\n")
    inner = workspace / "notes" / "today"
    inner.mkdir(parents=True)
    assert cli(inner, "train", "--reader", "glyph", "--epochs", "1", "--name", "from-below").exit_code == 0
    assert (workspace / "models" / "from-below" / "weights.safetensors").is_file()
