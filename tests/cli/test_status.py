"""What a workspace holds, what would come next, and its configuration."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np

from captcha_lab.store.packed.packed import PackedSet, write_packed
from captcha_lab.store.workspace import WorkspaceConfig
from tests.cli.conftest import Cli
from tests.cli.test_runs import make_run


def next_command(folder: Path, cli: Cli) -> str:
    done = cli(folder, "status", "--json")
    assert done.exit_code == 0, done.output
    return str(json.loads(done.stdout)["next"]["command"])


def test_the_next_step_from_nothing_to_use(tmp_path: Path, captcha_files: Path, cli: Cli) -> None:
    assert next_command(tmp_path, cli) == "captcha-lab scrape"
    bare = cli(tmp_path, "import", str(captcha_files), "--labels", "none")
    assert "Next: captcha-lab label --review  (none of 60 captchas is labelled)" in " ".join(
        bare.stderr.split("\n")
    )
    assert next_command(tmp_path, cli) == "captcha-lab label --review"
    assert cli(tmp_path, "import", str(captcha_files)).exit_code == 0
    assert next_command(tmp_path, cli) == "captcha-lab train"
    make_run(tmp_path, "reader", 249)
    assert next_command(tmp_path, cli) == "captcha-lab train-gen"
    gan = make_run(tmp_path, "gan", 200, kind="generator", dataset="captcha")
    assert next_command(tmp_path, cli) == "captcha-lab eval"
    (gan.root / "evaluation").mkdir()
    (gan.root / "evaluation" / "report.html").write_text("")
    assert next_command(tmp_path, cli) == "captcha-lab read FILE"


def test_status_describes_data_sets_and_runs(workspace: Path, cli: Cli) -> None:
    faces = np.zeros((12, 32, 32), np.uint8)
    labels = np.arange(12, dtype=np.int16) % 3 - 1
    data = PackedSet(faces, np.zeros(12, np.uint8), labels, classes=("a", "b"))
    write_packed(workspace / "datasets" / "faces" / "packed.h5", data)
    found = json.loads(cli(workspace, "status", "--json").stdout)
    captchas, faces_told = found["datasets"]
    assert captchas["name"] == "captcha"
    assert (captchas["pictures"], captchas["labelled"], captchas["lengths"]) == (60, 60, "4")
    assert captchas["alphabet"] == "37ACEH"
    assert captchas["size"] == "80x20"
    assert (faces_told["name"], faces_told["pictures"], faces_told["labelled"]) == ("faces", 12, 8)
    assert faces_told["alphabet"] == "2 classes"
    assert [run["name"] for run in found["runs"]] == ["first"]
    shown = cli(workspace, "status").stdout
    for part in ("60 captchas", "60 (100%)", "37ACEH", "first", "recogniser", "Next: captcha-lab train-gen"):
        assert part in shown


def test_a_step_for_another_dataset_names_it(tmp_path: Path, cli: Cli) -> None:
    done = cli(tmp_path, "prepare", "mnist", "--size", "8")
    assert "Next: captcha-lab train-gen --dataset mnist" in done.stderr
    assert "Next:" not in cli(tmp_path, "prepare", "mnist", "--size", "8", "--json").output


def test_every_key_of_the_configuration_is_documented(tmp_path: Path, cli: Cli) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    keys = json.loads(cli(tmp_path, "config", "--json").stdout)["keys"]
    assert [key["key"] for key in keys] == [entry.name for entry in fields(WorkspaceConfig)]
    for key in keys:
        assert key["meaning"].endswith(".")
        assert f"| `{key['key']}` |" in readme


def test_config_sets_shows_and_resets(tmp_path: Path, cli: Cli) -> None:
    assert cli(tmp_path, "config", "length", "5").exit_code == 0
    assert cli(tmp_path, "config", "use", "one, two").exit_code == 0
    shown = json.loads(cli(tmp_path, "config", "length", "--json").stdout)
    assert [(key["value"], key["default"]) for key in shown["keys"]] == [(5, 0)]
    assert (tmp_path / "captcha-lab.toml").read_text() == 'length = 5\nuse = ["one", "two"]\n'
    assert cli(tmp_path, "config", "length", "--reset").exit_code == 0
    assert (tmp_path / "captcha-lab.toml").read_text() == 'use = ["one", "two"]\n'
    for wrong in (["nosuch"], ["length", "many"], ["length", "-- -1"], ["dataset", "a/b"]):
        done = cli(tmp_path, "config", *wrong)
        assert done.exit_code == 2, done.output
