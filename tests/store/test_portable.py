"""Where a system lacks a call, another way gives the same."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store import portable
from captcha_lab.store.locks import is_held, locked

MISSING = ("sched_getaffinity", "posix_fadvise", "posix_fallocate", "pread", "pwrite", "preadv")

WORK = """
import os, sys
for name in {missing!r}:
    if hasattr(os, name):
        delattr(os, name)
sys.modules["fcntl"] = None
from pathlib import Path
import numpy as np
from captcha_lab.datasets.base import PrepareOptions, prepare
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.images import encode
from captcha_lab.store.packed.packed import read_packed
from captcha_lab.store.packed.rows import RowReader
from captcha_lab.store.workspace import Workspace
import zipfile
with zipfile.ZipFile("set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for k in range(12):
        archive.writestr(f"{{k % 2}}/{{k}}.png", encode(np.full((40, 40), 20 * k, np.uint8)))
    archive.writestr("1/bad.png", b"no picture")
folder = Workspace(Path()).dataset("set")
report = prepare("folder", Path("set.zip"), folder, PrepareOptions(size=16))
with RowReader(folder.packed_path) as rows:
    pixels = rows.read(np.arange(len(rows)))
assert np.array_equal(pixels, read_packed(folder.packed_path).images)
with Catalog(folder.catalog_path) as catalog:
    catalog.set_meta("a", "b")
print(report.pictures, len(report.skipped), sorted(set(pixels.ravel().tolist())))
"""


def test_packing_and_reading_do_without_calls_that_are_not_everywhere(tmp_path: Path) -> None:
    code = WORK.format(missing=MISSING)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(maxsplit=2) == ["12", "1", f"{[20 * k for k in range(12)]}\n"]


def test_no_room_uses_them_but_by_the_portable_calls() -> None:
    package = Path(portable.__file__).parents[1]
    names = (*MISSING, "fcntl", "SIGKILL", "O_NOFOLLOW", "O_DIRECT", "getuid")
    found = {
        path.name
        for path in package.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if any(f"os.{name}" in line or f"import {name}" in line or f"signal.{name}" in line for name in names)
    }
    assert found == {"portable.py"}


@pytest.mark.parametrize("without", [(), MISSING])
def test_reads_and_writes_at_a_place(
    without: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in without:
        monkeypatch.delattr(os, name, raising=False)
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT | portable.BINARY)
    try:
        portable.allocate(descriptor, 100)
        assert os.fstat(descriptor).st_size == 100
        portable.pwrite(descriptor, memoryview(b"hello"), 40)
        portable.expect_random_reads(descriptor)
        assert portable.pread(descriptor, 5, 40) == b"hello"
        assert portable.pread(descriptor, 50, 95) == bytes(5)
        target = bytearray(5)
        assert portable.pread_into(descriptor, memoryview(target), 40) == 5
        assert target == b"hello"
        assert portable.cores() >= 1
    finally:
        os.close(descriptor)


HOLD = """
import sys, time
from pathlib import Path
from captcha_lab.store.locks import locked
with locked(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_keeps_other_processes_out_until_its_holder_ends(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.lock"
    assert not is_held(path)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert is_held(path)
    with pytest.raises(CaptchaLabError, match="busy"), locked(path, "busy"):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert not is_held(path)
    with locked(path, "busy"):
        assert path.exists()
    assert not path.exists()


def test_a_lock_where_only_windows_calls_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: set[int] = set()

    def locking(descriptor: int, mode: int, count: int) -> None:
        if held:
            raise OSError("locked")
        held.add(descriptor)

    monkeypatch.setattr(portable, "fcntl", None)
    monkeypatch.setattr(portable, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    again = locked(tmp_path / "a.lock", "busy")
    with locked(tmp_path / "a.lock", "busy"), pytest.raises(CaptchaLabError, match="busy"), again:
        pass
