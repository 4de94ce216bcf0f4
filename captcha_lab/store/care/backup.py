"""A dataset in one file: catalog, labels and pictures, each with a checksum; and back."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.care.check import images_of
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.files import MAX_BYTES, atomic_path, make_folder
from captcha_lab.store.workspace import DatasetFolder
from captcha_lab.version import __version__

FORMAT = 1
CATALOG, MANIFEST = "catalog.sqlite", "backup.json"
MAX_CATALOG = 64 << 30  # bytes
_BLOB = re.compile(r"blobs/[0-9a-f]{2}/([0-9a-f]{64})\.([a-z]{3,4})")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BackupReport:
    """What a backup holds, or what was restored from one."""

    path: Path
    dataset: str
    pictures: int
    bytes: int


def back_up(
    folder: DatasetFolder, target: Path, progress: Progress = lambda done, total: None
) -> BackupReport:
    """Write a dataset's catalog, as it is at this moment, and its pictures into one zip file, whole or not at all.

    Raises:
        CaptchaLabError: there is no dataset, something in it is damaged, `target` exists, or the disk refuses.
    """
    if target.exists():
        raise CaptchaLabError(f"{target} exists already: name another file, nothing is overwritten.")
    rows = images_of(folder)
    blobs = BlobStore(folder.blobs)
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
            "pictures": len(rows),
            "catalog_sha256": _digest(copy),
        }
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(MANIFEST, json.dumps(facts))
            archive.write(copy, CATALOG, zipfile.ZIP_DEFLATED)
            for k, row in enumerate(rows, 1):
                name = blobs.path(row.sha256, row.extension).relative_to(folder.root).as_posix()
                archive.writestr(name, blobs.get(row.sha256, row.extension))
                progress(k, len(rows))
    return BackupReport(target, folder.name, len(rows), target.stat().st_size)


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
        _unpack(source, DatasetFolder(aside), progress)
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
    return BackupReport(source, folder.name, len(images_of(folder)), source.stat().st_size)


def _unpack(source: Path, folder: DatasetFolder, progress: Progress) -> None:
    with zipfile.ZipFile(source) as archive:
        facts = json.loads(_read(archive, MANIFEST, MAX_BYTES))
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise ValueError("it is no backup that this captcha-lab knows")
        if archive.getinfo(CATALOG).file_size > MAX_CATALOG:
            raise ValueError("its catalog is larger than any")
        with archive.open(CATALOG) as stream, folder.catalog_path.open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
        if _digest(folder.catalog_path) != facts.get("catalog_sha256"):
            raise ValueError("the checksum of its catalog is wrong")
        with Catalog(folder.catalog_path, create=False) as catalog:
            catalog.check()
        blobs = BlobStore(folder.blobs)
        names = [name for name in archive.namelist() if name not in (CATALOG, MANIFEST)]
        for k, name in enumerate(names, 1):
            found = _BLOB.fullmatch(name)
            if found is None or blobs.put(_read(archive, name, MAX_BYTES), found[2]) != found[1]:
                raise ValueError(f"{name!r} in it is not the picture that it says")
            progress(k, len(names))
        missing = [row.id for row in images_of(folder) if not blobs.path(row.sha256, row.extension).is_file()]
        if missing:
            raise ValueError(f"the picture of captcha {missing[0]} is missing in it")


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{name!r} in it is larger than {most >> 20} MB")
    return data


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
