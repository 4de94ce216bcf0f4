"""Folders, archives and idx files made to hang a reader, to fill its memory, or with names in no encoding."""

import gzip
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from captcha_lab.datasets.archive import Archive
from captcha_lab.datasets.base import PrepareOptions, prepare
from captcha_lab.datasets.mnist import read_idx
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.files import read_file
from captcha_lab.store.listing import list_files
from captcha_lab.store.packed.packed import read_packed
from captcha_lab.store.workspace import DatasetFolder
from tests.datasets.datasets_helpers import face, write_jpeg

LATIN = os.fsdecode(b"caf\xe9")  # a name that is not UTF-8


def pictures(root: Path, *names: str) -> Path:
    for k, name in enumerate(names):
        write_jpeg(root / name, face(k, 40, 40))
    return root


def test_links_that_form_circles_are_entered_once(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", "a/1.jpg", "b/2.jpg")
    for folder in ("a", "b"):
        for k in range(12):  # as many ways as there are orders of them, if each were followed
            (root / folder / f"link{k}").symlink_to(root / "ab"[k % 2], target_is_directory=True)
    (root / "up").symlink_to(tmp_path, target_is_directory=True)
    with Archive(root) as archive:
        assert archive.names == ["a/1.jpg", "b/2.jpg"]


def test_a_linked_folder_is_followed(tmp_path: Path) -> None:
    pictures(tmp_path / "elsewhere", "1.jpg")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "cats").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert [name for name, _ in list_files(tmp_path / "set")] == ["cats/1.jpg"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipes_are_never_waited_for(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", "1.jpg")
    os.mkfifo(root / "pipe.png")
    with Archive(root) as archive:
        assert archive.names == ["1.jpg"]
    with pytest.raises(CaptchaLabError, match="no ordinary file"):
        read_file(root / "pipe.png")
    with pytest.raises(CaptchaLabError, match="no ordinary file"):
        read_file(Path(os.devnull))


def test_a_sparse_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", "1.jpg")
    with (root / "sparse.png").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(CaptchaLabError, match="larger than 64 MB"):
        read_file(root / "sparse.png")
    report = prepare("folder", root, DatasetFolder(tmp_path / "packed"))
    assert report.skipped == (("sparse.png", "larger than 64 MB"),)


def test_an_archive_that_claims_any_packed_size_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", b"x" * 1000)
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 20 : entry + 24] = struct.pack("<I", 0xFFFFFFF0)  # its size as packed
    path.write_bytes(data)
    with Archive(path) as opened, pytest.raises(CaptchaLabError, match="larger than 64 MB"):
        opened.read("a.jpg")


def test_an_idx_file_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(300):
            file.write(bytes(1 << 20))
    with pytest.raises(CaptchaLabError, match="unpacks to more than 256 MB"):
        read_idx(path, 3)


def test_empty_idx_files_are_named(tmp_path: Path) -> None:
    for prefix in ("train", "t10k"):
        images = bytes([0, 0, 8, 3]) + struct.pack(">3I", 0, 28, 28)
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(images)
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1]) + struct.pack(">I", 0))
    with pytest.raises(CaptchaLabError, match="train-labels-idx1-ubyte is empty"):
        prepare("mnist", tmp_path, DatasetFolder(tmp_path / "packed"))


def test_names_that_are_not_utf8_are_packed(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", f"{LATIN}/1.jpg", f"{LATIN}/2.jpg", f"plain/{LATIN}.jpg")
    (root / "plain" / f"{LATIN}2.jpg").write_bytes(b"no picture")
    report = prepare("folder", root, DatasetFolder(tmp_path / "packed"), PrepareOptions(size=16))
    data = read_packed(report.path)
    assert data.classes == (LATIN, "plain")
    assert data.labels is not None
    assert np.bincount(data.labels).tolist() == [2, 1]
    assert [name for name, _ in report.skipped] == [f"plain/{LATIN}2.jpg"]
