"""Files of a folder or zip archive, listed once and read from many threads; nothing is ever unpacked."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.files import MAX_BYTES
from captcha_lab.store.listing import list_files
from captcha_lab.store.portable import BINARY, pread


class _Entry(NamedTuple):
    header: int  # offset of the local header
    packed: int  # bytes in the archive
    size: int
    crc32: int
    deflated: bool
    trouble: str  # why it can't be read


class Archive:
    """A folder or a zip file; a context manager.

    Attributes:
        path: the folder or file itself.
        names: relative names of its files with `/` between the parts, sorted; hidden ones are left out.

    Raises:
        CaptchaLabError: it can't be read, or names in it lead outside of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._entries: dict[str, _Entry] = {}
        if path.is_dir():
            self._stamps = {
                name: f"{facts.st_size} {facts.st_mtime_ns}"
                for name, facts in list_files(path)
                if _visible(name)
            }
        else:
            self._open_zip()
            self._stamps = {name: f"{e.size} {e.crc32}" for name, e in self._entries.items()}
        self.names: list[str] = sorted(self._stamps)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def stamp(self, name: str) -> str:
        """A text that changes when the file does."""
        return self._stamps[name]

    def read(self, name: str) -> bytes:
        """The bytes of one file.

        Raises:
            CaptchaLabError: they can't be read; the message gives the reason only.
        """
        try:
            return self._read_entry(self._entries[name]) if self._entries else self._read_file(name)
        except OSError as error:
            raise CaptchaLabError(error.strerror or str(error)) from error

    def _read_file(self, name: str) -> bytes:
        descriptor = os.open(f"{self.path}/{name}", os.O_RDONLY | BINARY)
        try:
            size = os.fstat(descriptor).st_size
            if size > MAX_BYTES:
                raise CaptchaLabError(f"larger than {MAX_BYTES >> 20} MB")
            return os.read(descriptor, size)
        finally:
            os.close(descriptor)

    def _read_entry(self, entry: _Entry) -> bytes:
        """One zip entry by its address: `zipfile` would need a lock, or a directory in memory for each thread."""
        if entry.trouble:
            raise CaptchaLabError(entry.trouble)
        header = pread(self._descriptor, 30, entry.header)
        if len(header) != 30 or header[:4] != b"PK\x03\x04":
            raise CaptchaLabError("the archive is damaged here")
        start = (
            entry.header
            + 30
            + int.from_bytes(header[26:28], "little")
            + int.from_bytes(header[28:30], "little")
        )
        data = pread(self._descriptor, entry.packed, start)
        if entry.deflated:
            try:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, entry.size + 1)
            except zlib.error as error:
                raise CaptchaLabError(f"the archive is damaged here ({error})") from error
        if len(data) != entry.size or zlib.crc32(data) != entry.crc32:
            raise CaptchaLabError("the archive is damaged here (checksum)")
        return data

    def _open_zip(self) -> None:
        try:
            with zipfile.ZipFile(self.path) as archive:
                infos = archive.infolist()
            # Where bytes are missing the directory lies before the place that the entries count from.
            if any(info.header_offset < 0 for info in infos):
                raise zipfile.BadZipFile("bytes are missing in it")
            self._descriptor = os.open(self.path, os.O_RDONLY | BINARY)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
            if not _starts_as_zip(self.path):
                raise CaptchaLabError(
                    f"{self.path} is neither a folder nor a zip archive: give one of them, unpack other archives first."
                ) from error
            raise CaptchaLabError(
                f"{self.path} is no whole zip archive ({error}): it may be cut short, download it again."
            ) from error
        except OSError as error:
            raise CaptchaLabError(f"{self.path} can't be read: {error.strerror or error}.") from error
        for info in infos:
            _refuse_escape(self.path, info.filename)
            linked = stat.S_ISLNK(info.external_attr >> 16)
            if info.filename.endswith("/") or not info.filename or not _visible(info.filename) or linked:
                continue
            trouble = ""
            if info.flag_bits & 1:
                trouble = "encrypted"
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                trouble = f"packed by method {info.compress_type}, which is not supported"
            elif max(info.file_size, info.compress_size) > MAX_BYTES:  # it may claim to be of any size
                trouble = f"larger than {MAX_BYTES >> 20} MB"
            deflated = info.compress_type == zipfile.ZIP_DEFLATED
            self._entries[info.filename] = _Entry(
                info.header_offset, info.compress_size, info.file_size, info.CRC, deflated, trouble
            )
        if not self._entries:
            raise CaptchaLabError(f"{self.path} is an empty archive.")


def _starts_as_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _refuse_escape(path: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or name[1:2] == ":":
        raise CaptchaLabError(
            f"{path} names a file outside of itself ({name!r}), as attacks do: nothing was read from it."
        )


def _visible(name: str) -> bool:
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
