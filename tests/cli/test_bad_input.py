"""Bad input to every command: one clear line that names the thing, exit 1 or 2, never a traceback, nothing changed."""

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

CATALOG = Path("datasets/captcha/catalog.sqlite")
PACKED = Path("datasets/captcha/packed.h5")
WEIGHTS = Path("models/first/weights.safetensors")


def fingerprint(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def refused(cli: Cli, folder: Path, *arguments: str, says: str) -> None:
    before = fingerprint(folder)
    done = cli(folder, *arguments)
    assert done.exit_code in (1, 2), f"exit {done.exit_code}: {done.output}"
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert "Traceback" not in done.output
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert len(errors) == 1, done.output
    assert says in " ".join(done.stderr.split()), done.stderr
    assert fingerprint(folder) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["segment"], "captcha-lab scrape"),
        (["train"], "captcha-lab scrape"),
        (["train-gen"], "captcha-lab scrape"),
        (["export", "out", "--format", "csv"], "captcha-lab scrape"),
        (["import", "nowhere"], "nowhere"),
        (["read", "nowhere.png"], "nowhere.png does not exist"),
        (["demo", "--keep", "/dev/null/here"], "can't be made a folder"),
        (["train-gen", "--threads", "100000"], "at most 1024"),
        (["train-gen", "--resume", "run", "--loss", "wgan"], "no other option can go with it"),
        (["train-gen", "--resume", "run", "--iterations", "5"], "no other option can go with it"),
        (["generate", "--grid"], "captcha-lab train-gen"),
        (["prepare", "celeba", "nowhere"], "nowhere"),
        (["prepare", "cats", "."], "cats"),
        (["train-gen", "--recipe", "no-such"], "no-such"),
        (["train-gen", "--loss", "love"], "love"),
        (["train-gen", "--resume", "ghost"], "ghost"),
        (["scrape", "ftp://127.0.0.1/captcha"], "ftp"),
        (["scrape", "not a url"], "not a url"),
        (["scrape", "--count", "0"], "count"),
        (["serve", "--alphabet", "ABA"], "repeats A"),
        (["serve", "--length", "0"], "length"),
        (["serve", "--faults", "explode"], "explode"),
        (["segment", "--glyphs", "0"], "--glyphs"),
        (["segment", "--threshold", "300"], "--threshold"),
        (["train", "--epochs", "0"], "--epochs"),
        (["train", "--dataset", "../up"], "../up"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_in_an_empty_folder(cli: Cli, tmp_path: Path, arguments: list[str], says: str) -> None:
    refused(cli, tmp_path, *arguments, says=says)


@pytest.mark.parametrize(
    "command", [["segment"], ["train"], ["train-gen"], ["export", "out", "--format", "csv"]]
)
def test_damaged_catalog(cli: Cli, workspace: Path, command: list[str]) -> None:
    (workspace / CATALOG).write_bytes(b"no database " * 100)
    refused(cli, workspace, *command, says="catalog.sqlite")


def test_damaged_model(cli: Cli, workspace: Path, captcha_files: Path) -> None:
    (workspace / WEIGHTS).write_bytes(b"no weights")
    refused(cli, workspace, "read", str(captcha_files), says="weights.safetensors")


def test_damaged_configuration(cli: Cli, workspace: Path) -> None:
    (workspace / "captcha-lab.toml").write_text("dataset = [")
    for command in ("segment", "train", "scrape"):
        refused(cli, workspace, command, says="captcha-lab.toml")


def test_repeating_alphabet_in_the_configuration(cli: Cli, workspace: Path) -> None:
    (workspace / "captcha-lab.toml").write_text('alphabet = "AAB"')
    refused(cli, workspace, "train", says="repeats A")


def test_label_outside_the_alphabet(cli: Cli, workspace: Path) -> None:
    (workspace / "captcha-lab.toml").write_text('alphabet = "ACE3"')
    refused(cli, workspace, "train", says="not in the alphabet ACE3")


def test_a_damaged_packed_file_is_simply_rebuilt(cli: Cli, workspace: Path) -> None:
    (workspace / PACKED).write_bytes(b"half a file")
    assert cli(workspace, "train", "--reader", "glyph", "--epochs", "1").exit_code == 0
    assert (workspace / PACKED).stat().st_size > 10_000


def test_a_missing_image_is_named(cli: Cli, workspace: Path) -> None:
    shutil.rmtree(workspace / "datasets/captcha/blobs")
    (workspace / "datasets/captcha/texts.h5").unlink(missing_ok=True)  # the pictures packed before would do
    refused(cli, workspace, "train", says="blobs")


def test_reading_goes_on_past_a_damaged_file(cli: Cli, workspace: Path, captcha_files: Path) -> None:
    folder = workspace / "in"
    shutil.copytree(captcha_files, folder)
    (folder / "zz.png").write_bytes(b"\x89PNG but no more")
    done = cli(workspace, "read", str(folder))
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 60
    assert done.stderr.count("Error:") == 1
    assert "zz.png" in done.stderr


def test_more_cells_than_pixels(cli: Cli, workspace: Path) -> None:
    refused(cli, workspace, "segment", "--glyphs", "200", says="at most 64 glyphs")


def test_the_name_of_a_run_is_used_once(cli: Cli, workspace: Path) -> None:
    refused(cli, workspace, "train", "--name", "first", says="named first exists")


def test_a_folder_where_a_file_belongs(cli: Cli, workspace: Path) -> None:
    (workspace / "folder.png").mkdir()
    refused(cli, workspace, "segment", "--preview", "folder.png", says="folder.png")
