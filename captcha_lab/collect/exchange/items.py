"""What there is to import: a list of named images, each with what its source says of it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from captcha_lab.collect.exchange.item import SPLIT_FOLDERS, Item, split_name
from captcha_lab.collect.exchange.options import ImportOptions
from captcha_lab.errors import CaptchaLabError, UsageError

EXTENSIONS = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"}
UNLABELLED_FOLDER = "_unlabelled"
# TEXT_index, as exported and as most published sets have it; an index alone (`_17`) means no label.
_NAME = re.compile(r"(?P<text>.*?)(?:_\d+)?")
_FILE_COLUMNS = ("file", "filename", "path", "image", "name")
_TEXT_COLUMNS = ("text", "label", "labels", "captcha", "words")


def find_items(path: Path, options: ImportOptions) -> tuple[list[Item], list[str]]:
    """The items at a path, in a stable order, and remarks for the user.

    Raises:
        CaptchaLabError: nothing is there, or the table or array file can't be read.
        UsageError: the options ask for labels that such a path doesn't have.
    """
    if not path.exists():
        raise CaptchaLabError(f"{path} does not exist: give a folder of images, or a file made by `export`.")
    table = _table_of(path, options)
    if table is not None:
        return _from_table(table, options)
    if path.suffix.lower() in (".mat", ".h5", ".hdf5"):
        from captcha_lab.collect.exchange.arrays import read_arrays

        return read_arrays(path), []
    items, ignored = _from_files(path, options)
    if not items:
        raise CaptchaLabError(f"{path} holds no images ({', '.join(sorted(EXTENSIONS))}).")
    return items, [f"{ignored} other files were left alone."] if ignored else []


def _table_of(path: Path, options: ImportOptions) -> Path | None:
    """The csv or jsonl file that names the images, or None."""
    if path.is_file():
        is_table = path.suffix.lower() in (".csv", ".jsonl")
        return path if is_table and options.labels in ("auto", path.suffix.lower()[1:]) else None
    wanted = {"auto": ("csv", "jsonl"), "csv": ("csv",), "jsonl": ("jsonl",)}.get(options.labels, ())
    if options.pattern is not None:
        return None
    tables = [path / f"labels.{kind}" for kind in wanted if (path / f"labels.{kind}").is_file()]
    tables = tables or [
        t for kind in wanted if options.labels == kind for t in sorted(path.glob(f"*.{kind}"))
    ]
    if options.labels in ("csv", "jsonl") and len(tables) != 1:
        raise UsageError(
            f"{path} holds {len(tables)} .{options.labels} files: name the one to read as PATH itself."
        )
    return tables[0] if tables else None


# Loose files


def _from_files(path: Path, options: ImportOptions) -> tuple[list[Item], int]:
    base = path if path.is_dir() else path.parent
    files = sorted(_walk(path)) if path.is_dir() else [path]
    pictures = [f for f in files if f.suffix.lower() in EXTENSIONS] if path.is_dir() else files
    return [_file_item(f, base, options) for f in pictures], len(files) - len(pictures)


def _walk(folder: Path) -> Iterator[Path]:
    for child in folder.iterdir():
        if child.name.startswith("."):
            continue
        if child.is_dir():
            yield from _walk(child)
        else:
            yield child


def _file_item(file: Path, base: Path, options: ImportOptions) -> Item:
    relative = file.relative_to(base)
    text, problem = _label_of(relative, base, options)
    split = _split_of((base.name, *relative.parts[:-1])) if options.split_from_folders else None
    return Item(relative.as_posix(), file.read_bytes, tuple(text), split, problem)


def _label_of(relative: Path, base: Path, options: ImportOptions) -> tuple[str, str]:
    """(label, problem)."""
    if options.labels == "none":
        return "", ""
    if options.labels == "folder":
        folder = relative.parts[-2] if len(relative.parts) > 1 else base.name
        if folder == UNLABELLED_FOLDER:
            return "", ""
        if options.split_from_folders and folder.lower() in SPLIT_FOLDERS:
            return "", f"lies in {folder}/ itself, not in a folder named like its label"
        return unquote(folder), ""
    if options.pattern is None:
        match = _NAME.fullmatch(relative.stem)
        return (unquote(match["text"]) if match else ""), ""
    found = re.search(options.pattern, relative.name)
    if found is None:
        return "", f"its name doesn't match the pattern {options.pattern!r}"
    if "text" in found.groupdict():
        return found["text"] or "", ""
    return (found[1] if found.re.groups else found[0]) or "", ""


def _split_of(folders: tuple[str, ...]) -> str | None:
    """The split the innermost telling folder names."""
    return next((SPLIT_FOLDERS[f.lower()] for f in reversed(folders) if f.lower() in SPLIT_FOLDERS), None)


# Tables


def _from_table(table: Path, options: ImportOptions) -> tuple[list[Item], list[str]]:
    try:
        text = table.read_text(encoding="utf-8-sig")
        rows = _csv_rows(text) if table.suffix.lower() == ".csv" else _jsonl_rows(text)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise CaptchaLabError(f"{table} can't be read: {error}. Mend that line and import again.") from error
    items = [_row_item(table.parent, row, options) for row in rows]
    if not items:
        raise CaptchaLabError(f"{table} names no images.")
    named = {item.name for item in items}
    files = _from_files(table.parent, ImportOptions(labels="none"))[0]
    others = sum(item.name not in named for item in files)
    return items, [f"{others} images that {table.name} does not name were left alone."] if others else []


@dataclass(frozen=True)
class _Row:
    file: str
    places: tuple[str | None, ...]
    split: str | None


def _row_item(folder: Path, row: _Row, options: ImportOptions) -> Item:
    path = folder / row.file
    split = row.split
    if split is None and options.split_from_folders:
        split = _split_of(Path(row.file).parts[:-1])
    # A table may come from a stranger: it names files in its own folder only.
    outside = not path.resolve().is_relative_to(folder.resolve())
    problem = f"lies outside {folder}" if outside else ""
    return Item(Path(row.file).as_posix(), path.read_bytes, row.places, split, problem)


def _csv_rows(text: str) -> list[_Row]:
    rows = [row for row in csv.reader(text.splitlines(), strict=True) if row]
    if not rows:
        return []
    head = [cell.strip().lower() for cell in rows[0]]
    file = next((head.index(c) for c in _FILE_COLUMNS if c in head), None)
    label = next((head.index(c) for c in _TEXT_COLUMNS if c in head), None)
    split = head.index("split") if "split" in head else None
    if file is None or label is None:
        file, label, split, start = 0, 1, None, 0
    else:
        start = 1
    needed = max(file, label) + 1
    for number, row in enumerate(rows[start:], start + 1):
        if len(row) < needed:
            raise ValueError(f"line {number} has {len(row)} columns, not {needed}")
    return [
        _Row(row[file], tuple(row[label]), split_name(row[split] if split is not None else None))
        for row in rows[start:]
    ]


def _jsonl_rows(text: str) -> list[_Row]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value: Any = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number} is not JSON ({error})") from error
        if not isinstance(value, dict) or not isinstance(value.get("file"), str):
            raise ValueError(f'line {number} is no object with a "file"')
        places = value.get("labels", list(value.get("text") or ""))
        if not isinstance(places, list) or not all(p is None or isinstance(p, str) for p in places):
            raise ValueError(f'line {number}: "labels" must be a list of characters or null')
        rows.append(_Row(value["file"], tuple(places), split_name(value.get("split"))))
    return rows
