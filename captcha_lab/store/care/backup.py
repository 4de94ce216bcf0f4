"""A dataset in one file: catalog, labels and pictures, each with a checksum; and back."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.care.check import images_of
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.rows import ImageRow
from captcha_lab.store.files import MAX_BYTES, atomic_path, make_folder
from captcha_lab.store.workspace import DatasetFolder
from captcha_lab.version import __version__

FORMAT = 1
CATALOG, MANIFEST = "catalog.sqlite", "backup.json"
RATIO = 100  # how much a catalog may be packed; labels and hashes are by three
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BackupReport:
    """What a backup holds, or what was restored from one."""

    path: Path
    dataset: str
    pictures: int
    bytes: int
    missing: list[tuple[str, str]] = field(default_factory=list)  # (captcha, why its picture is not in it)


def back_up(
    folder: DatasetFolder, target: Path, progress: Progress = lambda done, total: None
) -> BackupReport:
    """Write a dataset's catalog, as it is at this moment, and its pictures into one zip file, whole or not at all.

    A picture that is damaged or missing is listed, and the labels are kept all the same.

    Raises:
        CaptchaLabError: there is no dataset, its catalog is damaged, `target` exists, or the disk refuses.
    """
    if target.exists():
        raise CaptchaLabError(f"{target} exists already: name another file, nothing is overwritten.")
    rows = images_of(folder)
    blobs = BlobStore(folder.blobs)
    missing: list[tuple[str, str]] = []
    with (
        atomic_path(target) as temporary,
        tempfile.TemporaryDirectory(prefix=".tmp-", dir=target.parent) as aside,
    ):
        copy = Path(aside) / CATALOG
        with Catalog(folder.catalog_path, create=False) as catalog:
            catalog.check("quick_check")
            catalog.copy_to(copy)
        facts = {
            "format": FORMAT,
            "captcha_lab": __version__,
            "dataset": folder.name,
            "catalog_sha256": _digest(copy),
        }
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            archive.write(copy, CATALOG, zipfile.ZIP_DEFLATED)
            for k, row in enumerate(rows, 1):
                try:
                    archive.writestr(_name(blobs, row), blobs.get(row.sha256, row.extension))
                except CaptchaLabError as error:
                    missing.append((f"captcha {row.id}", str(error)))
                progress(k, len(rows))
            archive.writestr(MANIFEST, json.dumps({**facts, "missing": len(missing)}))
    return BackupReport(target, folder.name, len(rows) - len(missing), target.stat().st_size, missing)


def restore(
    source: Path, folder: DatasetFolder, progress: Progress = lambda done, total: None
) -> BackupReport:
    """Make a dataset out of a backup, whole or not at all, after all of it was compared with its checksums.

    Raises:
        UsageError: the dataset exists already.
        CaptchaLabError: the file is no backup or is damaged, or the disk refuses.
    """
    if folder.catalog_path.exists():
        raise UsageError(f"Dataset {folder.name} exists already: give another name with --dataset.")
    make_folder(folder.root.parent)
    aside = Path(tempfile.mkdtemp(prefix=".tmp-", dir=folder.root.parent))
    try:
        missing = _unpack(source, DatasetFolder(aside), progress)
        if folder.root.exists():
            folder.root.rmdir()
        aside.rename(folder.root)
    except (
        OSError,
        EOFError,
        ValueError,
        LookupError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        reason = getattr(error, "strerror", None) or error
        raise CaptchaLabError(f"{source} can't be restored: {reason}. Nothing was changed.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    pictures = len(images_of(folder)) - len(missing)
    return BackupReport(source, folder.name, pictures, source.stat().st_size, missing)


def _name(blobs: BlobStore, row: ImageRow) -> str:
    return f"blobs/{blobs.path(row.sha256, row.extension).relative_to(blobs.root).as_posix()}"


def _unpack(source: Path, folder: DatasetFolder, progress: Progress) -> list[tuple[str, str]]:
    with zipfile.ZipFile(source) as archive:
        facts = json.loads(_read(archive, MANIFEST, MAX_BYTES))
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise ValueError("it is no backup that this captcha-lab knows")
        catalog_entry = archive.getinfo(CATALOG)
        if catalog_entry.file_size > MAX_BYTES + RATIO * catalog_entry.compress_size:
            raise ValueError("its catalog claims more than it can hold")
        with archive.open(CATALOG) as stream, folder.catalog_path.open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
        if _digest(folder.catalog_path) != facts.get("catalog_sha256"):
            raise ValueError("the checksum of its catalog is wrong")
        with Catalog(folder.catalog_path, create=False) as catalog:
            catalog.check()
        blobs, there = BlobStore(folder.blobs), set(archive.namelist())
        rows = images_of(folder)
        missing = []
        strange = there - {CATALOG, MANIFEST} - {_name(blobs, row) for row in rows}
        if strange:
            raise ValueError(f"{min(strange)!r} in it is not the picture that it says")
        for k, row in enumerate(rows, 1):
            name = _name(blobs, row)
            if name not in there:
                missing.append(row)
            elif blobs.put(_read(archive, name, min(row.bytes, MAX_BYTES)), row.extension) != row.sha256:
                raise ValueError(f"{name!r} in it is not the picture that it says")
            progress(k, len(rows))
        if len(missing) != facts.get("missing", 0):
            raise ValueError(f"the picture of captcha {missing[0].id if missing else ''} is missing in it")
        return [(f"captcha {row.id}", "its picture was damaged when the backup was made") for row in missing]


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{name!r} in it is larger than {most >> 20} MB")
    return data


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
