"""The peers' own environment: made on request, and one peer trained in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captcha_lab.cli.output import say
from captcha_lab.text import printable

ROOT = Path(__file__).resolve().parents[2]
PINS = ROOT / "scripts" / "constraints-peers.txt"
FOLDER = ROOT / ".venv-peers"
GRACE = 3 * 3600.0  # seconds beside those of training: for loading, the last step and drawing samples
INSTALLED = "installed-from"


class SkippedError(Exception):
    """Why peers, or one of them, can't be measured here: one line."""


@dataclass(frozen=True)
class Drawn:
    """What a peer's process brought back."""

    samples: NDArray[np.uint8]
    iterations: int
    seconds: float
    sampling_seconds: float


@dataclass(frozen=True)
class Length:
    """How long, on how many threads and with which seed a peer is trained, and how many samples are drawn."""

    seconds: float
    threads: int
    samples: int
    seed: int


def environment(folder: Path, install: bool) -> Path:
    """The Python of the peers' environment, which is filled first where that is asked for and was not done.

    Raises:
        SkippedError: it is not there, or the installation failed.
    """
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if install and not _filled(folder):
        _fill(folder, python)
    if not python.is_file():
        raise SkippedError(
            "the peers are not installed; --install puts them into an environment of their own"
        )
    return python


def _filled(folder: Path) -> bool:
    mark = folder / INSTALLED
    return mark.is_file() and mark.read_bytes() == PINS.read_bytes()


def _fill(folder: Path, python: Path) -> None:
    new = not folder.exists()
    say(f"Installing the peers into {folder} (some minutes) …")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    torch = next(line for line in PINS.read_text().splitlines() if line.startswith("torch=="))
    steps = (
        [sys.executable, "-m", "venv", str(folder)],
        # torch by its exact version first: a bare requirement may resolve to a build with gigabytes of GPU libraries.
        [*pip, "--constraint", str(PINS), torch],
        [*pip, "--no-deps", "--requirement", str(PINS)],
    )
    try:
        for step in steps:
            _done(step)
    except SkippedError as error:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise SkippedError(f"the installation failed: {error}") from error
    (folder / INSTALLED).write_bytes(PINS.read_bytes())


def _done(command: list[str], timeout: float | None = None, variables: dict[str, str] | None = None) -> None:
    """Run a command to its end.

    Raises:
        SkippedError: it failed; the message is its last line.
    """
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=variables, timeout=timeout, check=False, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise SkippedError(f"it did not end within {timeout:.0f} s") from error
    except OSError as error:
        raise SkippedError(error.strerror or str(error)) from error
    if done.returncode:
        lines = done.stdout.strip().splitlines()
        raise SkippedError(printable(lines[-1].strip()) if lines else f"exit status {done.returncode}")


def draw(python: Path, name: str, images: NDArray[np.uint8], length: Length) -> Drawn:
    """Train a peer on pictures, on the processor, and draw samples of it.

    Args:
        python: of the peers' environment.
        name: one of `_peer_trainers.PEERS`.
        images: uint8 [N, H, W] or [N, H, W, 3].
        length: see `Length`.

    Raises:
        SkippedError: its process failed.
    """
    threads = str(length.threads)
    # Nobody sees the GPU, which not every peer could use, and nobody's libraries start threads of their own.
    only = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    with tempfile.TemporaryDirectory() as place:
        data, out = Path(place) / "data.npz", Path(place) / "samples.npz"
        np.savez(data, images=images)
        command = [
            str(python), "-m", "scripts.benchmarks._peer_runner", name, "--data", str(data), "--out", str(out),
            "--seconds", str(length.seconds), "--threads", threads, "--samples", str(length.samples),
            "--seed", str(length.seed),
        ]  # fmt: skip
        _done(command, length.seconds + GRACE, {**os.environ, **only})
        with np.load(out) as found:
            return Drawn(
                found["samples"],
                int(found["iterations"]),
                float(found["seconds"]),
                float(found["sampling_seconds"]),
            )
