"""`train-gen` and `generate` as a user meets them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from captcha_lab.cli import app
from captcha_lab.generate.choose import Choice
from captcha_lab.generate.recipes import reached
from captcha_lab.pipeline.generator_data import packed_condition
from captcha_lab.store.packed.packed import PackedSet, write_packed
from captcha_lab.store.runs import load_weights
from captcha_lab.store.workspace import Workspace

SMALL = ["--set", 'options={"channels": 8, "hidden": 16}', "--set", "noise_size=8", "--batch-size", "8"]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with forty labelled random glyphs."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 20, 20), dtype=np.uint8)
    labels = (np.arange(60) % 4).astype(np.int16)
    split = (np.arange(60) % 3 == 0).astype(np.uint8)
    write_packed(
        tmp_path / "datasets/glyphs/packed.h5", PackedSet(images, split, labels, classes=tuple("2A7K"))
    )
    write_packed(tmp_path / "datasets/plain/packed.h5", PackedSet(images, split))
    (tmp_path / "captcha-lab.toml").write_text('dataset = "glyphs"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result


def trained(*arguments: str) -> dict[str, Any]:
    result = call("train-gen", "--iterations", "4", "--evaluations", "2", *SMALL, *arguments, "--json")
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures


def test_train_and_generate(workspace: Path) -> None:
    report = trained("--recipe", "wdcgan-label", "--name", "first")
    assert report["recipe"].startswith("wdcgan-label+")
    assert (report["iterations"], report["interrupted"]) == (4, False)
    assert Path(report["run"]) == workspace / "models" / "first"
    made = json.loads(call("generate", "--text", "A7K2", "--count", "3", "--out", "out", "--json").stdout)
    assert (made["count"], made["run"]) == (3, "first")
    with Image.open(workspace / "out" / "A7K2_2.png") as picture:
        assert picture.size == (80, 20)
    again = workspace / "again"
    call("generate", "--run", "first", "--text", "A7K2", "--count", "3", "--out", str(again))
    for one in (workspace / "out").iterdir():
        assert one.read_bytes() == (again / one.name).read_bytes()


def test_samples_become_a_dataset_that_a_recogniser_trains_on(workspace: Path) -> None:
    trained("--recipe", "wdcgan-label", "--name", "first")
    out = Path("datasets/made/packed.h5")
    weights = "models/first/weights.safetensors"
    asked = ("generate", "--run", weights, "--per-class", "40", "--out", str(out), "--json")
    made = json.loads(call(*asked).stdout)
    assert (made["count"], made["run"]) == (160, "first")
    report = json.loads(call("train", "--dataset", "made", "--epochs", "1", "--json").stdout)
    assert load_weights(Path(report["chosen"]["run"]["root"]))[1]["classes"] == list("2A7K")


def test_seeds_and_the_best_of_them(workspace: Path) -> None:
    report = trained("--loss", "gan", "--seeds", "2", "--seed", "5", "--name", "pair")
    runs = {run["run"].rsplit("/", 1)[1]: run for run in report["runs"]}
    assert set(runs) == {"pair-1", "pair-2"}
    best = max(report["runs"], key=lambda run: run["figures"]["score"])
    assert report["best"] == best
    configs = [json.loads((workspace / "models" / name / "config.json").read_text()) for name in sorted(runs)]
    assert [config["train"]["seed"] for config in configs] == [5, 6]
    asked = (
        "generate",
        "--model",
        "pair-1",
        "--model",
        "pair-2",
        "--count",
        "6",
        "--out",
        "both.h5",
        "--json",
    )
    made = json.loads(call(*asked).stdout)
    assert (made["count"], made["run"]) == (6, "pair-1 and pair-2")


def test_resume_by_name(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from captcha_lab.generate.training import session as module

    straight = trained("--loss", "gan", "--label", "--name", "straight")
    monkeypatch.setattr(module.Session, "_should_stop", lambda self, event: self.trainer.iteration == 2)
    arguments = [
        "--loss",
        "gan",
        "--label",
        "--name",
        "cut",
        "--iterations",
        "4",
        "--evaluations",
        "2",
        *SMALL,
    ]
    stopped = call("train-gen", *arguments, code=130)
    assert "continue with `captcha-lab train-gen --resume cut`" in stopped.stderr
    monkeypatch.undo()
    monkeypatch.chdir(workspace)
    resumed = json.loads(call("train-gen", "--resume", "cut", "--json").stdout)
    assert resumed["figures"] == straight["figures"]
    ours, theirs = (load_weights(workspace / "models" / name)[0] for name in ("cut", "straight"))
    assert all(np.array_equal(ours[key].numpy(), theirs[key].numpy()) for key in ours)
    again = call("train-gen", "--resume", "cut", code=1)
    assert "Error: The run cut has finished" in again.stderr


def test_unlabelled_data(workspace: Path) -> None:
    arguments = ["--iterations", "2", "--evaluations", "1", *SMALL]
    refused = call("train-gen", "--dataset", "plain", "--loss", "wgan", "--label", *arguments, code=2)
    assert "--label needs labels, and the dataset plain has none" in refused.stderr
    assert not list((workspace / "models").glob("*"))
    shown = call("train-gen", "--dataset", "plain", "--recipe", "wdcgan", *arguments)
    assert "There are no labels yet: training without a condition" in shown.stderr
    report = trained("--dataset", "plain", "--recipe", "wdcgan")
    assert report["recipe"].startswith("wdcgan+")
    refused = call("generate", "--text", "A", code=2)
    assert "Only a generator trained with --label can write a text" in refused.stderr
    made = json.loads(call("generate", "--count", "5", "--out", "plain.h5", "--json").stdout)
    assert made["count"] == 5


def test_classes_of_a_few_images_each_are_a_condition_only_where_one_is_asked_for(workspace: Path) -> None:
    rng = np.random.default_rng(0)
    names = tuple(f"person {k}" for k in range(20))
    persons = PackedSet(
        rng.integers(0, 256, (60, 20, 20), dtype=np.uint8),
        np.zeros(60, np.uint8),
        (np.arange(60) % 20).astype(np.int16),
        classes=names,
    )
    write_packed(workspace / "datasets/persons/packed.h5", persons)
    data = packed_condition(Workspace(workspace).dataset("persons"), ())
    assert not data.recipe(Choice()).labelled
    assert data.recipe(Choice(label=True)).labelled
    assert packed_condition(Workspace(workspace).dataset("glyphs"), ()).recipe(Choice()).labelled


def test_list_and_dry_run(workspace: Path) -> None:
    listed = json.loads(call("train-gen", "--list", "--json").stdout)["recipes"]
    lines = {recipe["name"]: recipe["reached"] for recipe in listed}
    assert {"gan-fc", "wdcgan-update-label", "face-dcgan", "pml-vae", "slides-dcgan"} <= set(lines)
    assert {name: text for name, text in lines.items() if text} == reached()
    assert all(re.search(r"\d (min|s)\b", text) for text in reached().values())  # each says in which time
    assert listed[0]["reached"]
    assert "wdcgan-update" in call("train-gen", "--list").stdout
    shown = call("train-gen", "--dry-run", "--recipe", "wdcgan-label", *SMALL).stdout
    assert "ConvTranspose2d" in shown
    assert "One iteration takes" in shown
    assert not (workspace / "models").exists()


def test_a_run_that_breaks_says_so_and_names_nothing_that_is_not_there(workspace: Path) -> None:
    broken = ["--lr", "1e38", "--iterations", "3", *SMALL, "--name"]
    for name, recipe in (("clipped", "wdcgan"), ("free", "dcgan")):
        result = call("train-gen", "--recipe", recipe, *broken, name, code=1)
        assert "is not a number any more" in result.stdout
        run = workspace / "models" / name
        assert ("no weights were kept" in result.stdout) != (run / "weights.safetensors").exists()
        assert ("progress.gif" in result.stdout) == (run / "progress.gif").exists()
        assert json.loads((run / "summary.json").read_text())["alarms"][0]["kind"] == "nan"


def test_a_dry_run_shows_the_run_that_would_be(workspace: Path) -> None:
    shown = call(
        "train-gen",
        "--loss",
        "gan",
        "--dry-run",
        "--precision",
        "bfloat16",
        "--threads",
        "1",
        *SMALL,
        "--json",
    )
    made = json.loads(shown.stdout)
    assert (made["precision"], made["threads"]) == ("bfloat16", 1)
    for wrong in (["--precision", "foo"], ["--iterations", "0"], ["--attributes", "Smiling"]):
        call("train-gen", "--dry-run", *wrong, code=2)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train-gen", "--recipe", "nope"], 2, "No recipe 'nope'. Known:"),
        (["train-gen", "--loss", "gan", "--iterations", "0"], 2, "--iterations 0: at least 1"),
        (["train-gen", "--loss", "gan", "--max-seconds", "-3"], 2, "give a time above 0"),
        (["train-gen", "--loss", "gan", "--max-seconds", "nan"], 2, "give a time above 0"),
        (["train-gen", "--iterations", "5", "--max-seconds", "5"], 2, "choose one"),
        (["train-gen", "--device", "toaster"], 2, "--device toaster: choose auto, cpu or cuda"),
        (["train-gen", "--lr", "nan"], 2, "learning_rate is nan"),
        (["train-gen", "--name", "../evil"], 2, "'../evil' can't name a dataset or run"),
        (["train-gen", "--loss", "gan", "--dataset", "none"], 1, ""),
        (["train-gen", "--dry-run", "--dataset", "none"], 2, "has no dataset none: leave --dataset away"),
        (["train-gen", "--resume", "none"], 1, "There is no run at none"),
        (["train-gen", "--resume", "none", "--dataset", "none"], 2, "no other option can go with it"),
        (["train-gen", "--loss", "gan", "--label", "--attribute", "Smiling"], 2, "glyphs has no attributes"),
        (["generate"], 1, "There is no generator in"),
        (["generate", "--run", "none"], 1, "There is no model none"),
        (["generate", "--grid", "--per-class", "3"], 2, "Choose one of --text"),
        (["generate", "--count", "5", "--out", "five.png"], 2, "five.png is named like a file"),
        (["generate", "--grid", "--out", "g.h5"], 2, "g.h5: name a picture"),
    ],
)
def test_mistakes_are_one_clear_line(workspace: Path, arguments: list[str], code: int, message: str) -> None:
    result = call(*arguments, code=code)
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_attributes_are_spelt_alike_by_both_commands(workspace: Path) -> None:
    rng = np.random.default_rng(0)
    attributes = rng.integers(0, 2, (60, 3), dtype=np.int8)
    images = rng.integers(0, 256, (60, 20, 20), dtype=np.uint8)
    known = PackedSet(
        images, np.zeros(60, np.uint8), attributes=attributes, attribute_names=("Smiling", "Male", "Hat")
    )
    write_packed(workspace / "datasets/known/packed.h5", known)
    asked = ("--attributes", "smiling, MALE", "--attribute", "hat")
    trained("--dataset", "known", "--recipe", "wdcgan", *asked)
    call("generate", "--count", "2", "--out", "out", *asked)
    assert sorted(path.name for path in (workspace / "out").iterdir()) == [
        "Smiling+Male+Hat_0.png",
        "Smiling+Male+Hat_1.png",
    ]
    refused = call("generate", "--attributes", "smiling,mail", code=2)
    assert "There is no attribute 'mail': did you mean Male" in refused.stderr


@pytest.mark.parametrize(("seed", "bound"), [("-1", "0"), ("99999999999999999999", "4294967295")])
@pytest.mark.parametrize("command", ["generate", "train-gen", "train"])
def test_seeds_that_no_generator_takes(workspace: Path, command: str, seed: str, bound: str) -> None:
    assert f"equal to {bound}\n" in call(command, "--seed", seed, code=2).stderr


def test_a_run_says_what_was_chosen_and_how_long_it_takes(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from captcha_lab.pipeline import generators

    shown = call("train-gen", "--loss", "wgan", "--label", "--iterations", "2", "--evaluations", "1")
    assert (
        "Recipe fast-wgan-label: the recipe that --loss wgan stands for, conditioned on the labels"
        in shown.stderr
    )
    assert "It learns faster than the source's own, which is --recipe wdcgan-label." in shown.stderr
    now = iter([0.0, 4.0, 11.0, 22.0])
    monkeypatch.setattr("captcha_lab.pipeline.generators.time.perf_counter", lambda: next(now))
    said: list[str] = []
    clock = generators._Clock(said.append, "--max-seconds shortens it")
    for done in (1, 5, 12, 23):
        clock.advance(done, 400)
    (line,) = said
    assert line.startswith("At this speed the run takes about 6 more minutes; --max-seconds shortens it")
