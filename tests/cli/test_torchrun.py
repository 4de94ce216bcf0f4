"""Commands that torchrun starts in two processes do what one process does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from captcha_lab.store.packed.packed import PackedSet, read_packed, write_packed
from captcha_lab.store.runs import Run, load_resume
from tests.cli.conftest import Cli
from tests.processes import free_port, started

pytestmark = pytest.mark.slow
PROGRAM = (sys.executable, "-m", "captcha_lab")
GLYPHS = (
    "train-gen", "--recipe", "wdcgan-label", "--iterations", "6", "--batch-size", "8",
    "--set", 'options={"channels": 8, "hidden": 16}', "--set", "noise_size=8",
)  # fmt: skip
FACES = (
    "train-gen", "--dataset", "faces", "--recipe", "face-fast", "--iterations", "6", "--batch-size", "8",
    "--set", 'options={"channels": 4, "generator_channels": 4}',
)  # fmt: skip

WHOLE = (
    "train-gen", "--whole", "--iterations", "6", "--batch-size", "8",
    "--set", 'options={"generator": [8], "critic": [8], "scene": [8], "embedding": 4}',
)  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code, and what was said."""
    try:
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    return process.returncode, said


def until_logged(metrics: Path, pair: list[subprocess.Popen[str]]) -> None:
    """Wait until the run of two processes has logged something."""
    for _ in range(3000):
        if metrics.is_file() and metrics.read_text():
            return
        assert all(process.poll() is None for process in pair), [ended(process) for process in pair]
        time.sleep(0.1)
    raise AssertionError(f"{metrics} does not grow")


def by_two(workspace: Path, *arguments: str) -> dict[str, Any]:
    """The JSON object that two processes print together."""
    done = torchrun(workspace, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    figures: dict[str, Any] = json.loads(line)
    return figures


def torchrun(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Two processes, as a user starts them."""
    launch = (
        "torch.distributed.run", "--nproc-per-node", "2", "--master-port", free_port(), "-m", "--", "captcha_lab",
    )  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", *launch, *arguments],
        cwd=workspace, capture_output=True, text=True, env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"}, check=False,
    )  # fmt: skip


def by_one(cli: Cli, workspace: Path, *arguments: str) -> dict[str, Any]:
    done = cli(workspace, *arguments, "--json")
    assert done.exit_code == 0, done.output
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


@pytest.mark.parametrize("arguments", [GLYPHS, FACES, WHOLE], ids=["glyphs", "faces", "whole"])
def test_training(arguments: tuple[str, ...], workspace: Path, cli: Cli) -> None:
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    write_packed(
        workspace / "datasets/faces/packed.h5", PackedSet(faces, (np.arange(40) % 4 == 0).astype(np.uint8))
    )
    arguments = (*arguments, "--precision", "float32")
    by_one(cli, workspace, "train", "--reader", "sequence", "--steps", "1")  # it judges whole captchas
    one = by_one(cli, workspace, *arguments, "--name", "one")
    two = by_two(workspace, *arguments, "--name", "two")
    assert two["iterations"] == one["iterations"] == 6
    histories = [
        [
            json.loads(text)
            for text in (workspace / "models" / name / "metrics.jsonl").read_text().splitlines()
        ]
        for name in ("one", "two")
    ]
    for mine, theirs in zip(*histories, strict=True):
        if mine["kind"] == "train":
            assert theirs["critic_loss"] == pytest.approx(mine["critic_loss"], abs=2e-3)


TEXTS = ("train", "--reader", "sequence", "--batch-size", "8", "--steps", "6")


def history(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("reader", ["sequence", "glyph"])
def test_a_reader_learns_in_two_processes(reader: str, workspace: Path, cli: Cli) -> None:
    arguments = ("train", "--reader", reader, "--batch-size", "8", "--steps", "6", "--epochs", "2")
    before = {path.name for path in (workspace / "models").iterdir()}
    one = by_one(cli, workspace, *arguments, "--name", "one")
    two = by_two(workspace, *arguments, "--name", "two")
    assert two["chosen"]["run"] == {"root": str(workspace / "models/two")}
    assert {path.name for path in (workspace / "models").iterdir()} == {*before, "one", "two"}
    mine, theirs = (history(workspace / "models" / name) for name in ("one", "two"))
    assert [line.get("step") for line in mine] == [line.get("step") for line in theirs]
    assert list((workspace / "models/two/tensorboard").glob("events*"))
    assert two["chosen"]["validation"]["trials"] == one["chosen"]["validation"]["trials"]


def test_a_killed_reader_training_goes_on(workspace: Path) -> None:
    run = workspace / "models/long"
    arguments = ("train", "--reader", "sequence", "--batch-size", "8", "--steps", "3000", "--name", "long")
    for _ in range(2):  # the first process killed, then the second
        pair = started([*PROGRAM, *arguments], workspace)
        until_saved(run)
        pair[0].kill()
        code, said = ended(pair[1])
        ended(pair[0])
        assert code == 1, said
        assert said.count("Error: Another process of this job has ended") == 1
        assert "same command and --name" in " ".join(said.split())
        assert "Traceback" not in said
    reached = load_resume(next(run.glob("resume-*.pt")))["state"]["step"]
    assert reached > 0


def until_saved(run: Path) -> None:
    """Wait until a reader's training has kept a checkpoint that goes beyond the last one."""

    def saved() -> set[int]:
        return {path.stat().st_mtime_ns for path in run.glob("resume-*.pt")}

    before = saved()
    for _ in range(3000):
        if saved() - before:
            return
        time.sleep(0.1)
    raise AssertionError(f"{run} keeps no checkpoint")


LONG = (*GLYPHS, "--iterations", "4000", "--evaluations", "2", "--name", "long")


def test_terminated_processes_save_and_a_killed_one_ends_the_other(workspace: Path) -> None:
    run = workspace / "models/long"
    pair = started([*PROGRAM, *LONG], workspace)
    until_logged(run / "metrics.jsonl", pair)
    for process in pair:
        process.send_signal(signal.SIGTERM)
    (first, said), (second, silent) = (ended(process) for process in pair)
    assert (first, second) == (130, 130), said + silent
    assert "continue with `captcha-lab train-gen --resume long`" in said
    assert "resume" not in silent
    assert (run / "resume.pt").is_file()

    # Not by `load_resume`, which keeps the run for this process.
    reached = torch.load(run / "resume.pt", weights_only=True)["trainer"]["iteration"]
    for killed in (1, 0):
        (run / "metrics.jsonl").unlink()  # what is logged from now on shows that training goes on
        pair = started([*PROGRAM, "train-gen", "--resume", "long"], workspace)
        until_logged(run / "metrics.jsonl", pair)
        pair[killed].kill()
        code, said = ended(pair[1 - killed])
        ended(pair[killed])
        assert code == 1, said
        assert said.count("Error: Another process of this job has ended") == 1
        assert "--resume RUN" in said
        assert "Traceback" not in said
        assert Run(run).history()[0]["iteration"] > reached > 0


def test_what_is_wrong_for_all_is_said_once(workspace: Path) -> None:
    for arguments in (
        ("generate", "--run", "ghost"),
        ("generate", "--grid", "--out", "g.h5"),
        ("read", "nofile"),
        ("train-gen", "--recipe", "ghost"),
    ):
        done = torchrun(workspace, *arguments)
        assert done.returncode != 0
        said = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        assert len(said) == 1, done.stderr


def test_generating(workspace: Path, cli: Cli) -> None:
    by_one(cli, workspace, *GLYPHS, "--name", "made")
    arguments = ("generate", "--per-class", "100", "--out")
    one = by_one(cli, workspace, *arguments, "one.h5")
    two = by_two(workspace, *arguments, "two.h5")
    assert two["count"] == one["count"]
    first, second = read_packed(workspace / "one.h5"), read_packed(workspace / "two.h5")
    np.testing.assert_array_equal(first.labels, second.labels)
    # To a grey level: with another number of threads sums may round otherwise.
    assert np.abs(first.images.astype(int) - second.images).max() <= 1


def test_reading(workspace: Path, captcha_files: Path, cli: Cli) -> None:
    one = by_one(cli, workspace, "read", str(captcha_files))
    two = by_two(workspace, "read", str(captcha_files))
    assert [r["text"] for r in two["readings"]] == [r["text"] for r in one["readings"]]
    assert [r["file"] for r in two["readings"]] == [r["file"] for r in one["readings"]]
