import subprocess
import sys
from pathlib import Path

import pytest
import torch

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.runs import (
    Run,
    all_runs,
    latest_run,
    load_resume,
    load_weights,
    save_resume,
    save_weights,
)


def test_runs_of_the_same_second_get_names_of_their_own(tmp_path: Path) -> None:
    names = {Run.create(tmp_path, "generator", None, {}).name for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("generator-") for name in names)


def test_a_name_is_used_once(tmp_path: Path) -> None:
    Run.create(tmp_path, "recogniser", "mine", {"seed": 1})
    with pytest.raises(CaptchaLabError, match="named mine exists"):
        Run.create(tmp_path, "recogniser", "mine", {})
    assert Run.open(tmp_path / "mine").config()["seed"] == 1
    with pytest.raises(CaptchaLabError, match="runs there: mine"):
        Run.open(tmp_path / "other")


def test_the_newest_finished_run_of_a_kind(tmp_path: Path) -> None:
    first, second, other = (
        Run.create(tmp_path, kind, None, {}) for kind in ("recogniser", "recogniser", "generator")
    )
    assert latest_run(tmp_path, "recogniser") is None
    for run in (first, second, other):
        save_weights(run.weights, {"w": torch.ones(2)}, {"architecture": "x"})
    assert latest_run(tmp_path, "recogniser") == second
    assert all_runs(tmp_path, "generator") == [other]


def test_history_loses_a_torn_line_and_what_is_redone(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "generator", None, {})
    for step in range(5):
        run.log(step=step)
    with run.metrics.open("a") as file:
        file.write('{"step": 5, "lo')
    assert [line["step"] for line in run.history()] == [0, 1, 2, 3, 4]
    run.cut_history("step", 2)
    run.log(step=3, again=True)
    assert run.history() == [{"step": 0}, {"step": 1}, {"step": 2}, {"step": 3, "again": True}]


def test_weights_carry_their_description(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(path, {"w": torch.arange(4.0)}, {"architecture": "x", "classes": ["A", "B"], "size": 20})
    tensors, metadata = load_weights(path)
    assert torch.equal(tensors["w"], torch.arange(4.0))
    assert metadata == {"architecture": "x", "classes": ["A", "B"], "size": 20}


def test_damaged_models_are_said(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(CaptchaLabError, match="no model at"):
        load_weights(path)
    path.write_bytes(b"junk" * 10)
    with pytest.raises(CaptchaLabError, match="can't be read"):
        load_weights(path)
    save_weights(path, {"w": torch.ones(1)}, {})
    with pytest.raises(CaptchaLabError, match="not a captcha-lab model"):
        load_weights(path)


def test_checkpoints_hold_no_code(tmp_path: Path) -> None:
    path = tmp_path / "resume.pt"
    save_resume(path, {"step": 3, "rng": torch.get_rng_state(), "list": [1.5, "a"]})
    assert load_resume(path)["step"] == 3
    torch.save({"path": Path("x")}, path)  # a class that weights_only refuses
    with pytest.raises(CaptchaLabError, match="can't be read"):
        load_resume(path)
    path.write_bytes(b"")
    with pytest.raises(CaptchaLabError, match="can't be read"):
        load_resume(path)


FULL_DISK = """
import resource, signal, sys, torch
from pathlib import Path
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.runs import save_resume, save_weights

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000,) * 2)
folder, tensors = Path(sys.argv[1]), {"w": torch.zeros(100_000)}
for save in (lambda: save_weights(folder / "w", tensors, {}), lambda: save_resume(folder / "r", tensors)):
    try:
        save()
    except CaptchaLabError as error:
        print(error)
"""


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        f"Can't write {tmp_path / 'w'}",
        f"Can't write {tmp_path / 'r'}",
    ]
    assert not list(tmp_path.iterdir())
