"""Every reader of files meets damage of any kind, and answers with a result or one clear error.

A sound file of each kind is damaged by `hypothesis`: bytes changed, cut, repeated, inserted. The default run takes
some twenty seconds in all and always does the same; `pytest -m slow tests/test_fuzz.py` goes on for minutes, with new
damage each time.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from captcha_lab.collect.exchange.arrays import CaptchaArrays, read_arrays, write_h5, write_mat
from captcha_lab.collect.exchange.options import ImportOptions
from captcha_lab.collect.exchange.sources import find_items
from captcha_lab.collect.scrape.http import Reply
from captcha_lab.collect.scrape.pace import retry_after
from captcha_lab.collect.scrape.picture import extract
from captcha_lab.collect.scrape.robots import fetch_rules
from captcha_lab.collect.scrape.url import Redirected, follow
from captcha_lab.datasets.archive import Archive
from captcha_lab.datasets.mnist import read_idx
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.care.backup import back_up, restore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.images import FORMATS, OTHER_FORMATS, decode, encode
from captcha_lab.store.packed.bare import read_journal
from captcha_lab.store.packed.packed import PackedSet, read_packed, write_packed
from captcha_lab.store.packed.rows import RowReader
from captcha_lab.store.packed.texts import TextSet, read_texts, write_texts
from captcha_lab.store.runs import Run, load_resume, load_weights, save_resume, save_weights
from captcha_lab.store.workspace import DatasetFolder, Workspace

KINDS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "AVIF", "PPM", "TIFF")
ROBOTS = "User-agent: captcha-lab/1\nCrawl-delay: 2s\nRequest-rate: 1/3m\nDisallow: /x*y$\n"
JOURNAL = '{"fingerprint": "f"}\n[0, 5, {"1": "x"}, {"grey": 1}, "0011223344556677", "00112233"]\n'
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
Reader = Callable[[Path], object]
Maker = Callable[[Path], None]


def picture(kind: str) -> Maker:
    def make(path: Path) -> None:
        file = io.BytesIO()
        Image.fromarray(PIXELS).save(file, kind)
        path.write_bytes(file.getvalue())

    return make


def look(path: Path) -> None:
    decode(path.read_bytes(), formats=FORMATS | OTHER_FORMATS)


def make_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", encode(PIXELS))
        archive.writestr("b/2.txt", "text " * 50)


def read_zip(path: Path) -> None:
    with Archive(path) as archive:
        for name in archive.names:
            archive.read(name)


def make_idx(path: Path) -> None:
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", 4, 5, 6) + bytes(120)))


def make_packed(path: Path) -> None:
    split = np.arange(4, dtype=np.uint8) % 3
    duplicate = np.zeros(4, np.uint8)
    write_packed(path, PackedSet(np.zeros((4, 6, 6), np.uint8), split, duplicate=duplicate, info={"a": 1}))


def read_rows(path: Path) -> None:
    read_packed(path)
    with RowReader(path) as rows:
        rows.read(np.arange(len(rows)))


def make_texts(path: Path) -> None:
    column = np.zeros(2, np.uint8)
    ids = np.arange(2, dtype=np.int64)
    write_texts(path, TextSet([PIXELS, PIXELS[:, :9]], ("AB", "C"), column, ids, column, {"a": 1}))


def make_arrays(write: Callable[[Path, CaptchaArrays], None]) -> Maker:
    return lambda path: write(
        path, CaptchaArrays([PIXELS, PIXELS], ["AB", None], ["train", ""], "AB", ["", ""])
    )


def make_weights(path: Path) -> None:
    save_weights(path, {"a": torch.arange(9.0)}, {"architecture": "x", "classes": ["a"]})


def make_run(path: Path) -> None:
    path.write_text(json.dumps({"kind": "recogniser", "created": 1.5, "train": {"epochs": 3}}) + "\n")


def read_run(path: Path) -> None:
    folder = path.parent / "run"
    folder.mkdir(exist_ok=True)
    for name in ("config.json", "metrics.jsonl"):
        (folder / name).write_bytes(path.read_bytes())
    Run(folder).history()
    Run(folder).config()


def make_catalog(path: Path) -> None:
    with Catalog(path) as catalog:
        for k in range(9):
            image, _ = catalog.add_image(f"{k:064d}", "png", 20, 12, 90)
            catalog.add_fetch("http://h/", "stored", image_id=image)
        catalog.add_provenance("import", path="x")


def read_catalog(path: Path) -> None:
    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
    with Catalog(path, create=False) as catalog:
        list(catalog.images()), list(catalog.fetches()), catalog.provenance()
        catalog.check()


def make_backup(path: Path) -> None:
    folder = DatasetFolder(path.parent / f"of {path.name}")
    with Catalog(folder.catalog_path) as catalog:
        catalog.add_provenance("import", path="x")
    back_up(folder, path)


def read_backup(path: Path) -> None:
    target = DatasetFolder(path.parent / "restored" / "x")
    restore(path, target)
    target.catalog_path.unlink()


def make_table(text: str) -> Maker:
    def make(path: Path) -> None:
        (path.parent / "a.png").write_bytes(encode(PIXELS))
        path.write_text(text, encoding="utf-8")

    return make


def read_items(path: Path) -> None:
    for item in find_items(path, ImportOptions())[0]:
        item.load()


def read_config(path: Path) -> None:
    (path.parent / "captcha-lab.toml").write_bytes(path.read_bytes())
    Workspace.find(path.parent)


def read_robots(path: Path) -> None:
    rules = fetch_rules("http://h/captcha", lambda url: Reply(200, {}, path.read_bytes()))
    rules.allows("http://h/captcha")


def read_headers(path: Path) -> None:
    value = path.read_bytes().decode("latin-1")
    retry_after(value, value, 1e9)
    replies: Iterator[Reply] = iter([Reply(302, {"Location": value}), Reply(200)])
    follow("http://h/captcha", lambda url: next(replies))


def read_reply(path: Path) -> None:
    extract(Reply(200, {}, path.read_bytes()), "data.image")


def text(value: str) -> Maker:
    def make(path: Path) -> None:
        path.write_text(value, encoding="utf-8")

    return make


READERS: dict[str, tuple[Maker, Reader]] = {
    **{f"a.{kind.lower()}": (picture(kind), look) for kind in KINDS},
    "set.zip": (make_zip, read_zip),
    "images.idx.gz": (make_idx, lambda path: read_idx(path, 3)),
    "packed.h5": (make_packed, read_rows),
    "texts.h5": (make_texts, read_texts),
    "captchas.mat": (make_arrays(write_mat), read_arrays),
    "captchas.h5": (make_arrays(write_h5), read_arrays),
    "weights.safetensors": (make_weights, load_weights),
    "resume.pt": (lambda path: save_resume(path, {"epoch": 1, "a": torch.arange(9.0)}), load_resume),
    "config.json": (make_run, read_run),
    "catalog.sqlite": (make_catalog, read_catalog),
    "backup.zip": (make_backup, read_backup),
    "labels.csv": (make_table('file,text,split\na.png,AB,train\n"a.png","C D",\n'), read_items),
    "labels.jsonl": (make_table('{"file": "a.png", "text": "AB"}\n{"file": "a.png", "text": null}\n'), read_items),
    "config.toml": (text('dataset = "x"\nlength = 5\nalphabet = "ABC"\n'), read_config),
    "robots.txt": (text(ROBOTS), read_robots),
    "headers": (text("Wed, 21 Oct 2026 07:28:00 GMT, 3 seconds"), read_headers),
    "reply.json": (text('{"data": {"image": "data:image/png;base64,AAAA"}}'), read_reply),
    "journal": (text(JOURNAL), read_journal),
}  # fmt: skip

INSERTED = [b"\0", b"\xff\xfe", b"[" * 3000, b'"', b"9" * 5000, b"\r\n", "é".encode()]
PLACE = st.floats(0, 1, exclude_max=True)
CHANGE = st.one_of(
    st.tuples(st.just("set"), PLACE, st.integers(0, 255)),
    st.tuples(st.just("flip"), PLACE, st.integers(0, 7)),
    st.tuples(st.just("cut"), PLACE, st.just(0)),
    st.tuples(st.just("drop"), PLACE, st.integers(1, 40)),
    st.tuples(st.just("repeat"), PLACE, st.integers(1, 300)),
    st.tuples(st.just("number"), PLACE, st.sampled_from([0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF])),
    st.tuples(st.just("insert"), PLACE, st.sampled_from(INSERTED)),
)  # fmt: skip


def damaged(data: bytes, changes: list[tuple[str, float, int | bytes]]) -> bytes:
    for kind, place, value in changes:
        at = int(place * len(data))
        if isinstance(value, bytes):
            data = data[:at] + value + data[at:]
        elif kind == "cut":
            data = data[:at]
        elif kind == "drop":
            data = data[:at] + data[at + value :]
        elif kind == "repeat":
            data = data[:at] + data[at : at + 8] * value + data[at:]
        elif kind == "number":
            data = data[:at] + struct.pack(">I", value) + data[at + 4 :]
        elif data:
            changed = value if kind == "set" else data[at] ^ 1 << value
            data = data[:at] + bytes([changed]) + data[at + 1 :]
    return data


@cache
def sound(name: str, folder: Path) -> bytes:
    READERS[name][0](folder / name)
    return (folder / name).read_bytes()


def fuzz(name: str, folder: Path, examples: int, *, always_the_same: bool) -> None:
    whole, path = sound(name, folder), folder / name
    READERS[name][1](path)  # a sound file is read

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=always_the_same,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(CHANGE, min_size=1, max_size=4))
    def check(changes: list[tuple[str, float, int | bytes]]) -> None:
        path.write_bytes(damaged(whole, changes))
        with suppress(CaptchaLabError, Redirected):
            READERS[name][1](path)

    check()


@pytest.mark.parametrize("name", READERS)
def test_damage_is_read_or_refused(name: str, tmp_path: Path) -> None:
    fuzz(name, tmp_path, 40, always_the_same=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_much_damage_is_read_or_refused(name: str, tmp_path: Path) -> None:
    # A damaged HDF5 file is first opened by a process of its own, which takes a third of a second.
    fuzz(name, tmp_path, 300 if name.endswith(".h5") else 3000, always_the_same=False)


def test_what_scipy_writes_is_a_mat_file(tmp_path: Path) -> None:
    """The sample that is damaged above is one that other programs read."""
    make_arrays(write_mat)(tmp_path / "a.mat")
    assert "images" in scipy.io.loadmat(tmp_path / "a.mat")
