"""The commands `import` and `export`, from the outside."""

import json
import os
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from captcha_lab.cli import app
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
from captcha_lab.store.images import encode
from captcha_lab.store.workspace import Workspace


def picture(seed: int) -> bytes:
    return encode(np.random.default_rng(seed).integers(0, 256, (20, 80), np.uint8))


def numbered(folder: Path, stems: list[str]) -> None:
    """A picture of its own for each stem."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem in stems:
        (folder / f"{stem}.png").write_bytes(
            picture(zlib.crc32(f"{folder}/{stem}".encode(errors="surrogateescape")))
        )


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    (tmp_path / "set.zip").write_bytes(b"PK")
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
        (["import", "set.zip"], 1, "set.zip is an archive: unpack it"),
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


def invoke(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result


def test_a_dry_run_shows_the_table_and_writes_nothing(workspace: Path) -> None:
    before = sorted(workspace.rglob("*"))
    result = invoke("import", "raw", "--dry-run")
    for word in ("name", "text", "split", "why", "AB23_1.png", "CD45", "the pattern of the file names"):
        assert word in result.stdout
    assert "2 images, 2 with a text. Nothing was written." in result.stdout
    assert "2 file names look like TEXT_1: AB23_1.png is AB23" in result.stderr
    rows = json.loads(invoke("import", "raw", "--dry-run", "--json").stdout)["images"]
    assert rows[0] == {
        "name": "AB23_1.png",
        "text": "AB23",
        "split": None,
        "why": "the pattern of the file names",
    }
    assert sorted(workspace.rglob("*")) == before


def test_counters_come_without_labels_and_the_option_is_named(workspace: Path) -> None:
    numbered(Path("numbered"), [f"{k:04d}" for k in range(1, 9)])
    result = invoke("import", "numbered")
    assert "8 images imported" in result.stdout
    assert "0 labelled" in result.stdout
    assert "8 file names look like NUMBER (0001.png, 0002.png, 0003.png): a running number" in result.stderr
    assert "--labels filename" in result.stderr
    result = invoke("import", "numbered", "--labels", "filename")
    assert "8 labelled" in result.stdout
    assert "Taken from the file names: 0001.png is 0001, 0002.png is 0002, 0003.png is 0003." in result.stderr


def test_the_report_shows_what_the_data_say(workspace: Path) -> None:
    numbered(Path("words"), ["abcde", "fghij", "klm", "nopqr", "stuvw", "xyzab"])
    out = invoke("import", "words").stdout
    assert "6 captchas, 6 with a text; numbers of characters 3 (1), 5 (5)" in out
    assert "alphabet abcdefghijklmnopqrstuvwxyz; one case; 80x20 pixels" in out
    assert "toml" not in out


def test_a_persons_labels_are_named_and_replaced_on_request(workspace: Path) -> None:
    numbered(Path("words"), ["abcd5", "fghi7"])
    invoke("import", "words", "--labels", "none")
    folder = Workspace.find().dataset()
    with Catalog(folder.catalog_path) as catalog:
        LabelLog(catalog).record("human", [LabelEvent(1, None, "abcdx")])
    result = invoke("import", "words")
    assert "'abcdx' stays against 'abcd5'" in result.stderr
    assert "1 labels that a person gave stay" in result.stdout
    assert "1 labels changed" in invoke("import", "words", "--replace").stdout


def test_names_that_are_not_utf8_never_end_a_command(workspace: Path) -> None:
    folder = os.fsencode(workspace / "raw")
    source = (workspace / "raw" / "AB23_1.png").read_bytes()
    for k, name in enumerate(("中国一二_3.png".encode("gbk"), b"\xff\xfe_4.png", b"\xff\xfe_5.png")):
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(source if k == 1 else picture(k))
    Path(os.fsdecode(folder + b"/\xff.svg")).write_bytes(b"")
    assert "4 images imported" in invoke("import", "raw").stdout
    assert "2 file names are in no known encoding" in invoke("import", "raw", "--dry-run").stderr
    Path(os.fsdecode(os.fsencode(workspace) + b"/\xff")).mkdir()
    numbered(Path(os.fsdecode(b"\xff")), ["EFGH", "IJKL"])
    assert "2 images imported" in invoke("import", os.fsdecode(b"\xff")).stdout
    invoke("export", "out", "--format", "jsonl")


def test_pipes_and_huge_files_are_skipped_with_a_line(workspace: Path) -> None:
    os.mkfifo("raw/GH89_1.png")
    Path("raw/JK23_1.png").symlink_to("nowhere")
    with Path("raw/LM45_1.png").open("wb") as file:
        file.truncate(100 << 20)
    result = invoke("import", "raw", code=1)
    assert "2 images imported" in result.stdout
    for line in ("GH89_1.png: it is a pipe", "JK23_1.png: it is a pipe", "LM45_1.png: larger than 64 MB"):
        assert line in result.stderr


def test_folders_that_look_like_splits_are_offered(workspace: Path) -> None:
    numbered(Path("both/train"), ["abcde", "fghij", "klmno"])
    numbered(Path("both/test"), ["pqrst", "uvwxy"])
    assert "--split-from-folders keeps them apart" in invoke("import", "both").stderr
    out = invoke("import", "both", "--split-from-folders", "--dataset", "other").stdout
    assert "(2 test, 3 train)" in out


def test_a_folder_called_train_is_a_text_beside_others(workspace: Path) -> None:
    for k, text in enumerate(("train", "plane", "train", "horse")):
        numbered(Path("words") / text, [str(k)])
    invoke("import", "words", "--labels", "folder", "--split-from-folders")
    with Catalog(Workspace.find().dataset().catalog_path) as catalog:
        assert sorted(LabelLog(catalog).texts().values()) == ["horse", "plane", "train", "train"]
        assert {row.split for row in catalog.images()} == {None}


def test_pictures_that_nobody_can_read_are_named_and_set_aside(workspace: Path) -> None:
    numbered(Path("mine"), ["1234", "5678", "9012"])
    Path("mine/3456.png").write_bytes(encode(np.full((20, 80), 255, np.uint8)))
    Path("mine/7890.png").write_bytes(encode(np.zeros((1, 1, 3), np.uint8)))
    assert "to be set aside, blank" in invoke("import", "mine", "--dry-run").stdout
    result = invoke("import", "mine")
    assert "3456.png: set aside, blank: all pixels are alike; `captcha-lab drop --undo`" in result.stderr
    assert "7890.png: set aside, too small: 1x1 pixels" in result.stderr
    assert "2 of them are of no use to any reader and were set aside" in result.stdout
    assert "3 captchas, 3 with a text" in result.stdout
    invoke("drop", "--undo", "3456.png")
    assert "set aside" not in invoke("import", "mine").stdout
    assert "4 captchas (4 labelled)" in invoke("export", "out", "--format", "csv").stdout


def test_where_most_pictures_are_blank_they_are_kept_and_it_is_said(workspace: Path) -> None:
    for k, text in enumerate(("1234", "5678", "9012")):
        Path("blank").mkdir(exist_ok=True)
        Path("blank", f"{text}.png").write_bytes(encode(np.full((20, 80), k, np.uint8)))
    result = invoke("import", "blank")
    assert "3 of 3 new images can't be read by anybody, such as 1234.png (blank" in result.stderr
    assert "3 captchas, 3 with a text" in result.stdout
