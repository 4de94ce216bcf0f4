"""The commands `import` and `export`, from the outside."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from captcha_lab.cli import app


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    rng = np.random.default_rng(1)
    for text in ("AB23", "CD45"):
        cv2.imwrite(f"raw/{text}_1.png", rng.integers(0, 256, (20, 80), np.uint8))
    return tmp_path


def test_there_and_back(workspace: Path) -> None:
    runner = CliRunner()
    result = runner.invoke(app, ["import", "raw", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["labelled"] == 2
    result = runner.invoke(app, ["export", "out", "--format", "csv"])
    assert result.exit_code == 0, result.output
    assert "2 captchas (2 labelled)" in result.stdout
    result = runner.invoke(app, ["import", "out", "--dataset", "again", "--json"])
    assert json.loads(result.stdout)["stored"] == 2


def test_problems_are_listed_and_exit_1(workspace: Path) -> None:
    Path("raw/EF67.png").write_text("no picture")
    result = CliRunner().invoke(app, ["import", "raw"])
    assert result.exit_code == 1
    assert "EF67.png: not an image" in result.stderr
    assert "2 images imported" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["import", "nowhere"], 1, "nowhere does not exist"),
        (["import", "raw", "--labels", "xml"], 2, "choose one of auto, filename"),
        (["import", "raw", "--labels", "csv"], 2, "0 .csv files"),
        (["import", "raw", "--pattern", "("], 2, "no regular expression"),
        (["export", "out", "--format", "xml"], 2, "choose one of folders"),
        (["export", "out", "--format", "csv"], 1, "There is no dataset"),
    ],
)
def test_bad_requests_are_one_line(workspace: Path, arguments: list[str], code: int, message: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not Path("datasets").exists()
    assert not Path("out").exists()
