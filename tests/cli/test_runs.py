"""Which model a command uses, and the commands that list, pin and delete runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from captcha_lab.cli.output import size_text
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.pipeline.generators import resume_generator
from captcha_lab.pipeline.models import choose_run, dataset_of, list_runs, score_of, sort_models
from captcha_lab.store.runs import Run
from captcha_lab.store.workspace import Workspace, set_config
from tests.cli.conftest import Cli


def make_run(root: Path, name: str, right: int, trials: int = 250, **config: Any) -> Run:
    """A finished run with a validation; no network in it."""
    facts = {"created": float(len(list(root.glob("models/*")))), **config}
    kind = str(facts.pop("kind", "recogniser"))
    run = Run.create(
        root / "models", kind, name, {"data": {"dataset": "captcha", "kind": "captcha"}, **facts}
    )
    if kind == "generator":
        run.log(kind="evaluation", iteration=1, score=right / trials)
    else:
        run.log(summary=True, validation=[right / trials, 0, 1, right, trials])
    run.weights.write_bytes(b"weights")
    return run


def add_worse(workspace: Path) -> None:
    """A copy of the trained run `first`, newer and far worse by its own validation."""
    shutil.copytree(workspace / "models" / "first", workspace / "models" / "second")
    run = Run(workspace / "models" / "second")
    config = run.config() | {"created": run.config()["created"] + 60}
    (run.root / "config.json").write_text(json.dumps(config))
    Run(workspace / "models" / "first").log(summary=True, validation=[0.95, 0.9, 1, 38, 40])
    run.log(summary=True, validation=[0.2, 0.1, 0.3, 8, 40])


def test_the_best_validated_run_is_used_and_a_far_worse_newest_is_said(tmp_path: Path) -> None:
    make_run(tmp_path, "good", 249)
    make_run(tmp_path, "bad", 100)
    chosen = choose_run(Workspace(tmp_path), "recogniser")
    assert chosen is not None
    assert chosen.run.name == "good"
    assert "The newest, bad, did far worse (40.0 % of 250 glyphs)" in chosen.message
    make_run(tmp_path, "better", 250)
    chosen = choose_run(Workspace(tmp_path), "recogniser")
    assert chosen is not None
    assert chosen.message == "Model: better (the best validated recogniser: 100.0 % of 250 glyphs)."


def test_few_trials_beat_many_no_more_than_they_can(tmp_path: Path) -> None:
    make_run(tmp_path, "many", 249)
    make_run(tmp_path, "few", 3, 3)
    chosen = choose_run(Workspace(tmp_path), "recogniser")
    assert chosen is not None
    assert chosen.run.name == "many"


def test_readers_of_glyphs_and_of_texts_are_compared_by_captchas(tmp_path: Path) -> None:
    make_run(tmp_path, "glyphs", 950, 1000)  # 0.95 ** 4 is 0.81
    make_run(tmp_path, "texts", 900, 1000, reader="sequence")
    both = make_run(tmp_path, "both", 990, 1000, reader="glyph")
    both.log(summary=True, validation=[0.99, 0, 1, 990, 1000], validation_captchas=[0.5, 0, 1, 50, 100])
    chosen = choose_run(Workspace(tmp_path), "recogniser")
    assert chosen is not None
    assert chosen.run.name == "texts"
    assert "90.0 % of 1000 captchas" in chosen.message


def test_a_judge_of_glyphs_that_another_reader_cut_reads_no_captchas(tmp_path: Path) -> None:
    make_run(tmp_path, "texts", 200, reader="sequence")
    data = {"dataset": "captcha", "kind": "captcha", "segmenter": {"method": "reader", "glyphs": 5}}
    make_run(tmp_path, "cells", 250, reader="glyph", data=data)
    chosen = choose_run(Workspace(tmp_path), "recogniser")
    assert chosen is not None
    assert chosen.run.name == "texts"


def test_runs_of_the_dataset_come_first(tmp_path: Path) -> None:
    make_run(tmp_path, "digits", 250, data={"dataset": "mnist"})
    make_run(tmp_path, "glyphs", 200)
    chosen = [choose_run(Workspace(tmp_path), "recogniser", name) for name in ("captcha", "mnist", "other")]
    assert [choice.run.name if choice else None for choice in chosen] == ["glyphs", "digits", "digits"]
    assert dataset_of(Run(tmp_path / "models" / "digits")) == "mnist"


def test_a_pin_holds_for_its_kind_and_dataset(tmp_path: Path, cli: Cli) -> None:
    for name in ("good", "bad"):
        make_run(tmp_path, name, 249 if name == "good" else 100)
    make_run(tmp_path, "digits", 250, data={"dataset": "mnist"})
    make_run(tmp_path, "gan", 200, kind="generator", dataset="captcha")
    assert cli(tmp_path, "use", "bad").exit_code == 0
    assert cli(tmp_path, "use", "digits").exit_code == 0
    used = {run.name for run in list_runs(Workspace.find(tmp_path)) if run.used}
    assert used == {"bad", "digits", "gan"}
    assert cli(tmp_path, "use", "good").exit_code == 0
    assert Workspace.find(tmp_path).config.use == ("digits", "good")
    done = cli(tmp_path, "use", "--best", "--json")
    assert {run["name"] for run in json.loads(done.stdout)["used"]} == {"good", "digits", "gan"}
    assert cli(tmp_path, "use", "nosuch").exit_code == 1
    assert cli(tmp_path, "use").exit_code == 2


def test_runs_are_listed_with_score_size_and_date(tmp_path: Path, cli: Cli) -> None:
    make_run(tmp_path, "reader-1", 249)
    make_run(tmp_path, "gan-1", 200, kind="generator", dataset="captcha", recipe={"name": "wgan"})
    Run.create(tmp_path / "models", "generator", "begun", {"dataset": "captcha"})
    table = cli(tmp_path, "runs").stdout
    assert "99.6 % of 250 glyphs" in table
    assert "wgan" in table
    assert "unfinished" in table
    listed = json.loads(cli(tmp_path, "runs", "--kind", "generator", "--json").stdout)["runs"]
    assert [run["name"] for run in listed] == ["begun", "gan-1"]
    assert listed[1]["score"] == pytest.approx(0.8)
    assert "no runs" in cli(tmp_path / "models", "runs").stdout


def test_a_deleted_run_is_gone_and_no_path_can_be_deleted(tmp_path: Path, cli: Cli) -> None:
    make_run(tmp_path, "one", 249)
    make_run(tmp_path, "two", 249)
    assert cli(tmp_path, "use", "one").exit_code == 0
    assert cli(tmp_path, "rm", "one").exit_code == 2  # nobody to ask
    for wrong in ("../one", "nosuch", str(tmp_path / "models" / "one"), ".."):
        assert cli(tmp_path, "rm", "two", wrong, "--yes").exit_code == 1
    assert [run.name for run in list_runs(Workspace.find(tmp_path))] == ["two", "one"]
    assert json.loads(cli(tmp_path, "rm", "one", "--yes", "--json").stdout)["removed"] == ["one"]
    assert not (tmp_path / "models" / "one").exists()
    assert Workspace.find(tmp_path).config.use == ()


def test_read_names_its_model_and_takes_the_better_one(
    workspace: Path, captcha_files: Path, cli: Cli
) -> None:
    picture = str(next(captcha_files.iterdir()))
    first = cli(workspace, "read", picture)
    assert "Model: first (the only recogniser" in first.stderr
    add_worse(workspace)
    both = cli(workspace, "read", picture)
    assert both.stdout == first.stdout
    assert "Model: first" in both.stderr
    assert "second, did far worse" in both.stderr
    named = cli(workspace, "read", picture, "--model", "second")
    assert "Model:" not in named.stderr
    assert cli(workspace, "read", picture, "--run", "second").stdout == named.stdout  # the old spelling


def test_models_of_both_kinds_are_named_by_one_option(tmp_path: Path) -> None:
    make_run(tmp_path, "reader", 249)
    make_run(tmp_path, "other", 249)
    make_run(tmp_path, "gan", 200, kind="generator")
    workspace = Workspace(tmp_path)
    assert sort_models(workspace, ["gan", "reader"]) == (("gan",), "reader")
    assert sort_models(workspace, ["nosuch"]) == (("nosuch",), None)
    with pytest.raises(UsageError, match="reader and other are recognisers"):
        sort_models(workspace, ["reader", "other"])


def test_a_run_without_validation_has_no_score(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "recogniser", "new", {})
    assert score_of(run) is None


def test_the_configuration_is_edited_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "captcha-lab.toml"
    path.write_text('# mine\ndataset = "a" # why\nuse = [\n  "x",\n  "y",\n]\ncontact = "me@example.org"\n')
    workspace = Workspace.find(tmp_path)
    assert workspace.config.use == ("x", "y")
    workspace = set_config(workspace, "use", ("z",))
    assert path.read_text() == '# mine\ndataset = "a" # why\nuse = ["z"]\ncontact = "me@example.org"\n'
    workspace = set_config(workspace, "length", 5)
    workspace = set_config(workspace, "use", None)
    assert (workspace.config.use, workspace.config.length) == ((), 5)
    assert path.read_text() == '# mine\ndataset = "a" # why\ncontact = "me@example.org"\nlength = 5\n'
    for key, value in (("nosuch", 1), ("length", -1), ("dataset", "a/b"), ("alphabet", "AA")):
        with pytest.raises((UsageError, CaptchaLabError)):
            set_config(workspace, key, value)
    assert Workspace.find(tmp_path).config == workspace.config


def test_sizes() -> None:
    assert [size_text(n) for n in (0, 999, 1500, 2_500_000, 10**13)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "2.5 MB",
        "10000.0 GB",
    ]


ODD: dict[str, tuple[object, ...]] = {
    "kind": (5, None, ["generator"]),
    "created": ("x", None, 10**400, float("nan"), float("inf"), True),
    "data": (5, float("inf"), ["x"], {"dataset": 5}, {"segmenter": 5}, {"segmenter": {"glyphs": "x"}}),
    "train": (None, 5, {"seed": "x"}, {"device": 5}),
    "recipe": (5, ["x"]),
    "dataset": (5, ["x"]),
    "attributes": (5, [5]),
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in ODD.items() for value in values])
def test_a_run_whose_facts_are_of_other_types_hinders_no_other(
    key: str, value: object, tmp_path: Path
) -> None:
    make_run(tmp_path, "sound", 249)
    odd = make_run(tmp_path, "odd", 250)
    (odd.root / "config.json").write_text(json.dumps(odd.config() | {key: value}))
    workspace = Workspace(tmp_path)
    assert [facts.name for facts in list_runs(workspace)] == ["sound"]
    with pytest.raises(CaptchaLabError, match=r"is no run's: \w"):
        odd.config()


@pytest.mark.parametrize("value", ["x", None, [], {}, 10**400, True])
def test_figures_that_are_no_numbers_are_no_figures(value: object, tmp_path: Path) -> None:
    run = make_run(tmp_path, "odd", 250, kind="generator")
    for key in ("iteration", "score", "train_loss", "seconds"):
        run.log(kind="evaluation", **{"iteration": 2, "score": 0.5, key: value})
    run.log(summary=True, validation=value)
    assert score_of(run) == score_of(make_run(tmp_path, "sound", 250, kind="generator"))
    run.cut_history("iteration", 1)
    assert all("iteration" not in line or line["iteration"] <= 1 for line in run.history())


@pytest.mark.parametrize("key", ["train", "recipe", "dataset", "attributes", "judge"])
def test_a_generators_run_that_lacks_a_fact_is_not_resumed(key: str, tmp_path: Path) -> None:
    facts: dict[str, Any] = {
        "recipe": {},
        "train": {"device": "cpu", "seed": 0},
        "dataset": "x",
        "attributes": [],
        "judge": "",
    }
    make_run(tmp_path, "odd", 250, kind="generator", **{k: v for k, v in facts.items() if k != key})
    with pytest.raises(CaptchaLabError, match=f"says no {key}"):
        resume_generator(Workspace(tmp_path), "odd")
