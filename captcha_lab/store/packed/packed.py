"""The packed set: one HDF5 file that training reads; never the only copy of anything."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.files import atomic_path
from captcha_lab.store.packed.safe import open_hdf5
from captcha_lab.store.packed.seal import seal

SCHEMA_VERSION = 1
SPLITS = ("train", "validation", "test")
UNLABELLED = -1


@dataclass(frozen=True)
class PackedSet:
    """Images with what is known of them, row by row.

    Attributes:
        images: uint8 [N, H, W] grey or [N, H, W, 3] RGB, as received.
        split: uint8 [N], index into `SPLITS`.
        labels: int16 [N] class numbers, -1 where there is no label; None where the set has no classes.
        attributes: int8 [N, A], 1 or 0 (-1 unknown); None where the set has no attributes.
        source: int64 [N], what the row came from (a file's number); None for glyphs of captchas.
        image: int64 [N], the captcha that the glyph was cut from; None where images stand alone.
        position: int64 [N], its place in that captcha, from 0.
        duplicate: uint8 [N], 1 where the same pixels stand in an earlier split or earlier row of the same one.
        classes: names of the classes, in label order.
        attribute_names: names of the attributes, in column order.
        info: schema facts kept with the file (dataset, alphabet, label revision, segmenter, split seed, …).
    """

    images: np.ndarray
    split: np.ndarray
    labels: np.ndarray | None = None
    attributes: np.ndarray | None = None
    source: np.ndarray | None = None
    image: np.ndarray | None = None
    position: np.ndarray | None = None
    duplicate: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    attribute_names: tuple[str, ...] = ()
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> PackedSet:
        """The given rows (bool mask [N] or indices), everything else as it is."""
        columns = {name: getattr(self, name) for name in COLUMNS}
        chosen = {name: None if column is None else column[rows] for name, column in columns.items()}
        return PackedSet(**chosen, classes=self.classes, attribute_names=self.attribute_names, info=self.info)  # type: ignore[arg-type]

    def without_images(self) -> PackedSet:
        """All the small columns in memory, no image rows: for sets whose images stay on disk."""
        columns = {name: getattr(self, name) for name in COLUMNS if name != "images"}
        read: dict[str, Any] = {k: None if column is None else column[()] for k, column in columns.items()}
        empty = np.empty((0, *self.images.shape[1:]), np.uint8)
        return PackedSet(
            empty, **read, classes=self.classes, attribute_names=self.attribute_names, info=self.info
        )

    def take_columns(self, rows: np.ndarray, duplicate: np.ndarray) -> PackedSet:
        """`take` for a set whose images are elsewhere: the given rows of the small columns, no image rows."""
        chosen: dict[str, Any] = {
            name: None if getattr(self, name) is None else getattr(self, name)[rows]
            for name in ("split", "labels", "attributes", "source")
        }
        return replace(self, images=self.images[:0], duplicate=duplicate, **chosen)

    def part(self, split: str, *, labelled: bool = False, distinct: bool = False) -> PackedSet:
        """One split; only labelled rows, only rows whose pixels occur nowhere earlier, where asked."""
        rows = self.split == SPLITS.index(split)
        if labelled and self.labels is not None:
            rows &= self.labels != UNLABELLED
        if distinct and self.duplicate is not None:
            rows &= self.duplicate == 0
        return self.take(rows)


COLUMNS = ("images", "split", "labels", "attributes", "source", "image", "position", "duplicate")


def write_packed(path: Path, data: PackedSet) -> None:
    """Write a packed set: to a temporary file, closed, reopened, verified, fsynced, renamed.

    Raises:
        CaptchaLabError: the disk refuses, or what was read back differs.
    """
    with atomic_path(path) as temporary:
        with new_hdf5(temporary) as file:
            for name in COLUMNS:
                column = getattr(data, name)
                if column is not None:
                    file.create_dataset(name, data=column)
            write_attributes(file, data)
        reread = read_packed(temporary)
        for name in COLUMNS:
            if not np.array_equal(getattr(data, name), getattr(reread, name)):
                raise CaptchaLabError(
                    f"{path}: /{name} read back differently from what was written; try again."
                )


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """A new file to fill; it is built in memory, and written with its seal when the block ends well.

    HDF5 must not meet a full disk: it answers with pages of its own state, leaves the file open and may crash
    at exit. Here the disk's refusal is an ordinary `OSError`.
    """
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        yield file
    data = content.getbuffer()
    with path.open("wb") as target:
        target.write(data)
        target.write(seal(data))


def write_attributes(file: h5py.File, data: PackedSet) -> None:
    """Put the schema facts on an open file."""
    file.attrs["schema_version"] = SCHEMA_VERSION
    file.attrs["classes"] = json.dumps(data.classes)
    file.attrs["attribute_names"] = json.dumps(data.attribute_names)
    file.attrs["info"] = json.dumps(data.info, sort_keys=True)


@contextmanager
def open_packed(path: Path) -> Iterator[tuple[h5py.File, PackedSet]]:
    """The open file, and its facts as a `PackedSet` whose columns are h5py datasets: no pixel is read yet.

    Raises:
        CaptchaLabError: the file is absent, damaged, or from another schema version.
    """
    if not path.is_file():
        raise CaptchaLabError(
            f"There is no packed set at {path}: run `captcha-lab train` or `captcha-lab train-gen`, which pack."
        )
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open_hdf5(path))
            facts = _facts(file)
        except (CaptchaLabError, KeyError, ValueError, TypeError, OSError, RuntimeError) as error:
            raise _damaged(path, str(error)) from error
        yield file, facts


def _facts(file: h5py.File) -> PackedSet:
    """What stands beside the pixels.

    Raises:
        CaptchaLabError: it contradicts itself.
    """
    version = file.attrs.get("schema_version")
    if version != SCHEMA_VERSION or "images" not in file or "split" not in file:
        raise CaptchaLabError(f"schema version {version!r}, this captcha-lab reads {SCHEMA_VERSION}")
    columns = {name: file.get(name) for name in COLUMNS}
    facts = PackedSet(
        **columns,
        classes=tuple(json.loads(file.attrs["classes"])),
        attribute_names=tuple(json.loads(file.attrs["attribute_names"])),
        info=json.loads(file.attrs["info"]),
    )
    lengths = {name: column.shape[:1] for name, column in columns.items() if column is not None}
    if len(set(lengths.values())) > 1 or facts.images.dtype != np.uint8 or not isinstance(facts.info, dict):
        raise CaptchaLabError("its columns do not fit each other")
    return facts


def row_sums(file: h5py.File) -> np.ndarray | None:
    """The CRC-32 of each row of an open packed file, uint32 [N]; None where it was written without."""
    return file["crc"][: len(file["images"])] if "crc" in file else None


def check_rows(images: np.ndarray, sums: np.ndarray | None) -> None:
    """Compare images uint8 [M, ...] with the CRC-32 of each, uint32 [M], where there are any.

    Raises:
        CaptchaLabError: one differs; the message gives the reason only.
    """
    if sums is None:
        return
    for image, expected in zip(images, sums.tolist(), strict=True):
        if zlib.crc32(image.data if image.flags.c_contiguous else image.tobytes()) != expected:
            raise CaptchaLabError("the checksum of a picture is wrong: it was changed after it was written")


def read_packed(path: Path) -> PackedSet:
    """The whole set in memory (see `open_packed` for errors)."""
    with open_packed(path) as (file, facts):
        try:
            columns: dict[str, Any] = {
                name: None if getattr(facts, name) is None else getattr(facts, name)[()] for name in COLUMNS
            }
            check_rows(columns["images"], row_sums(file))
        except (CaptchaLabError, OSError, RuntimeError, ValueError) as error:
            raise _damaged(path, str(error)) from error
        return PackedSet(
            **columns, classes=facts.classes, attribute_names=facts.attribute_names, info=facts.info
        )


def packed_info(path: Path) -> dict[str, Any] | None:
    """The facts of a packed file, or None where there is none that can be read (it is rebuildable)."""
    try:
        with open_packed(path) as (_, facts):
            return facts.info
    except CaptchaLabError:
        return None


def mark_duplicates(images: Sequence[np.ndarray] | np.ndarray, split: np.ndarray) -> np.ndarray:
    """uint8 [N]: 1 where the same pixels stand in an earlier split (train, validation, test) or earlier row."""
    duplicate = np.ones(len(images), np.uint8)
    seen: set[tuple[tuple[int, ...], bytes]] = set()
    for row in np.argsort(split, kind="stable"):
        key = images[row].shape, images[row].tobytes()
        if key not in seen:
            seen.add(key)
            duplicate[row] = 0
    return duplicate


def _damaged(path: Path, reason: str) -> CaptchaLabError:
    return CaptchaLabError(
        f"The packed set {path} can't be read ({reason}). It is rebuildable: delete it and run the command again."
    )
