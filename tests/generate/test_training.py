"""The loop: run folders, resuming bit for bit, interruptions, budgets, alarms."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.generate.players.streams import ArrayStream
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.recipes import get_recipe, recipes
from captcha_lab.generate.sampling.sample import load_generator
from captcha_lab.generate.training.budget import TimeBudget
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.generate.training.train import GeneratorReport, Hooks, resume, train
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.generate.watching.weights import run_layer_weights, share_at_limit
from captcha_lab.store.runs import Run, load_resume, load_weights, save_resume
from tests.generate.generator_tools import data, shrunk

QUIET: dict[str, Any] = {"evaluations": 2, "samples": 16, "tensorboard": False, "device": "cpu"}
# One of each way to train, and every part that has a state of its own.
STATEFUL = {
    "replay, EMA, cosine": lambda: shrunk(get_recipe("dcgan-replay"), ema=0.9, schedule="cosine", warmup=2),
    "dropout": lambda: shrunk(get_recipe("pml-gan")),
    "margin": lambda: shrunk(get_recipe("magan"), loss_options={"pretraining": 2, "epoch": 2}),
    "switch": lambda: shrunk(get_recipe("wdcgan-update-label"), opening=(3, 2, 1)),
    "spectral": lambda: replace(shrunk(get_recipe("dcgan-label")), options={"spectral": True, "hidden": 8}),
}


def boom(done: int, total: int, figures: dict[str, Any]) -> None:
    """Stands for a kill: after the third iteration's entry nothing more is done."""
    if done == 3:
        raise KeyboardInterrupt


def metrics(run: Path) -> list[dict[str, Any]]:
    """What a run logged, but for the clock."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def assert_equal_weights(one: Path, other: Path) -> None:
    a, b = load_weights(one)[0], load_weights(other)[0]
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", [*recipes(), *STATEFUL])
def test_state_resumes_bit_for_bit(name: str, tmp_path: Path) -> None:
    recipe = STATEFUL[name]() if name in STATEFUL else shrunk(get_recipe(name))
    whole = Trainer(recipe, data(recipe), 4, seed=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for k in range(4):
            if k == 2:
                save_resume(tmp_path / "resume.pt", whole.state())
            expected = whole.iterate()
    torch.manual_seed(77)
    other = Trainer(recipe, data(recipe), 4, seed=1)
    other.restore(load_resume(tmp_path / "resume.pt"))
    for _ in range(2):
        got = other.iterate()
    assert {k: float(v) for k, v in got.items()} == {k: float(v) for k, v in expected.items()}
    for one, two in (
        (whole.players.generator, other.players.generator),
        (whole.players.critic, other.players.critic),
    ):
        if one is not None and two is not None:
            a, b = one.state_dict(), two.state_dict()
            assert all(torch.equal(a[key], b[key]) for key in a)
    a, b = whole.players.sampling_network.state_dict(), other.players.sampling_network.state_dict()
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    recipe = shrunk(get_recipe("dcgan-label"), iterations=6)
    config = GeneratorConfig(**QUIET)
    straight = train(recipe, data(recipe), tmp_path, config, name="straight")

    often = GeneratorConfig(**QUIET, checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, data(recipe), tmp_path, often, name="killed", hooks=Hooks(progress=boom))
    run = Run.open(tmp_path / "killed")
    run.log(kind="train", iteration=5, seconds=1.0, critic_loss=9.0)  # written after the last checkpoint
    assert load_resume(run.resume)["trainer"]["iteration"] == 2
    resumed = resume(run, data(recipe))

    assert metrics(resumed.run) == metrics(straight.run)
    assert_equal_weights(resumed.run, straight.run)
    assert (resumed.best_iteration, resumed.figures) == (straight.best_iteration, straight.figures)
    assert not run.resume.exists()
    with pytest.raises(CaptchaLabError, match="killed has finished: there is nothing to resume"):
        resume(run, data(recipe))


def test_a_run_killed_before_its_first_checkpoint_begins_again(tmp_path: Path) -> None:
    recipe = shrunk(get_recipe("wgan-fc"), iterations=5)
    config = GeneratorConfig(**QUIET)
    straight = train(recipe, data(recipe), tmp_path, config, name="straight")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, data(recipe), tmp_path, config, name="killed", hooks=Hooks(progress=boom))
    assert not Run(tmp_path / "killed").resume.exists()
    resumed = resume(Run.open(tmp_path / "killed"), data(recipe))
    assert metrics(resumed.run) == metrics(straight.run)
    assert_equal_weights(resumed.run, straight.run)


def test_run_folder(tmp_path: Path) -> None:
    recipe = shrunk(get_recipe("wdcgan-label"), iterations=15)
    seen: list[int] = []
    hooks = Hooks(progress=lambda done, total, figures: seen.append(done))
    config = GeneratorConfig(evaluations=3, samples=16, device="cpu")
    report = train(recipe, data(recipe), tmp_path, config, facts={"dataset": "random"}, hooks=hooks)
    run = Run(report.run)
    assert seen == list(range(1, 16))
    assert run.config()["recipe"] == json.loads(json.dumps(recipe.as_json()))
    assert run.config()["dataset"] == "random"
    assert sorted(p.name for p in run.samples.iterdir()) == ["00000005.png", "00000010.png", "00000015.png"]
    held = np.concatenate(list(run_layer_weights(run).values()))
    assert float(np.abs(held).max()) <= recipe.clip + 1e-7
    assert share_at_limit(held, recipe.clip) > 0
    for name in (
        "critic_weights.png", "curves.png", "progress.gif", "progress.png", "summary.json", "weights.safetensors",
    ):  # fmt: skip
        assert (run.root / name).stat().st_size > 0, name
    assert list(run.tensorboard.glob("events*"))
    kinds = [line["kind"] for line in run.history()]
    assert kinds.count("train") == 15
    assert kinds.count("evaluation") == 3
    assert "wasserstein" in run.history()[0]
    assert load_generator(run.root).classes == ("0", "1", "2", "3", "4")
    assert json.loads((run.root / "summary.json").read_text())["iterations"] == 15


def test_the_switch_is_logged_and_a_penalty_has_a_histogram_too(tmp_path: Path) -> None:
    restated = shrunk(get_recipe("wdcgan-update-restated"), opening=(3, 2, 1), iterations=6)
    run = Run(run_for(restated, tmp_path).run)
    assert [line["iteration"] for line in run.history() if line["kind"] == "switch"] == [4]
    penalised = run_for(shrunk(get_recipe("wgan-fc-gp"), iterations=3), tmp_path)
    assert (penalised.run / "critic_weights.png").is_file()


def test_epochs_become_iterations(tmp_path: Path) -> None:
    recipe = shrunk(get_recipe("wgan-fc"))  # 3 critic steps of 4 images, 24 images
    assert run_for(recipe, tmp_path, epochs=2).iterations == 4
    with pytest.raises(UsageError, match="--epochs 0: give a number above 0"):
        GeneratorConfig(epochs=0)


def test_the_best_weights_are_kept_not_the_last(tmp_path: Path) -> None:
    scores = iter([0.2, 0.9, 0.5])

    def judge(samples: np.ndarray, labels: np.ndarray | None) -> dict[str, float]:
        assert samples.dtype == np.uint8
        assert labels is not None
        assert len(labels) == len(samples)
        return {"score": next(scores)}

    recipe = shrunk(get_recipe("dcgan-label"), iterations=15)
    config = GeneratorConfig(evaluations=3, samples=16, tensorboard=False, device="cpu")
    report = train(recipe, data(recipe), tmp_path, config, quality=judge)
    assert (report.best_iteration, report.figures["score"]) == (10, 0.9)
    assert load_weights(report.run)[1]["iteration"] == 10


def run_for(recipe: Recipe, folder: Path, **config: object) -> GeneratorReport:
    return train(recipe, data(recipe), folder, GeneratorConfig(**{**QUIET, **config}))


def test_a_short_run_is_not_all_evaluations(tmp_path: Path) -> None:
    for iterations, evaluations in ((2, 2), (20, 4), (60, 12)):
        report = run_for(shrunk(get_recipe("wgan-fc")), tmp_path, iterations=iterations, evaluations=20)
        assert sum(line["kind"] == "evaluation" for line in Run(report.run).history()) == evaluations


def test_time_budget_becomes_a_number_of_iterations(tmp_path: Path) -> None:
    recipe = shrunk(get_recipe("wgan-fc"), iterations=999_999)
    report = run_for(recipe, tmp_path, max_seconds=1.0, evaluations=1)
    assert 1 <= report.planned < 999_999
    assert report.iterations == report.planned
    assert Run(report.run).config()["iterations"] == report.planned


def test_measuring_leaves_no_trace(tmp_path: Path) -> None:
    """The run with a budget equals a run of as many iterations: what was measured was undone."""
    recipe = shrunk(get_recipe("dcgan-replay"), schedule="cosine", iterations=999_999)
    budgeted = run_for(recipe, tmp_path, max_seconds=0.4, evaluations=1)
    plain = run_for(recipe, tmp_path, iterations=budgeted.planned, evaluations=1)
    assert_equal_weights(budgeted.run, plain.run)
    assert metrics(budgeted.run) == metrics(plain.run)


def test_a_budget_is_kept_on_a_machine_that_becomes_slower() -> None:
    budget = TimeBudget(100.0, spent=4.0, iteration=0)
    assert budget.iterations(14.0, 100, 920, 46) == 920  # nothing is known of evaluations yet
    with budget.evaluation():
        pass
    assert budget.iterations(14.0, 100, 920, 46) == 920  # as planned: .1 s each, until 96 s
    assert budget.iterations(14.0, 100, 950, 46) == 950  # nearly as planned
    assert budget.iterations(24.0, 100, 920, 46) == pytest.approx(460, abs=1)  # .2 s each
    assert budget.iterations(9.0, 100, 920, 46) == pytest.approx(1840, abs=1)
    assert budget.iterations(99.0, 400, 920, 46) == 401  # too late already: one more, and the end
    assert TimeBudget(None, 0.0, 0).iterations(500.0, 10, 20, 5) == 20


def test_a_slow_start_leaves_time_to_train_and_a_resumed_run_gets_no_more() -> None:
    assert TimeBudget(10.0, spent=8.0, iteration=0).until == 13.0
    assert TimeBudget(10.0, spent=8.0, iteration=50).until == pytest.approx(9.6)


def test_a_run_whose_plan_was_too_long_is_shortened_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captcha_lab.generate.training.train.plan", lambda *_: (20_000, 500))
    report = run_for(shrunk(get_recipe("wgan-fc")), tmp_path, max_seconds=0.5)
    run = Run(report.run)
    (*_, last) = [line["iterations"] for line in run.history() if line["kind"] == "plan"]
    assert report.iterations == report.planned == last < run.config()["iterations"] == 20_000


def test_nan_stops_the_run_and_says_so(tmp_path: Path) -> None:
    recipe = shrunk(get_recipe("wgan-fc"), clip=0.0, optimiser="sgd", learning_rate=1e30, iterations=50)
    told: list[str] = []
    hooks = Hooks(alarm=lambda alarm: told.append(alarm.kind))
    report = train(recipe, data(recipe), tmp_path, GeneratorConfig(**QUIET), hooks=hooks)
    assert told == ["nan"]
    assert report.iterations < 50
    assert "is not a number any more" in report.alarms[0].message
    assert any(line.get("alarm") == "nan" for line in Run(report.run).history())


def test_bfloat16_trains_and_leaves_the_weights_whole(tmp_path: Path) -> None:
    recipe = shrunk(get_recipe("wdcgan-gp"), iterations=3)
    low = run_for(recipe, tmp_path, precision="bfloat16")
    high = run_for(recipe, tmp_path)
    ours, theirs = load_weights(low.run)[0], load_weights(high.run)[0]
    assert {key: t.dtype for key, t in ours.items()} == {key: t.dtype for key, t in theirs.items()}
    assert any(not torch.equal(ours[key], theirs[key]) for key in ours)
    loss, exact = (Run(report.run).history()[0]["critic_loss"] for report in (low, high))
    assert loss == pytest.approx(exact, abs=0.02)


def test_ctrl_c_saves_and_resumes(tmp_path: Path) -> None:
    recipe = shrunk(get_recipe("dcgan"), iterations=6)
    straight = train(recipe, data(recipe), tmp_path, GeneratorConfig(**QUIET), name="straight")

    def press(done: int, total: int, figures: dict[str, float]) -> None:
        if done == 4:
            os.kill(os.getpid(), signal.SIGINT)

    report = train(
        recipe, data(recipe), tmp_path, GeneratorConfig(**QUIET), name="cut", hooks=Hooks(progress=press)
    )
    assert report.interrupted
    assert report.iterations == 4
    resumed = resume(Run.open(tmp_path / "cut"), data(recipe))
    assert not resumed.interrupted
    assert metrics(resumed.run) == metrics(straight.run)
    assert_equal_weights(resumed.run, straight.run)


def test_resuming_on_other_data_is_refused(tmp_path: Path) -> None:
    recipe = shrunk(get_recipe("dcgan-label"), iterations=6)
    with pytest.raises(KeyboardInterrupt):
        train(
            recipe, data(recipe), tmp_path, GeneratorConfig(**QUIET), name="cut", hooks=Hooks(progress=boom)
        )
    larger = replace(recipe, image_shape=(1, 24, 24))
    with pytest.raises(CaptchaLabError, match=r"trained on images \(20, 20\), the data now has \(24, 24\)"):
        resume(Run.open(tmp_path / "cut"), data(larger))


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    recipe = shrunk(get_recipe("dcgan"), iterations=6)
    often = GeneratorConfig(**QUIET, checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, data(recipe), tmp_path, often, name="cut", hooks=Hooks(progress=boom))
    run = Run.open(tmp_path / "cut")
    state = load_resume(run.resume)
    del state["trainer"]["critic"]
    save_resume(run.resume, state)
    with pytest.raises(CaptchaLabError, match="does not fit this run"):
        resume(run, data(recipe))


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
import torch
torch.set_num_threads(1)
from tests.generate.generator_tools import data, shrunk
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.train import Hooks, train
recipe = shrunk(get_recipe({name!r}), iterations=400)
config = GeneratorConfig(evaluations=4, samples=16, tensorboard=False, device="cpu", checkpoint_seconds=0.05)
say = lambda done, total, figures: print(done, flush=True)
train(recipe, data(recipe), Path({folder!r}), config, name="killed", hooks=Hooks(progress=say))
"""


def killed_run(name: str, folder: Path, after: int) -> None:
    """Start training in a process of its own and kill it -9 once it has logged so many iterations."""
    code = KILLED.format(root=str(Path(__file__).parents[2]), name=name, folder=str(folder))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= after:
                process.kill()
                break
        assert process.wait() == -signal.SIGKILL


def check_kill(name: str, folder: Path, after: int) -> None:
    killed_run(name, folder, after)
    recipe = shrunk(get_recipe(name), iterations=400)
    config = GeneratorConfig(evaluations=4, samples=16, tensorboard=False, device="cpu")
    straight = train(recipe, data(recipe), folder, config, name="straight")
    resumed = resume(Run.open(folder / "killed"), data(recipe))
    assert metrics(resumed.run) == metrics(straight.run)
    assert_equal_weights(resumed.run, straight.run)


def test_kill_9(tmp_path: Path) -> None:
    check_kill("wgan-fc", tmp_path, 150)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pml-gan", "dcgan-replay", "magan", "pml-vae", "wdcgan-update-label"])
def test_kill_9_at_any_moment(name: str, tmp_path: Path) -> None:
    for k in range(3):
        folder = tmp_path / str(k)
        check_kill(name, folder, 3 + 170 * k)


@pytest.mark.slow
def test_gan_fc_as_printed_collapses_on_the_thesis_glyphs_and_is_called_so(
    shared_data: Path, tmp_path: Path
) -> None:
    """Thesis, fig. 4-10: the wallpaper, which comes with the printed loss only."""
    captchas = [cv2.imread(str(path), 0) for path in sorted((shared_data / "ustc/train").glob("*.png"))]
    glyphs = (
        np.stack([np.asarray(captcha) for captcha in captchas])
        .reshape(-1, 20, 4, 20)
        .transpose(0, 2, 1, 3)
        .reshape(-1, 20, 20)
    )
    config = GeneratorConfig(evaluations=8, samples=512, tensorboard=False, device="cpu", iterations=800)
    report = train(get_recipe("gan-fc-printed"), ArrayStream(glyphs), tmp_path, config)
    (alarm,) = [alarm for alarm in report.alarms if alarm.kind == "collapse"]
    assert "has collapsed" in alarm.message
    samples = load_generator(report.run).sample(count=64)
    assert samples.astype(float).var(0).mean() < 0.2 * glyphs.astype(float).var(0).mean()
