"""Commands that torchrun starts in two processes do what one process does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from captcha_lab.store.packed import PackedSet, read_packed, write_packed

pytestmark = pytest.mark.slow
GLYPHS = (
    "train-gen", "--loss", "wgan", "--label", "--iterations", "6", "--batch-size", "8",
    "--set", 'options={"channels": 8, "hidden": 16}', "--set", "noise_size=8",
)  # fmt: skip
FACES = (
    "train-gen", "--dataset", "faces", "--recipe", "face-fast", "--iterations", "6", "--batch-size", "8",
    "--set", 'options={"channels": 4, "generator_channels": 4}',
)  # fmt: skip


def by_two(workspace: Path, *arguments: str) -> dict:
    """The JSON object that two processes print together."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    launch = (
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        str(port),
        "-m",
        "captcha_lab",
    )
    done = subprocess.run(
        [sys.executable, "-m", *launch, *arguments, "--json"],
        cwd=workspace, capture_output=True, text=True, env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(line)


def by_one(cli, workspace: Path, *arguments: str) -> dict:
    done = cli(workspace, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize("arguments", [GLYPHS, FACES], ids=["glyphs", "faces"])
def test_training(arguments: tuple[str, ...], workspace: Path, cli) -> None:
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    write_packed(
        workspace / "datasets/faces/packed.h5", PackedSet(faces, (np.arange(40) % 4 == 0).astype(np.uint8))
    )
    arguments = (*arguments, "--precision", "float32")
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


def test_generating(workspace: Path, cli) -> None:
    by_one(cli, workspace, *GLYPHS, "--name", "made")
    arguments = ("generate", "--per-class", "100", "--out")
    one = by_one(cli, workspace, *arguments, "one.h5")
    two = by_two(workspace, *arguments, "two.h5")
    assert two["count"] == one["count"]
    first, second = read_packed(workspace / "one.h5"), read_packed(workspace / "two.h5")
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.images, second.images)


def test_reading(workspace: Path, captcha_files: Path, cli) -> None:
    one = by_one(cli, workspace, "read", str(captcha_files))
    two = by_two(workspace, "read", str(captcha_files))
    assert [r["text"] for r in two["readings"]] == [r["text"] for r in one["readings"]]
    assert [r["file"] for r in two["readings"]] == [r["file"] for r in one["readings"]]
