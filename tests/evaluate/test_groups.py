"""Repeated training seeds on the leaderboard, and the leaderboard on a terminal."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from captcha_lab.cli import app
from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.figures import Value
from captcha_lab.evaluate.generators.groups import entries
from captcha_lab.evaluate.generators.result import CandidateResult, Evaluation
from captcha_lab.evaluate.generators.verdict import Verdict
from captcha_lab.evaluate.readers import SampleReader, reader_measures
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.report.board import board_lines
from captcha_lab.evaluate.report.report import verdict_sentence
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.recognise.glyph.train import train_glyph_reader
from captcha_lab.store.packed.packed import PackedSet, write_packed
from tests.helpers import present

READERS = (("recogniser", ""), ("judge", "judge"), ("panel", "panel"))
FLOOR = {"gan_test": Value(0.999), "frechet": Value(24.0), "recall": Value(0.98)}


def result(
    name: str,
    reads: float,
    frechet: float,
    recipe: str = "fast",
    seed: int = 0,
    faults: Sequence[str] = (),
    seconds: float = 30.0,
) -> CandidateResult:
    config = {
        "recipe": {"name": recipe},
        "train": {"seed": seed, "max_seconds": seconds},
        "dataset": "captcha",
    }
    figures = {"gan_test": Value(reads), "frechet": Value(frechet), "recall": Value(0.9)}
    verdict = Verdict(tuple(faults), f"{name} has a sentence.")
    return CandidateResult(name, figures, FLOOR, verdict, 1000, 3200, facts={"run": name, "config": config})


def evaluation(results: list[CandidateResult], real: RealData) -> Evaluation:
    members = [member for entry in entries(results) for member in entry.members]
    columns = reader_measures({name: SampleReader((), suffix, name) for name, suffix in READERS})
    return Evaluation(members, {1000: FLOOR}, real, EvalConfig(), ("lenet",), {}, columns)


def test_seeds_of_one_recipe_are_one_entry_with_mean_and_spread() -> None:
    runs = [
        result(f"r{k}", 0.9 + 0.02 * k, 40 - 5 * k, seed=k, faults=["speckled"] * (k == 1)) for k in range(3)
    ]
    (entry,) = entries(runs)
    assert entry.name == "fast, 30 s: 3 seeds"
    assert [member.name for member in entry.members] == ["r2", "r1", "r0"]  # nearest first
    reads = entry.figures["gan_test"]
    assert (reads.low, reads.value, reads.high) == pytest.approx((0.90, 0.92, 0.94))
    assert present(entry.figures["frechet"].high) - entry.figures["frechet"].value == pytest.approx(5)
    assert entry.faults == ("speckled (1 of 3)",)


def test_other_lengths_recipes_seeds_and_printed_grids_stay_apart() -> None:
    runs = [
        result("a", 0.9, 40),
        result("b", 0.9, 41, seed=1, seconds=60.0),
        result("c", 0.9, 42, seed=1, recipe="draft"),
        result("d", 0.9, 43, recipe="wgan-fc"),
        result("again", 0.9, 44, recipe="wgan-fc"),  # the same seed twice is no repetition
        CandidateResult("grid", {"frechet": Value(50.0)}, FLOOR, Verdict((), "x."), 256, 256),
    ]
    assert [entry.name for entry in entries(runs)] == ["a", "b", "c", "d", "again", "grid"]


def test_one_lucky_seed_does_not_win(real: RealData) -> None:
    steady = [result(f"steady-{k}", 0.95, 30 + k, seed=k) for k in range(2)]
    lucky = [
        result("lucky", 0.97, 20, recipe="wild", seed=0),
        result("unlucky", 0.5, 90, recipe="wild", seed=1, faults=["narrow"]),
    ]
    found = evaluation([*lucky, *steady], real)
    assert [r.name for r in found.results] == ["steady-0", "steady-1", "lucky", "unlucky"]
    said = verdict_sentence(found, None)
    assert said.startswith(
        "Best of 2: steady-0 has a sentence; all 2 training seeds of its recipe come to GAN-test"
    )
    assert "GAN-test 95.0 ± 0.0 %" in said
    gone = [result(f"gone-{k}", 0.9, 5 + k, recipe="gone", seed=k, faults=["collapsed"]) for k in range(2)]
    assert entries([*gone, *steady])[-1].name.startswith("gone")


def test_the_board_fits_the_terminal_and_cuts_no_name(real: RealData) -> None:
    long = "generator-of-a-very-long-name-that-somebody-chose-20261121"
    runs = [result(f"{long}-{k}", 0.9, 1234.5 + k, recipe=f"r{k}") for k in range(2)]
    runs += [result(f"short-{k}", 0.9, 30 + k, seed=k) for k in range(2)]
    for member in runs:
        more = (
            "gan_test_judge",
            "gan_test_panel",
            "agreement",
            "gan_train",
            "coverage",
            "variance",
            "neighbour",
        )
        member.figures.update({key: Value(1.0) for key in more})
    lines = board_lines(evaluation(runs, real))
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "…" not in text
    for word in (
        "reads",
        "judge",
        "Fréchet",
        "recall",
        f"{long}-0",
        f"{long}-1",
        "  short-0",
        "± over seeds",
    ):
        assert word in text
    heads, ends = lines[0], next(line for line in lines if line.startswith(" real"))
    assert [heads.index("reads") + 5, heads.index("Fréchet") + 7] == [
        ends.index("99.9") + 4, ends.index("24.0") + 4
    ]  # fmt: skip


def test_retraining_gives_a_run_for_each_seed(
    world: PackedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_packed(tmp_path / "datasets" / "captcha" / "packed.h5", world)
    train_glyph_reader(world, tmp_path / "models", ClassifierConfig(epochs=1), "reader")

    def call(*arguments: str, code: int = 0) -> Result:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == code, (done.output, done.stderr, done.exception)
        return done

    call("train-gen", "--recipe", "wgan-fc", "--label", "--iterations", "2", "--name", "told", "--seed", "5")
    quick = ("--samples", "60", "--no-gan-train", "--no-judge", "--seeds", "2")
    for _ in range(2):  # the second time nothing is trained
        report = json.loads(call("eval", "--run", "told", *quick, "--retrain", "--json").stdout)
        (entry,) = report["entries"]
        assert sorted(entry["runs"]) == ["told", "told-seed6"]
        assert entry["training_seeds"] == 2
    values = [run["figures"]["frechet"]["value"] for run in report["leaderboard"]]
    mean = entry["figures"]["frechet"]
    assert mean["value"] == pytest.approx(np.mean(values))
    assert mean["high"] - mean["value"] == pytest.approx(np.std(values, ddof=1))
    assert values[0] != values[1]
    # All runs of the workspace: the two are grouped without being asked for.
    output = call("eval", "--all", *quick).output
    assert "wgan-fc+conditioning=concat, 2 iterations: 2 seeds" in output
    assert "± over seeds" in output
    assert "--seeds 2 or more" in call("eval", "--retrain", code=2).stderr
    assert "instead of --all" in call("eval", "--retrain", "--all", "--seeds", "2", code=2).stderr
