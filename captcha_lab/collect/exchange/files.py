"""What lies in a folder: pictures, lists and arrays, each by a name that can be shown and stored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from captcha_lab.collect.exchange.item import SPLIT_FOLDERS, UNLABELLED_FOLDER, UNREADABLE_FOLDER, Said
from captcha_lab.collect.exchange.lists import Pictures
from captcha_lab.collect.exchange.options import ImportOptions
from captcha_lab.collect.exchange.tables import TABLES
from captcha_lab.datasets.pictures import PICTURE_EXTENSIONS, left_alone
from captcha_lab.store.listing import list_files
from captcha_lab.text import printable

ARRAYS = (".mat", ".h5", ".hdf5")


@dataclass
class Files:
    """What lies in a folder.

    Attributes:
        base: the folder.
        pictures: path of each by its name relative to the folder, as it can be shown.
        tables: files that may be lists, likewise.
        arrays: .mat and .h5 files, likewise.
        others: names of all other files.
        left_out: names of pictures that are pipes, devices or links to nothing.
        illegible: pictures whose names are in no known encoding, and what is said of them.
        recoded: number of names that are not UTF-8 and were read as GBK.
    """

    base: Path
    pictures: dict[str, Path] = field(default_factory=dict)
    tables: dict[str, Path] = field(default_factory=dict)
    arrays: dict[str, Path] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    illegible: dict[str, Said] = field(default_factory=dict)
    recoded: int = 0

    @cached_property
    def index(self) -> Pictures:
        """Finds the pictures, once they are all there."""
        return Pictures(list(self.pictures))

    def add_picture(self, shown: str, encoding: str, path: Path) -> None:
        """Add one by its name, as `shown_name` gives it."""
        while shown in self.pictures:  # two names may be shown alike
            shown += "'"
        self.pictures[shown] = path
        self.recoded += encoding == "GBK"
        if not encoding:
            self.illegible[shown] = Said(why="its name is in no known encoding")

    def remarks(self) -> list[str]:
        """What was left alone."""
        return left_alone((*self.others, *self.tables, *self.arrays))


def files_of(base: Path) -> Files:
    """The files of a folder (see `list_files` for errors)."""
    files, left_out = Files(base), list[str]()
    names = sorted(name for name, _ in list_files(base, left_out))
    # A few GBK names are UTF-8 by chance: where one is not, all are read as GBK.
    gbk = any(not _is_utf8(name) for name in names)
    for name in names:
        shown, encoding = shown_name(name, gbk=gbk)
        ending = PurePosixPath(shown).suffix.lower()
        if ending in PICTURE_EXTENSIONS:
            files.add_picture(shown, encoding, base / name)
        elif ending in TABLES:
            files.tables[shown] = base / name
        elif ending in ARRAYS:
            files.arrays[shown] = base / name
        else:
            files.others.append(shown)
    files.left_out = sorted(
        shown_name(name, gbk=gbk)[0] for name in left_out if name.lower().endswith(PICTURE_EXTENSIONS)
    )
    return files


def one_file(path: Path) -> Files:
    """A picture alone."""
    files = Files(path.parent)
    files.add_picture(*shown_name(path.name), path)
    return files


def shown_name(name: str, *, gbk: bool = False) -> tuple[str, str]:
    """A file's name as it can be shown and stored, and its encoding: UTF-8, GBK (in Chinese archives), or unknown ("").

    Args:
        name: as Python gives it.
        gbk: read it so even if it is UTF-8 too; what is not UTF-8 always is.
    """
    encoding = "UTF-8" if _is_utf8(name) else ""
    if not name.isascii() and (gbk or not encoding):
        with suppress(UnicodeDecodeError):
            name, encoding = os.fsencode(name).decode("gb18030"), "GBK"
    return printable(name), encoding


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _tops(names: Sequence[str]) -> set[str]:
    return {PurePosixPath(name).parts[0] for name in names if "/" in name} - {
        UNLABELLED_FOLDER,
        UNREADABLE_FOLDER,
    }


def only_splits(names: Sequence[str]) -> bool:
    """Whether all top folders are named like splits; else one of them may be named by its text."""
    tops = _tops(names)
    return bool(tops) and all(top.lower() in SPLIT_FOLDERS for top in tops)


def splits_of(
    names: Sequence[str], base: Path, options: ImportOptions
) -> tuple[dict[str, str | None], list[str]]:
    """The split that its folders fix for each name, and remarks."""
    if not options.split_from_folders:
        tops = sorted(_tops(names))
        note = f"The folders {', '.join(tops)} look like splits: --split-from-folders keeps them apart."
        return dict.fromkeys(names), [note] if len(tops) > 1 and only_splits(names) else []
    outer = shown_name(base.resolve().name)[0]

    def split(name: str) -> str | None:
        folders = PurePosixPath(name).parts[:-1]
        if options.labels == "folder":  # the innermost is the text
            folders = folders[:-1]
        return next(
            (SPLIT_FOLDERS[f.lower()] for f in (*folders[::-1], outer) if f.lower() in SPLIT_FOLDERS), None
        )

    return {name: split(name) for name in names}, []
