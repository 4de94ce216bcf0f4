"""Packing jobs: resumed after a kill, refused by a full disk, never half, one at a time."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from captcha_lab.datasets import packing
from captcha_lab.datasets.base import PrepareOptions, prepare
from captcha_lab.datasets.pictures import frame
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.packed import sharded
from captcha_lab.store.packed.packed import read_packed
from captcha_lab.store.packed.rows import RowReader
from captcha_lab.store.packed.sharded import ShardedWriter
from captcha_lab.store.workspace import DatasetFolder
from tests.datasets.datasets_helpers import face, write_jpeg

OPTIONS = PrepareOptions(size=32, workers=2)


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sharded, "SHARD_BYTES", 3 * 32 * 32 * 3)  # three pictures a shard
    root = tmp_path / "pictures"
    for k in range(20):
        write_jpeg(root / f"{k:03d}.jpg", face(k, 60, 50))
    (root / "020.jpg").write_bytes((root / "000.jpg").read_bytes())
    (root / "bad.jpg").write_text("no picture")
    return root


def left_behind(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def test_interrupted_jobs_resume_to_the_same_file(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepare("folder", pictures, DatasetFolder(tmp_path / "a"), OPTIONS)
    opened: list[str] = []
    real = frame

    def counted(data: bytes, *rest: object) -> str:
        opened.append("")
        if len(opened) == 10:
            raise KeyboardInterrupt
        return real(data, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(packing, "frame", counted)
    folder = DatasetFolder(tmp_path / "b")
    with pytest.raises(KeyboardInterrupt):
        prepare("folder", pictures, folder, OPTIONS)
    assert not folder.packed_path.exists()
    opened[:] = [""] * 100
    report = prepare("folder", pictures, folder, OPTIONS)
    assert report.resumed >= 3
    assert len(opened) - 100 == 22 - report.resumed
    assert left_behind(folder.root) == ["packed.h5"]
    assert report.skipped == whole.skipped == (("bad.jpg", "not an image of a known format"),)
    first, second = read_packed(whole.path), read_packed(report.path)
    for name in ("images", "split", "source", "duplicate"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    assert first.duplicate is not None
    assert first.duplicate.sum() == 1


def test_shards_that_never_reached_the_disk_are_packed_again(pictures: Path, tmp_path: Path) -> None:
    folder = DatasetFolder(tmp_path / "a")

    def power_cut(done: int, total: int) -> None:
        if done == total:
            path = folder.root / ".packed.h5.partial"
            with path.open("rb+") as file:
                file.seek(path.stat().st_size // 2)
                file.write(bytes(100))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare("folder", pictures, folder, OPTIONS, power_cut)
    report = prepare("folder", pictures, folder, OPTIONS)
    assert report.resumed == 19  # all but one shard of three
    whole = prepare("folder", pictures, DatasetFolder(tmp_path / "b"), OPTIONS)
    assert np.array_equal(read_packed(report.path).images, read_packed(whole.path).images)


def test_another_job_starts_afresh(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = DatasetFolder(tmp_path / "a")

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare("folder", pictures, folder, OPTIONS, stop)
    write_jpeg(pictures / "000.jpg", face(99, 60, 50))  # the source changed meanwhile
    report = prepare("folder", pictures, folder, OPTIONS)
    assert report.resumed == 0
    assert report.pictures == 21


_KILLED = """
import sys, time
from pathlib import Path
from captcha_lab.datasets import packing
from captcha_lab.datasets.base import PrepareOptions, prepare
from captcha_lab.store.packed import sharded
from captcha_lab.store.workspace import DatasetFolder
sharded.SHARD_BYTES = 3 * 32 * 32 * 3
real = packing.frame
def slow(*a):
    time.sleep(0.004)
    return real(*a)
packing.frame = slow
print("ready", flush=True)
prepare("folder", Path(sys.argv[1]), DatasetFolder(Path(sys.argv[2])), PrepareOptions(size=32, workers=2))
"""


def kill_while_packing(pictures: Path, target: Path, delays: list[float]) -> None:
    """Kill a job at each delay (seconds); then a whole run must give the right file."""
    for delay in delays:
        process = subprocess.Popen(
            [sys.executable, "-c", _KILLED, str(pictures), str(target)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if (target / "packed.h5").exists():  # done before the kill: whole, or it would not have its name
            assert len(read_packed(target / "packed.h5")) == 21
            (target / "packed.h5").unlink()
    report = prepare("folder", pictures, DatasetFolder(target), OPTIONS)
    assert len(read_packed(report.path)) == 21
    assert left_behind(target) == ["packed.h5"]
    whole = prepare("folder", pictures, DatasetFolder(target.parent / "whole"), OPTIONS)
    assert np.array_equal(read_packed(report.path).images, read_packed(whole.path).images)


def test_killed_jobs_resume(pictures: Path, tmp_path: Path) -> None:
    kill_while_packing(pictures, tmp_path / "a", [0.01, 0.03])


@pytest.mark.slow
def test_killed_jobs_resume_thirty_times(pictures: Path, tmp_path: Path) -> None:
    delays = np.random.default_rng(0).uniform(0, 0.08, 30)
    for k, delay in enumerate(delays):
        kill_while_packing(pictures, tmp_path / str(k) / "a", [float(delay)])


@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite"])
def test_no_space_left(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(CaptchaLabError, match=r"No space left on device.*needs 0\.1 MB") as error:
        prepare("folder", pictures, DatasetFolder(tmp_path / "a"), OPTIONS)
    assert "\n" not in str(error.value)
    assert left_behind(tmp_path / "a") == []


_LIMITED = """
import resource, sys
from captcha_lab.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.argv[1:] = sys.argv[2:]
main()
"""


@pytest.mark.parametrize("limit", [100, 4096, 50_000])
@pytest.mark.parametrize("module", ["folder pictures", "lfw", "mnist"])
def test_no_space_left_for_real(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, module: str
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-c", _LIMITED, str(limit), "prepare", *module.split(), "--size", "32"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "packed.h5: File too large. Free space" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert left_behind(tmp_path / "datasets" / module.split()[0]) == []


def test_a_skipped_picture_needs_no_further_space(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed: list[int] = []
    claim = os.posix_fallocate

    def counted(descriptor: int, start: int, size: int) -> None:
        claimed.append(size)
        claim(descriptor, start, size)

    monkeypatch.setattr(os, "posix_fallocate", counted)
    monkeypatch.setattr(sharded, "COPY_BYTES", 2 * 32 * 32 * 3)
    for k in (0, 4, 5, 11):
        (pictures / f"{k:03d}.jpg").write_text("no picture")
    report = prepare("folder", pictures, DatasetFolder(tmp_path / "a"), OPTIONS)
    data = read_packed(report.path)
    assert len(claimed) == 1
    assert report.path.stat().st_size <= claimed[0] - 5 * 32 * 32 * 3
    assert left_behind(tmp_path / "a") == ["packed.h5"]
    for picture in ("000", "004", "005", "011", "bad"):
        (pictures / f"{picture}.jpg").unlink()
    whole = read_packed(prepare("folder", pictures, DatasetFolder(tmp_path / "b"), OPTIONS).path)
    assert np.array_equal(data.images, whole.images)


def test_a_kill_while_gaps_are_closed_starts_afresh(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = DatasetFolder(tmp_path / "a")
    whole = prepare("folder", pictures, DatasetFolder(tmp_path / "b"), OPTIONS)
    (pictures / "000.jpg").write_text("no picture")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare("folder", pictures, folder, OPTIONS)
    report = prepare("folder", pictures, folder, OPTIONS)
    assert report.resumed == 0
    assert np.array_equal(read_packed(report.path).images, read_packed(whole.path).images[1:])


def test_an_old_file_stays_until_the_new_one_is_whole(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = DatasetFolder(tmp_path / "a")
    prepare("folder", pictures, folder, OPTIONS)
    before = folder.packed_path.read_bytes()

    def broken(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(CaptchaLabError, match="Input/output error"):
        prepare("folder", pictures, folder, PrepareOptions(size=16))
    assert folder.packed_path.read_bytes() == before


def test_a_write_error_that_only_one_flush_hears_of_is_told(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = DatasetFolder(tmp_path / "a")
    flush, calls = os.fsync, iter(range(1000))

    def broken_once(descriptor: int) -> None:
        if next(calls) == 1:  # the first after the file was created
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", broken_once)
    monkeypatch.setattr("captcha_lab.store.packed.sharded.FLUSH_BYTES", 1)
    with pytest.raises(CaptchaLabError, match="Input/output error"):
        prepare("folder", pictures, folder, OPTIONS)
    assert not folder.packed_path.exists()
    assert prepare("folder", pictures, folder, OPTIONS).resumed > 0
    whole = prepare("folder", pictures, DatasetFolder(tmp_path / "b"), OPTIONS)
    assert folder.packed_path.read_bytes() == whole.path.read_bytes()


def test_pixels_that_changed_on_disk_are_noticed(pictures: Path, tmp_path: Path) -> None:
    folder = DatasetFolder(tmp_path / "a")

    def spoil(done: int, total: int) -> None:
        if done == total:
            path = folder.root / ".packed.h5.partial"
            with path.open("rb+") as file:
                file.seek(path.stat().st_size // 2)  # pixels are nearly all of the file
                file.write(b"abc")

    with pytest.raises(CaptchaLabError, match="other pixels than were written"):
        prepare("folder", pictures, folder, PrepareOptions(size=32, workers=1), spoil)
    assert left_behind(folder.root) == []


def test_one_job_at_a_time(pictures: Path, tmp_path: Path) -> None:
    folder = DatasetFolder(tmp_path / "a")
    said: list[str] = []

    def meanwhile(done: int, total: int) -> None:
        try:
            prepare("folder", pictures, folder, OPTIONS)
        except CaptchaLabError as error:
            said.append(str(error))

    prepare("folder", pictures, folder, OPTIONS, meanwhile)
    assert said
    assert "Another process is packing" in said[0]


def test_nothing_but_bad_pictures(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.jpg").write_text("no picture")
    with pytest.raises(CaptchaLabError, match="Not one picture"):
        prepare("folder", tmp_path / "p", DatasetFolder(tmp_path / "a"))
    assert left_behind(tmp_path / "a") == []


def test_rows_lie_bare(pictures: Path, tmp_path: Path) -> None:
    report = prepare("folder", pictures, DatasetFolder(tmp_path / "a"), OPTIONS)
    with RowReader(report.path) as reader:
        assert reader._address is not None
        rows = np.array([20, 0, 7, 7])
        assert np.array_equal(reader.read(rows), read_packed(report.path).images[rows])


def test_memory_held_does_not_grow_with_the_number_of_pictures(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest = []
    real = ShardedWriter.write

    def watched(self: ShardedWriter, number: int, pixels: np.ndarray, *rest: object) -> None:
        largest.append(pixels.nbytes)
        real(self, number, pixels, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(ShardedWriter, "write", watched)
    prepare("folder", pictures, DatasetFolder(tmp_path / "a"), OPTIONS)
    assert len(largest) == 8
    assert max(largest) <= sharded.SHARD_BYTES
