"""Two gloo processes do what one does with the same global batch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from captcha_lab.errors import UsageError
from captcha_lab.generate.recipes import recipes
from captcha_lab.parallel import Group
from tests.generate.parallel_worker import outcome
from tests.processes import started

# Everything that couples samples or draws numbers: batch norm in both networks, gradient penalty through batch norm,
# dropout, minibatch discrimination, feature matching, margin, encoder, wrong labels, switching, EMA.
DEFAULT = [
    "dcgan-label", "cs231n-wgan-gp", "pml-gan", "dcgan-minibatch", "dcgan-feature-matching", "magan", "mrgan",
    "slides-improved-cgan", "wdcgan-update-label", "wdcgan/r1r2", "acgan", "dcgan/spectral",
]  # fmt: skip
# In double precision, so that a wrong sum stands out from another order of sums: in single precision Adam turns a
# gradient that is zero but for rounding into a full step, in one process as in two.
TOLERANCE = 1e-6


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def two_processes(names: list[str], target: Path) -> None:
    """Two workers train together and leave what came out in a file."""
    worker = [sys.executable, "-m", "tests.generate.parallel_worker", str(target), *names]
    processes = started(worker, Path(__file__).parents[2])
    errors = [process.communicate(timeout=300)[1] for process in processes]
    for process, text in zip(processes, errors, strict=True):
        assert process.returncode == 0, text


def compare(names: list[str], folder: Path) -> None:
    two_processes(names, folder / "two.pt")
    two = torch.load(folder / "two.pt", weights_only=True)
    for name in names:
        one = outcome(name, Group())
        for mine, theirs in zip(one["figures"], two[name]["figures"], strict=True):
            assert theirs == pytest.approx(mine, rel=TOLERANCE, abs=TOLERANCE), name
        for network, tensors in one["weights"].items():
            for key, tensor in tensors.items():
                other = two[name]["weights"][network][key]
                assert torch.allclose(tensor, other, rtol=TOLERANCE, atol=TOLERANCE), (name, network, key)


def test_two_processes_equal_one(tmp_path: Path) -> None:
    compare(DEFAULT, tmp_path)


@pytest.mark.slow
def test_two_processes_equal_one_for_every_recipe(tmp_path: Path) -> None:
    compare([name for name in recipes() if not recipes()[name].replay], tmp_path)


def test_shares() -> None:
    parts = [Group(rank, 3).share(10) for rank in range(3)]
    assert [list(range(10))[part] for part in parts] == [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9]]
    assert Group(1, 2).part(8) == slice(4, 8)
    with pytest.raises(UsageError, match="A batch of 9 can't be shared by 2 processes"):
        Group(0, 2).part(9)
