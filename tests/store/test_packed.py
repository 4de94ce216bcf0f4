import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.packed.packed import (
    PackedSet,
    mark_duplicates,
    open_packed,
    packed_info,
    read_packed,
    write_packed,
)


def some(count: int = 12) -> PackedSet:
    draw = np.random.default_rng(0)
    return PackedSet(
        images=draw.integers(0, 256, (count, 20, 20)).astype(np.uint8),
        split=(np.arange(count) % 3).astype(np.uint8),
        labels=(np.arange(count) % 4 - 1).astype(np.int16),
        source=np.arange(count, dtype=np.int64) * 256,
        duplicate=(np.arange(count) % 2).astype(np.uint8),
        classes=("A", "B", "C"),
        info={"dataset": "captcha", "label_revision": 4},
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    data = some()
    write_packed(tmp_path / "packed.h5", data)
    again = read_packed(tmp_path / "packed.h5")
    assert again.classes == data.classes
    assert again.info == data.info == packed_info(tmp_path / "packed.h5")
    for name in ("images", "split", "labels", "source", "duplicate"):
        np.testing.assert_array_equal(getattr(again, name), getattr(data, name))
        assert getattr(again, name).dtype == getattr(data, name).dtype
    assert again.attributes is None


def test_opening_reads_nothing_yet(tmp_path: Path) -> None:
    write_packed(tmp_path / "packed.h5", some())
    with open_packed(tmp_path / "packed.h5") as (_, facts):
        assert isinstance(facts.images, h5py.Dataset)
        assert facts.images[3:5].shape == (2, 20, 20)


def test_a_part_keeps_rows_together() -> None:
    part = some().part("train", labelled=True, distinct=True)
    assert part.source is not None
    assert part.labels is not None
    rows = part.source // 256
    assert all(row % 3 == 0 and row % 4 != 0 and row % 2 == 0 for row in rows)
    np.testing.assert_array_equal(part.images, some().images[rows])


def test_duplicates_are_told_from_the_first_split_on() -> None:
    a, b = np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)
    images = np.stack([a, a, b, b])
    np.testing.assert_array_equal(mark_duplicates(images, np.array([2, 0, 1, 1])), [1, 0, 0, 1])


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "version"])
def test_a_damaged_file_is_called_rebuildable(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "packed.h5"
    write_packed(path, some())
    whole = path.read_bytes()
    if damage == "version":
        with h5py.File(path, "r+") as file:
            file.attrs["schema_version"] = 99
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "garbage": b"x" * 100, "empty": b""}[damage])
    with pytest.raises(CaptchaLabError, match="rebuildable"):
        read_packed(path)
    assert packed_info(path) is None


def test_flipped_bits_in_the_pixels_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "packed.h5"
    data = some()
    write_packed(path, data)
    whole = bytearray(path.read_bytes())
    at = whole.find(data.images[5].tobytes())
    whole[at + 7] ^= 0xFF
    path.write_bytes(bytes(whole))
    with pytest.raises(CaptchaLabError, match="can't be read"):
        read_packed(path)


def test_a_missing_file_says_what_packs(tmp_path: Path) -> None:
    with pytest.raises(CaptchaLabError, match="captcha-lab train"):
        read_packed(tmp_path / "packed.h5")


PACKER = """
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from captcha_lab.store.packed.packed import PackedSet, write_packed
data = PackedSet(np.zeros((20000, 20, 20), np.uint8), np.zeros(20000, np.uint8))
print("ready", flush=True)
for number in range(1, 10000):
    write_packed(Path(sys.argv[1]), replace(data, info={"number": number}))
    print(number, flush=True)
"""


@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_no_half_file_is_left_by_kill_9(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "packed.h5"
    write_packed(path, replace(some(), info={"number": 0}))
    for kill in range(kills):
        with subprocess.Popen(
            [sys.executable, "-c", PACKER, str(path)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            said = [child.stdout.readline() for _ in range(1 + kill % 4)]
            child.send_signal(signal.SIGKILL)
            said += child.stdout.read().splitlines(keepends=True)
        said = [line for line in said if line.strip().isdigit() and line.endswith("\n")]
        assert read_packed(path).info["number"] >= (int(said[-1]) if said else 0)
