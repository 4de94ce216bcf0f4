"""`captcha-lab eval` and `audit` on workspaces that lack things: a clear line each, never a traceback."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from captcha_lab.cli import app
from captcha_lab.evaluate.generators.core import Evaluator
from captcha_lab.evaluate.judging.inception import load_inception
from captcha_lab.evaluate.real import RealData
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.recognise.glyph.train import train_glyph_reader
from captcha_lab.store.packed.packed import PackedSet, write_packed
from tests.evaluate.drawn_world import CLASSES, CONFIG, draw_glyphs

Call = Callable[..., Result]
QUICK = ["--samples", "120", "--no-gan-train", "--no-judge"]


@pytest.fixture
def captcha_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, (result.output, result.stderr, result.exception)
        return result

    return call


@pytest.fixture
def workspace(tmp_path: Path, world: PackedSet) -> Path:
    """A packed dataset and a recogniser of it, no generator."""
    write_packed(tmp_path / "datasets" / "captcha" / "packed.h5", world)
    train_glyph_reader(world, tmp_path / "models", ClassifierConfig(epochs=2), "reader")
    return tmp_path


def test_a_workspace_with_nothing(captcha_lab: Call) -> None:
    for command in ("eval", "audit"):
        error = captcha_lab(command, code=1).stderr
        assert error.startswith("Error: There ")
        assert "captcha-lab scrape" in error
        assert error.count("\n") == 1


def test_only_a_recogniser(captcha_lab: Call, workspace: Path) -> None:
    output = captcha_lab("eval").output
    # Two epochs leave it all but blind to some class, which is said first.
    assert re.match(r"The recogniser hardly reads (.*%\)); overall it reads", output)
    assert "yet: `captcha-lab train-gen`" in output
    report = json.loads((workspace / "models" / "reader" / "evaluation" / "report.json").read_text())
    assert report["recogniser"]["glyphs"]["value"] > 0.3


def test_no_labels_and_no_generator(captcha_lab: Call, tmp_path: Path, world: PackedSet) -> None:
    unlabelled = replace(world, labels=np.full(len(world), -1, np.int16))
    write_packed(tmp_path / "datasets" / "captcha" / "packed.h5", unlabelled)
    error = captcha_lab("eval", code=1).stderr
    assert "nothing to evaluate" in error
    assert "captcha-lab label" in error


def test_generators_labelled_and_not_and_of_other_data(
    captcha_lab: Call, workspace: Path, world: PackedSet, tmp_path: Path
) -> None:
    train = ("train-gen", "--iterations", "2")
    captcha_lab(*train, "--recipe", "gan-fc", "--name", "plain")
    captcha_lab(*train, "--recipe", "wgan-fc", "--label", "--name", "told")

    report = json.loads(captcha_lab("eval", "--run", "plain", *QUICK, "--json").stdout)
    (plain,) = report["leaderboard"]
    assert "gan_test" not in plain["figures"]
    assert {"class_variation", "recall", "sliced"} <= set(plain["figures"])

    result = captcha_lab("eval", "--all", *QUICK, "--seed", "3")
    assert "told" in result.output
    assert "real (" in result.output
    table = [line for line in result.output.splitlines() if line.startswith((" told", " plain", " real ("))]
    assert len(table) == 3
    assert max(map(len, table)) <= 80
    assert (workspace / "evaluation" / "report.html").is_file()

    assert "leave --model and --compare out" in captcha_lab("eval", "--all", "--run", "told", code=2).stderr
    assert "no model nosuch" in captcha_lab("eval", "--run", "nosuch", code=1).stderr

    # Another alphabet, another size: one line that names the cure.
    other = replace(world, classes=tuple("BCDEFG"), info={**world.info, "dataset": "letters"})
    write_packed(tmp_path / "datasets" / "letters" / "packed.h5", other)
    train_glyph_reader(other, tmp_path / "models", ClassifierConfig(epochs=1), "letters-reader")
    error = captcha_lab("eval", "--dataset", "letters", "--run", "told", *QUICK, code=1).stderr
    assert "makes the classes 237AHX, but the data has BCDEFG" in error
    small = replace(world, images=np.ascontiguousarray(world.images[:, :16, :16]), info={"dataset": "small"})
    write_packed(tmp_path / "datasets" / "small" / "packed.h5", small)
    train_glyph_reader(small, tmp_path / "models", ClassifierConfig(epochs=1), "small-reader")
    error = captcha_lab("eval", "--dataset", "small", "--run", "told", *QUICK, code=1).stderr
    assert "makes images of 20x20 grey, but the data's are 16x16 grey" in error
    output = captcha_lab("eval", "--dataset", "small", "--all", *QUICK).output
    assert "No generator in" in output


def test_audit_of_imported_captchas_claims_nothing_about_an_endpoint(
    captcha_lab: Call, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    for number in range(12):
        strip = np.concatenate(draw_glyphs([0, 1, 2, 3], number), axis=1)
        cv2.imwrite(str(tmp_path / "files" / f"{number}.png"), strip)
    captcha_lab("import", "files", "--labels", "none")
    found = json.loads(captcha_lab("audit", "--json").stdout)
    assert found["captchas"] == 12
    assert found["endpoint"] is None
    assert found["reading"] is None
    assert "captcha-lab label" in found["notes"][0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--samples", "0"], "--samples is 0"),
        (["--seeds", "0"], "--seeds is 0"),
        (["--distance-samples", "5"], "must exceed the 5 neighbours"),
    ],
)
def test_impossible_options(captcha_lab: Call, arguments: list[str], said: str) -> None:
    assert said in captcha_lab("eval", *arguments, code=2).stderr


def test_a_report_that_can_go_nowhere_is_said_before_the_work(
    captcha_lab: Call, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    error = captcha_lab("eval", "--report", str(tmp_path / "file"), code=2).stderr
    assert "can't be made a folder" in error
    assert not list((workspace / "models").glob("judge*"))


def test_figures_folder_without_description(captcha_lab: Call, workspace: Path, tmp_path: Path) -> None:
    assert "figures.json can't be read" in captcha_lab("eval", "--figures", str(tmp_path), code=1).stderr


class Stand(torch.nn.Module):
    """Takes and gives what the published Inception file does: uint8 [N, 3, 299, 299] to features."""

    def forward(self, images: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        small = torch.nn.functional.avg_pool2d(images.float(), 60)
        return small.flatten(1) if return_features else small


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_inception_weights_give_features(tmp_path: Path, real: RealData) -> None:
    torch.jit.script(Stand()).save(str(tmp_path / "stand.pt"))
    extractor = load_inception(tmp_path / "stand.pt")
    assert extractor.features(real.held[:40]).shape == (40, 48)
    evaluator = Evaluator(real, {}, replace(CONFIG, distance_samples=60), extra=[extractor])
    distances = evaluator.baseline(60)
    assert distances["fid"].value > 0
    assert "kernel" in distances  # of pixels, not of Inception


def test_inception_weights_that_are_none(captcha_lab: Call, workspace: Path, tmp_path: Path) -> None:
    captcha_lab("train-gen", "--iterations", "2", "--recipe", "gan-fc", "--name", "plain")
    (tmp_path / "weights.pt").write_bytes(b"no")
    models = set((workspace / "models").iterdir())
    error = captcha_lab(
        "eval", "--run", "plain", "--inception-weights", str(tmp_path / "weights.pt"), code=1
    ).stderr
    assert error.endswith("is not the Inception TorchScript file: `inception-2015-12-05.pt` is what fits.\n")
    assert len(error.splitlines()) == 1
    assert set((workspace / "models").iterdir()) == models, "a reader or judge was trained first"


@pytest.mark.slow
def test_captchas_that_no_cells_cut_are_read_whole(captcha_lab: Call, tmp_path: Path) -> None:
    """`eval` right after `import`: the reader that suits the captchas is trained, not one of cells."""
    (tmp_path / "files").mkdir()
    rng = np.random.default_rng(0)
    for number in range(60):
        text = "".join(CLASSES[k] for k in rng.integers(0, 6, 2 + number % 3))
        strip = np.concatenate(draw_glyphs([CLASSES.index(c) for c in text], number), axis=1)
        cv2.imwrite(str(tmp_path / "files" / f"{text}_{number}.png"), strip)
    captcha_lab("import", "files", "--labels", "filename")
    report = json.loads(captcha_lab("eval", *QUICK, "--json").stdout)
    assert report["texts"]["captchas"]["trials"] > 0
    assert set(report["texts"]["by_length"]) <= {"2", "3", "4"}
    kinds = [json.loads(path.read_text())["kind"] for path in (tmp_path / "models").glob("*/config.json")]
    assert set(kinds) == {"recogniser"}
