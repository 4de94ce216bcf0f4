"""Damage is always one clear line, and never a silently wrong result."""

import os
import random
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from captcha_lab.collect.exchange.arrays import read_arrays
from captcha_lab.datasets.base import PrepareOptions, prepare
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import write_image
from captcha_lab.store.packed import seal
from captcha_lab.store.packed.bare import read_journal
from captcha_lab.store.packed.packed import PackedSet, packed_info, read_packed, write_packed
from captcha_lab.store.packed.rows import RowReader
from captcha_lab.store.packed.safe import open_hdf5, read_strings
from captcha_lab.store.workspace import DatasetFolder


def packed_set() -> PackedSet:
    rng = np.random.default_rng(0)
    return PackedSet(
        rng.integers(0, 256, (30, 8, 8), np.uint8),
        np.arange(30, dtype=np.uint8) % 3,
        labels=(np.arange(30) % 4).astype(np.int16),
        source=np.arange(30, dtype=np.int64),
        duplicate=np.zeros(30, np.uint8),
        classes=tuple("abcd"),
        info={"dataset": "x"},
    )


@pytest.fixture(scope="module", params=["library", "bare", "with gaps"])
def packed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("packed")
    if request.param == "library":
        write_packed(root / "packed.h5", packed_set())
        return root / "packed.h5"
    rng = np.random.default_rng(0)
    for k in range(30):
        write_image(root / "set" / "ab"[k % 2] / f"{k:02d}.png", rng.integers(0, 256, (9, 9, 3), np.uint8))
    if request.param == "with gaps":
        (root / "set" / "a" / "10.png").write_bytes(b"no picture")
    prepare("folder", root / "set", DatasetFolder(root), PrepareOptions(size=8, crop="none"))
    return root / "packed.h5"


def everything(path: Path) -> list[object]:
    data = read_packed(path)
    with RowReader(path) as rows:
        drawn = rows.read(np.arange(len(rows)))
    columns = (data.images, data.split, data.labels, data.source, data.duplicate, drawn)
    facts = [data.classes, data.attribute_names, data.info]
    return [*facts, *(None if c is None else (c.dtype.str, c.tobytes()) for c in columns)]


def test_a_flipped_bit_anywhere_in_a_packed_set_is_said_or_harmless(packed: Path, tmp_path: Path) -> None:
    whole, sound = packed.read_bytes(), everything(packed)
    rng = random.Random(0)
    said = 0
    for _ in range(250):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path = tmp_path / "packed.h5"
        path.write_bytes(data)
        try:
            assert everything(path) == sound  # a byte that means nothing
        except CaptchaLabError as error:
            said += "can't be read" in str(error) and "rebuildable" in str(error)
        packed_info(path)  # never raises
    assert said > 20


def test_a_packed_set_without_checksums_is_still_read(packed: Path, tmp_path: Path) -> None:
    path = tmp_path / "packed.h5"
    path.write_bytes(packed.read_bytes())
    with h5py.File(path, "r+") as file:
        if "crc" in file:
            del file["crc"]
    assert b"captcha-lab seal" not in path.read_bytes()  # the library cut it off
    assert everything(path) == everything(packed)


def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret.bin"
    path.write_bytes(b"very secret text" * 4)
    return path


def hostile(path: Path, kind: str, secret: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["alphabet"] = "ab"
        for name in ("texts", "splits"):
            file.create_dataset(name, data=["ab"], dtype=h5py.string_dtype())
        if kind == "external storage":
            file.create_dataset("images", (1, 8, 8), "u1", external=[(str(secret), 0, 64)])
        elif kind == "external link":
            with h5py.File(secret.with_suffix(".h5"), "w") as other:
                other["x"] = np.zeros((1, 8, 8), np.uint8)
            file["images"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "x")
        elif kind == "soft link":
            file["real"] = np.zeros((1, 8, 8), np.uint8)
            file["images"] = h5py.SoftLink("/real")
        elif kind == "virtual":
            with h5py.File(secret.with_suffix(".h5"), "w") as other:
                other["x"] = np.zeros((8, 8), np.uint8)
            layout = h5py.VirtualLayout((1, 8, 8), "u1")
            layout[0] = h5py.VirtualSource(str(secret.with_suffix(".h5")), "x", (8, 8))
            file.create_virtual_dataset("images", layout)
        elif kind == "inside a group":
            file.create_group("images").create_dataset("0", (8, 8), "u1", external=[(str(secret), 0, 64)])
        else:
            file.create_dataset("images", (100_000, 1000, 1000), "u1", chunks=(1, 1000, 1000))


KINDS = ("external storage", "external link", "soft link", "virtual", "inside a group", "a hundred gigabytes")


@pytest.mark.parametrize("kind", KINDS)
def test_a_strangers_hdf5_reads_no_other_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "captchas.h5"
    hostile(path, kind, secret_file(tmp_path))
    with pytest.raises(CaptchaLabError, match=r"never|more than the file can hold"):
        read_arrays(path)
    with pytest.raises(CaptchaLabError, match=r"never|more than the file can hold"), open_hdf5(path):
        pass


def test_a_group_that_holds_itself_is_walked_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["again"] = file["/"]
        file["again/x"] = 1
    with open_hdf5(tmp_path / "a.h5") as file:
        assert file["x"][()] == 1


def export(path: Path, **changed: object) -> None:
    """An export of two captchas with something changed, as another program may write it."""
    values: dict[str, object] = {
        "images": np.zeros((2, 4, 6), np.uint8),
        "texts": ["ab", "ba"],
        "splits": ["", ""],
    }
    with h5py.File(path, "w") as file:
        file.attrs["alphabet"] = "ab"
        for name, value in (values | changed).items():
            strings = isinstance(value, list) and value and isinstance(value[0], str)
            file.create_dataset(name, data=value, dtype=h5py.string_dtype() if strings else None)


CHANGED: dict[str, dict[str, object]] = {
    "fewer images": {"images": np.zeros((1, 4, 6), np.uint8)},
    "more texts": {"texts": ["a", "b", "c"]},
    "fewer checksums": {"sha256": ["0"]},
    "more lengths": {"length": np.zeros(5, np.int32)},
    "numbers for texts": {"texts": np.zeros(2)},
    "no images at all": {"images": h5py.Empty("u1")},
}


@pytest.mark.parametrize("what", CHANGED)
def test_arrays_that_do_not_fit_each_other_are_one_error(what: str, tmp_path: Path) -> None:
    export(tmp_path / "a.h5", **CHANGED[what])
    with pytest.raises(CaptchaLabError, match="can't be read as an export"):
        read_arrays(tmp_path / "a.h5")


@pytest.mark.parametrize("shape", [(2, 4, 6, 7), (2,), (2, 0, 6), (2, 1, 70_000), (2, 3000, 3000)])
def test_arrays_that_are_no_pictures_are_refused_one_by_one(shape: tuple[int, ...], tmp_path: Path) -> None:
    export(tmp_path / "a.h5", images=np.zeros(shape, np.uint8))
    for item in read_arrays(tmp_path / "a.h5"):
        with pytest.raises(CaptchaLabError, match=r"not an image|not taken"):
            item.load()


def test_many_rows_that_name_one_long_text_take_no_more_memory_than_it(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    rows = 20_000
    with h5py.File(path, "w") as file:
        texts = file.create_dataset("texts", (rows,), h5py.string_dtype())
        texts[0] = "A" * 1_000_000
        file.flush()
        at = texts.id.get_offset()
    data = path.read_bytes()
    path.write_bytes(data[:at] + data[at : at + 16] * rows + data[at + 16 * rows :])
    with pytest.raises(CaptchaLabError, match="longer than any"), open_hdf5(path) as file:
        read_strings(file["texts"])


def test_a_pipe_is_never_waited_for(tmp_path: Path) -> None:
    for name in ("a.h5", "a.mat"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(CaptchaLabError, match="no ordinary file"):
            read_arrays(tmp_path / name)


def test_a_file_that_crashes_the_library_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "_PROBE", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    export(tmp_path / "a.h5")
    with pytest.raises(CaptchaLabError, match="crashes the library"):
        read_arrays(tmp_path / "a.h5")


def strings(file: h5py.File, name: str, rows: int, **options: object) -> None:
    file.create_dataset(name, (rows,), h5py.string_dtype(), **options)


def linked_images(file: h5py.File) -> None:
    group = file.create_group("images")
    group["0"] = np.zeros((8, 8), np.uint8)
    for k in range(1, 400):
        group[f"{k}"] = group["0"]


def claimed_images(file: h5py.File) -> None:
    for k in range(100):
        file.create_dataset(f"images/{k}", (6000, 10_000), "u1", chunks=(1000, 1000), fillvalue=7)


HDF5_BOMBS: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "one picture under many names": (linked_images, "second name"),
    "many pictures that are not there": (claimed_images, "more than the file can hold"),
    "a long text that fills all rows": (
        lambda file: strings(file, "texts", 50_000, chunks=(1000,), fillvalue="A" * 60_000),
        "longer than any",
    ),
    "millions of texts that are not there": (
        lambda file: strings(file, "texts", 4_000_000, chunks=(1000,)),
        "more than the file can hold",
    ),
    "a chunk of gigabytes": (
        lambda file: file.create_dataset("images", (2, 30, 90), "u1", chunks=(1, 30_000, 60_000), maxshape=(None,) * 3),
        "chunks of more",
    ),
    "rows of any length": (
        lambda file: file.create_dataset("images", (9,), h5py.vlen_dtype(np.uint8)),
        "neither numbers nor texts",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", HDF5_BOMBS)
def test_a_small_hdf5_file_takes_little_memory(what: str, tmp_path: Path) -> None:
    make, said = HDF5_BOMBS[what]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        make(file)
    assert (tmp_path / "a.h5").stat().st_size < 200_000
    with pytest.raises(CaptchaLabError, match=said), open_hdf5(tmp_path / "a.h5") as file:
        read_strings(file["texts"])


def element(kind: int, body: bytes) -> bytes:
    return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)


def mat_array(kind: int, shape: tuple[int, int], body: bytes, name: bytes = b"") -> bytes:
    head = element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack("<ii", *shape)) + element(1, name)
    return element(14, head + body)


def packed_array(kind: int, shape: tuple[int, int], body: bytes, name: bytes) -> bytes:
    data = zlib.compress(mat_array(kind, shape, body, name))
    return struct.pack("<II", 15, len(data)) + data


def nested(depth: int) -> bytes:
    """Cells inside of cells; each level only puts its head in front, so that it stays linear."""
    inner = mat_array(6, (1, 1), element(9, bytes(8)))
    heads: list[bytes] = []
    for _ in range(depth):
        inner_size = len(inner) + sum(map(len, heads))
        head = element(6, struct.pack("<II", 1, 0)) + element(5, struct.pack("<ii", 1, 1)) + element(1, b"")
        heads.append(struct.pack("<II", 14, len(head) + inner_size) + head)
    return b"".join(reversed(heads)) + inner


MAT_FILES = {
    "cells in cells in cells": mat_array(1, (1, 1), nested(30_000), b"images"),
    "two billion cells": mat_array(1, (2**31 - 1, 1), b"", b"images"),
    "a negative size": mat_array(9, (-1, 5), element(2, b"a"), b"images"),
    "a sparse array": mat_array(5, (10**6, 10**6), b"", b"images"),
    "an object": mat_array(3, (1, 1), b"", b"images"),
    "a bomb": element(15, zlib.compress(bytes(200 << 20))),
    "a million texts of a character": packed_array(4, (10**6, 1), element(16, b"a" * 10**6), b"alphabet"),
    "a million pictures of a pixel": packed_array(9, (10**6, 1), element(2, bytes(10**6)), b"images"),
    "a million empty cells": packed_array(1, (10**6, 1), struct.pack("<II", 14, 0) * 10**6, b"texts"),
    "a million texts in a cell": packed_array(
        1, (1, 1), mat_array(4, (10**6, 1), element(16, b"a" * 10**6)), b"texts"
    ),
}


@pytest.mark.parametrize("what", MAT_FILES)
def test_a_hostile_mat_file_is_refused_before_scipy_sees_it(what: str, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + MAT_FILES[what])
    with pytest.raises(CaptchaLabError, match=r"no array|claims more|unpacks to more|cells|numbers or text"):
        read_arrays(tmp_path / "a.mat")


def test_a_damaged_journal_of_packing_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    lines = [
        '{"fingerprint": "f"}',
        '[0, 5, {}, {}, "00", "0"]',
        "[1, 2]",
        '["x", 5, {}, {}, "", ""]',
        '[2, 5, [], {}, "", ""]',
        "[" * 100_000,
        "null",
        '[3, 5, {"1": "why"}, {"grey": 2}, "0011223344556677", "00112233"]',
    ]
    path.write_bytes("\n".join(lines).encode() + b"\n\xff\xfe[4,")
    head, shards = read_journal(path)
    assert head == {"fingerprint": "f"}
    assert list(shards) == [3]
    assert sys.getrecursionlimit() < 100_000
