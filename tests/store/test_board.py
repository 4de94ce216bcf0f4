"""A disk that fills up while a run is logged."""

import subprocess
import sys
from pathlib import Path

import pytest

LOGGER = """
import resource, signal, sys
from pathlib import Path
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.board import Board
from captcha_lab.store.runs import Run

run = Run.create(Path(sys.argv[1]), "generator", "full", {})
board = Board(run.tensorboard, 0)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
write = {"board": lambda k: board.scalars("train", {"loss": 1.0}, k), "metrics": lambda k: run.log(iteration=k)}
try:
    for k in range(100_000):
        write[sys.argv[2]](k)
    board.close()
except CaptchaLabError as error:
    print(error)
"""


@pytest.mark.parametrize(("what", "name"), [("board", "tensorboard"), ("metrics", "metrics.jsonl")])
def test_a_full_disk_is_one_line(what: str, name: str, tmp_path: Path) -> None:
    pytest.importorskip("resource")
    pytest.importorskip("tensorboard")
    done = subprocess.run(
        [sys.executable, "-c", LOGGER, str(tmp_path), what], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith(f"Can't write {tmp_path / 'full' / name}: ")
