"""The benchmark beside other packages, without them: pictures come back as they were, and what is missing is said."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from captcha_lab.metrics.samples.measure import measures
from scripts.benchmarks import _peer_environment, peers
from scripts.benchmarks._peer_environment import Length, SkippedError, draw, environment
from scripts.benchmarks._peer_runner import framed, pixels, unframed
from scripts.benchmarks._peer_trainers import Clock


@pytest.mark.parametrize(
    ("shape", "side"), [((20, 20), 32), ((28, 28), 32), ((32, 32), 32), ((33, 20), 64), ((64, 64, 3), 64)]
)
def test_pictures_come_back_from_the_frame(shape: tuple[int, ...], side: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    inside = framed(images)
    assert inside.shape == (5, side, side, *shape[2:])
    assert np.array_equal(unframed(inside, shape), images)


def test_the_frame_has_the_commonest_border_value() -> None:
    images = np.full((3, 20, 20), 255, np.uint8)
    images[:, 5:15, 5:15] = 0  # most of the inside does not count
    images[0, 0, :5] = 7
    assert (framed(images)[:, 0] == 255).all()


def test_grey_samples_are_the_mean_of_their_channels() -> None:
    samples = torch.tensor([0.0, 0.5, 2.0]).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    assert pixels(samples, grey=True).shape == (2, 4, 4)
    assert (pixels(samples, grey=True) == 127).all() or (pixels(samples, grey=True) == 128).all()
    assert pixels(samples, grey=False)[0, 0, 0].tolist() == [0, 128, 255]


def test_what_comes_after_the_time_is_over_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 100.0, 104.0, 111.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    clock = Clock(10)
    clock.start()
    assert [clock.over(), clock.over(), clock.over()] == [False, True, True]
    assert clock.used == 11


def test_without_the_environment_it_is_skipped_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["peers", "--environment", str(tmp_path / "none")])
    peers.main()
    said = capsys.readouterr()
    assert "--install" in said.err
    assert len(said.err.splitlines()) == 1
    assert "--install" in json.loads(said.out)["skipped"]


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for an installation")
def test_a_failed_installation_is_the_reason_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "python"
    failing.write_text('#!/bin/sh\nmkdir "$3"\necho first\necho "ERROR: no such package"\nexit 1\n')
    failing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(failing))
    with pytest.raises(SkippedError, match="installation failed: ERROR: no such package"):
        environment(tmp_path / "new", install=True)
    assert not (tmp_path / "new").exists()


def test_what_was_installed_from_other_pins_is_installed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: list[list[str]] = []
    monkeypatch.setattr(_peer_environment, "_done", run.append)
    for python in (tmp_path / "bin" / "python", tmp_path / "Scripts" / "python.exe"):
        python.parent.mkdir()
        python.touch()
    assert environment(tmp_path, install=True).is_relative_to(tmp_path)
    assert [step[-1].split("==")[0] for step in run[1:]] == ["torch", str(_peer_environment.PINS)]
    environment(tmp_path, install=True)
    assert len(run) == 3


@pytest.mark.skipif(importlib.util.find_spec("torch_mimicry") is not None, reason="the peer is there")
def test_a_peer_that_is_not_there_is_skipped_by_name() -> None:
    pictures = np.zeros((4, 20, 20), np.uint8)
    with pytest.raises(SkippedError, match="No module named 'torch_mimicry'"):
        draw(Path(sys.executable), "sngan", pictures, Length(1, 1, 4, 0))


def test_each_measure_says_who_is_ahead() -> None:
    def row(name: str, **values: Any) -> dict[str, Any]:
        return {"name": name, **values}

    done = {
        "rows": [
            row(peers.OURS, frechet=20.0, recall=0.9, gan_test=0.99, neighbour=1.2),
            row("near", frechet=10.0, recall=0.8, neighbour=0.5),
            row("near", frechet=20.0, recall=0.6, neighbour=0.5),
            row("far", frechet=90.0, recall=0.9, neighbour=1.1),
        ],
        "baseline": {"neighbour": 1.0},
    }
    said = peers.sentences(done)
    titles = [measures()[key].title for key in ("recall", "frechet", "neighbour")]
    assert [sentence.split(":")[0] for sentence in said] == titles  # reading as asked is ours alone
    assert "ahead of near (70.0); level with far (90.0)." in said[0]
    assert "ahead of far" in said[1]
    assert "behind near (15.0)." in said[1]
    assert "ahead of near" in said[2]
    assert "behind far" in said[2]
