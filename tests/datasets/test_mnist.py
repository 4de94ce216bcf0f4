"""MNIST: the embedded digits, the official layout, and damaged files."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from captcha_lab.datasets.base import PrepareOptions, dataset_module, dataset_names, ensure_packed, prepare
from captcha_lab.datasets.mnist import read_idx
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.packed.packed import read_packed
from captcha_lab.store.workspace import DatasetFolder


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


@pytest.fixture
def official(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for prefix, n in (("train", 40), ("t10k", 10)):
        write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", rng.integers(0, 256, (n, 28, 28), np.uint8))
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", rng.integers(0, 10, n, np.uint8))
    return folder


def test_embedded_digits_are_packed_when_nothing_is_there(tmp_path: Path) -> None:
    folder = DatasetFolder(tmp_path / "mnist")
    report = ensure_packed("mnist", folder)
    assert report is not None
    assert report.pictures == 1797
    assert ensure_packed("mnist", folder) is None
    data = read_packed(folder.packed_path)
    assert data.images.shape == (1797, 28, 28)
    assert data.images.max() == 255
    assert data.labels is not None
    assert set(np.unique(data.labels)) == set(range(10))
    assert report.splits == {"train": 1797 - 360, "validation": 180, "test": 180}


def test_official_test_digits_stay_test(official: Path, tmp_path: Path) -> None:
    report = prepare("mnist", official, DatasetFolder(tmp_path / "m"))
    data = read_packed(report.path)
    assert (data.split[40:] == 2).all()
    assert (data.split[:40] != 2).all()
    assert report.splits["validation"] == 4
    assert np.array_equal(data.images[:40], read_idx(official / "train-images-idx3-ubyte.gz", 3))


def test_other_sizes(official: Path, tmp_path: Path) -> None:
    report = prepare("mnist", official, DatasetFolder(tmp_path / "m"), PrepareOptions(size=32))
    assert report.image_shape == (32, 32)


@pytest.mark.parametrize("damage", ["cut", "absent", "text", "mismatch"])
def test_damaged_files_are_named(official: Path, tmp_path: Path, damage: str) -> None:
    path = official / "t10k-labels-idx1-ubyte.gz"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-5])
    elif damage == "absent":
        path.unlink()
    elif damage == "text":
        path.write_text("not an idx file")
    else:
        write_idx(path, np.zeros(9, np.uint8))
    with pytest.raises(CaptchaLabError, match="t10k-labels-idx1-ubyte"):
        prepare("mnist", official, DatasetFolder(tmp_path / "m"))
    assert not (tmp_path / "m" / "packed.h5").exists()


def test_a_file_is_no_folder(official: Path, tmp_path: Path) -> None:
    with pytest.raises(CaptchaLabError, match=r"ubyte\.gz is no folder: give the folder"):
        prepare("mnist", official / "t10k-labels-idx1-ubyte.gz", DatasetFolder(tmp_path / "m"))


def test_unknown_module_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="celeba, folder, lfw, mnist"):
        dataset_module("imagenet")
    assert {"celeba", "folder", "lfw", "mnist"} <= set(dataset_names())


def test_real_mnist(shared_data: Path, tmp_path: Path) -> None:
    report = prepare("mnist", shared_data / "mnist", DatasetFolder(tmp_path / "m"))
    assert report.splits == {"train": 55000, "validation": 5000, "test": 10000}
