"""What there is to import: a list of named pictures, each with what its source says of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from captcha_lab.collect.exchange.fields import DIGITS, HEX, TEXT, kind_of
from captcha_lab.collect.exchange.files import (
    ARRAYS,
    Files,
    files_of,
    one_file,
    only_splits,
    shown_name,
    splits_of,
)
from captcha_lab.collect.exchange.item import (
    SPLIT_FOLDERS,
    UNLABELLED_FOLDER,
    UNREADABLE_FOLDER,
    Item,
    Said,
    check_text,
    text_of,
)
from captcha_lab.collect.exchange.lists import LabelList, read_list
from captcha_lab.collect.exchange.matching import match_all
from captcha_lab.collect.exchange.names import find_pattern, plain_text
from captcha_lab.collect.exchange.options import ImportOptions
from captcha_lab.collect.exchange.tables import TABLES, decode_text
from captcha_lab.datasets.pictures import PICTURE_EXTENSIONS
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.files import read_file
from captcha_lab.text import printable

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
MAX_TEXT_BYTES = 1 << 16  # of a file that holds the text of one picture
_LIST_NAMES = ("labels", "label")  # what files are called that surely are lists
_MOST_BYTES = 64 << 20  # of a file that may be one
_OFFERED = 3  # lists that are named where it is not clear that they are lists
_MOST_BESIDE = 20  # lists beside a folder that are looked at


def find_items(path: Path, options: ImportOptions) -> tuple[list[Item], list[str]]:
    """The items at a path, in a stable order, and remarks for the user.

    Raises:
        CaptchaLabError: nothing is there, or the list or array file can't be read.
        UsageError: the options ask for labels that such a path doesn't have.
    """
    if not path.exists():
        raise CaptchaLabError(f"{path} does not exist: give a folder of images, or a file made by `export`.")
    if path.suffix.lower() in ARRAYS and path.is_file():
        return _from_arrays(path)
    if path.suffix.lower() in TABLES and path.is_file():
        files = files_of(path.parent)
        name = path.name
        return _from_lists(files, [_read_list(path, name, files)], options)
    if path.suffix.lower() in ARCHIVES and path.is_file():
        raise CaptchaLabError(f"{path} is an archive: unpack it, and import the folder.")
    files = files_of(path) if path.is_dir() else one_file(path)
    if not files.pictures and not files.left_out:
        if len(files.arrays) == 1:
            return _from_arrays(next(iter(files.arrays.values())))
        raise CaptchaLabError(
            f"{path} holds no images ({', '.join(PICTURE_EXTENSIONS)}). {' '.join(files.remarks())}".strip()
        )
    if options.list_kind is not None:
        return _from_lists(files, [_only_list(path, files, options)], options)
    notes: list[str] = []
    if options.labels == "auto" and options.pattern is None:
        lists = _texts_beside(files)
        lists += [found for name, table in files.tables.items() if (found := _offered(table, name, files))]
        chosen, notes = _choose(path, lists)
        files.tables = {name: t for name, t in files.tables.items() if name not in {f.name for f in lists}}
        if chosen:
            items, more = _from_lists(files, chosen, options)
            return items, [*more, *notes, *files.remarks()]
    items, more = _from_names(files, options)
    if not any(item.said.text for item in items) and options.labels == "auto":
        notes += _beside(path, files)
    return items, [*notes, *more, *files.remarks()]


def _items(files: Files, said: dict[str, Said]) -> list[Item]:
    """The named pictures, and what can't be read."""
    items = [Item(name, partial(read_file, files.pictures[name]), what) for name, what in said.items()]
    return items + [
        Item(name, bytes, problem="it is a pipe, a device or a link to nothing") for name in files.left_out
    ]


# Labels from the names


def _from_names(files: Files, options: ImportOptions) -> tuple[list[Item], list[str]]:
    names = [name for name in files.pictures if name not in files.illegible]
    notes, problems = [], dict[str, str]()
    if files.recoded:
        notes.append(f"{files.recoded} file names are not UTF-8 and were read as GBK.")
    if files.illegible:
        notes.append(f"{len(files.illegible)} file names are in no known encoding and give no label.")
    if options.labels == "none" or not names:
        said = {name: Said(why="--labels none") for name in names}
    elif options.labels == "folder":
        all_splits = options.split_from_folders and only_splits(names)
        said = {name: _of_folder(name, files.base, all_splits) for name in names}
    elif options.pattern is not None:
        said, problems = _of_pattern(names, options.pattern)
    else:
        said, more = _of_all_names(names, files.base, options)
        notes += more
    said |= files.illegible
    splits, more = splits_of(list(said), files.base, options)
    said = {name: replace(what, split=what.split or splits[name]) for name, what in said.items()}
    items = [replace(i, problem=problems.get(i.name, i.problem)) for i in _items(files, said)]
    return items, notes + more


def _of_all_names(
    names: Sequence[str], base: Path, options: ImportOptions
) -> tuple[dict[str, Said], list[str]]:
    found = find_pattern(names)
    if not found.sure and options.labels != "filename":
        folders = _text_folders(names)
        if not folders:
            return {name: Said(why=found.message) for name in names}, [found.message]
        shown = ", ".join(folders[:3])
        if len(folders) >= 0.5 * len(names):
            note = f"The folders are named by the texts ({shown})."
            return {n: _of_folder(n, base, False) if "/" in n else Said() for n in names}, [note]
        offer = f"The folders may be named by the texts ({shown}): --labels folder takes them."
        return {name: Said(why=found.message) for name in names}, [found.message, offer]
    taken = [f"{PurePosixPath(n).name} is {t}" for n, t in zip(names, found.texts, strict=True) if t]
    notes = [
        found.message if found.sure else f"Taken from the file names: {', '.join(taken[:3]) or 'nothing'}."
    ]
    if found.outliers:
        first = ", ".join(found.outliers[:3])
        notes.append(f"{len(found.outliers)} names don't fit and give no label: {first} …")
    why = "the pattern of the file names" if found.sure else "--labels filename"
    return {n: _checked(t, why) for n, t in zip(names, found.texts, strict=True)}, notes


def _text_folders(names: Sequence[str]) -> list[str]:
    """The innermost folders' names where they look like texts, else none."""
    folders = sorted({PurePosixPath(name).parts[-2] for name in names if "/" in name})
    texts = [f for f in folders if f.lower() not in SPLIT_FOLDERS and not f.startswith("_")]
    return texts if len(texts) >= 5 and kind_of([plain_text(t) for t in texts]) in (TEXT, DIGITS, HEX) else []


def _of_folder(name: str, base: Path, all_splits: bool) -> Said:
    parts = PurePosixPath(name).parts
    folder = parts[-2] if len(parts) > 1 else shown_name(base.resolve().name)[0]
    why = f"the folder {folder}"
    if folder in (UNLABELLED_FOLDER, UNREADABLE_FOLDER):
        return Said("" if folder == UNREADABLE_FOLDER else None, why=why)
    if all_splits and len(parts) < 3:
        return Said(why=why, doubt=f"lies in {folder}/ itself, not in a folder named like its label")
    return _checked(plain_text(folder), why)


def _of_pattern(names: Sequence[str], pattern: str) -> tuple[dict[str, Said], dict[str, str]]:
    """What a regular expression finds in each name, and what is wrong with names in which it finds nothing."""
    said, problems = dict[str, Said](), dict[str, str]()
    texts = match_all(pattern, [PurePosixPath(name).name for name in names])
    for name, text in zip(names, texts, strict=True):
        if text is None:
            said[name], problems[name] = Said(), f"its name doesn't match the pattern {pattern!r}"
            continue
        said[name] = _checked(unicodedata.normalize("NFC", text) or None, "--pattern")
    return said, problems


def _checked(text: str | None, why: str) -> Said:
    try:
        check_text(text or "")
    except CaptchaLabError as error:
        return Said(why=why, doubt=str(error))
    return Said(text, why=why)


# Labels from lists


def _read_list(path: Path, name: str, files: Files) -> LabelList:
    """The list in a file.

    Raises:
        CaptchaLabError: it can't be read, or names none of the pictures.
    """
    try:
        found = read_list(path, name, files.index.beside(name))
    except (CaptchaLabError, ValueError) as error:
        raise CaptchaLabError(
            f"{path} can't be read: {error}. Mend it and import again, or leave the list out with --labels none."
        ) from error
    if found is None or not (found.said or found.strays):
        raise CaptchaLabError(
            f"{path} names no images: a column must give the files' names, another their texts."
        )
    return found


def _offered(path: Path, name: str, files: Files) -> LabelList | None:
    """A list found among the pictures; None where the file is something else."""
    called = path.stem.lower() in _LIST_NAMES
    try:
        if not called and path.stat().st_size > _MOST_BYTES:
            return None
        found = _read_list(path, name, files)
    except (CaptchaLabError, OSError):
        if called:
            raise
        return None
    if called:
        return replace(found, sure=bool(found.said))
    return found if found.said and len(found.said) >= len(found.strays) else None


def _texts_beside(files: Files) -> list[LabelList]:
    """The texts in files named like the pictures (`7.png` and `7.txt`, or `7.gt.txt`), taken out of the tables."""
    by_stem = {re.sub(r"(\.gt)?\.txt$", "", name): name for name in files.tables if name.endswith(".txt")}
    pairs = {
        k: by_stem[stem]
        for k, name in enumerate(files.pictures)
        if (stem := name.rpartition(".")[0]) in by_stem
    }
    if len(pairs) < 0.5 * len(files.pictures) or len(pairs) < 2:
        return []
    said = {}
    for k, name in pairs.items():
        try:
            text, _ = decode_text(read_file(files.tables[name], MAX_TEXT_BYTES))
            said[k] = Said(text_of(text), why=name)
        except CaptchaLabError as error:
            said[k] = Said(why=name, doubt=str(error))
    if sum(not what.doubt for what in said.values()) < 0.9 * len(said):
        return []
    for name in pairs.values():
        del files.tables[name]
    return [LabelList("the .txt files named like the images", said)]


def _only_list(path: Path, files: Files, options: ImportOptions) -> LabelList:
    kinds = TABLES if options.list_kind == "list" else (f".{options.list_kind}",)
    tables = {name: t for name, t in files.tables.items() if t.suffix.lower() in kinds}
    named = {name: t for name, t in tables.items() if PurePosixPath(name).stem == "labels"}
    chosen = tables if len(tables) == 1 else named
    if len(chosen) != 1:
        raise UsageError(
            f"{path} holds {len(tables)} {'lists' if options.list_kind == 'list' else kinds[0] + ' files'}: "
            "name the one to read as PATH itself."
        )
    name, table = next(iter(chosen.items()))
    return _read_list(table, name, files)


def _choose(path: Path, lists: list[LabelList]) -> tuple[list[LabelList], list[str]]:
    """The lists whose labels are taken: what is sure and not contradicted by another; and remarks on the others."""
    sure = [found for found in lists if found.sure]
    named = [found for found in sure if PurePosixPath(found.name).stem.lower() in _LIST_NAMES]
    for group in (sure, named):
        if group and not _contradictions(group):
            left = [found for found in lists if found not in group]
            return group, _offers(path, left)
    if sure:
        names = " and ".join(found.name for found in sure)
        return [], [
            f"{names} give different texts: no labels were taken from them; name the one to read as PATH."
        ]
    return [], _offers(path, lists)


def _offers(path: Path, lists: list[LabelList]) -> list[str]:
    offers = [
        f"{found.name} may be a list of labels, for {len(found.said)} of the pictures: "
        f"`captcha-lab import {path / found.name}` takes it."
        for found in lists[:_OFFERED]
    ]
    return [*offers, *([f"So may {len(lists) - _OFFERED} other files."] if len(lists) > _OFFERED else [])]


def _beside(path: Path, files: Files) -> list[str]:
    """Remarks on lists that lie beside the folder, not in it: they are only offered."""
    if not path.is_dir():
        return []
    around = path.resolve().parent
    try:
        tables = [t for t in sorted(around.iterdir()) if t.suffix.lower() in TABLES and t.is_file()]
    except OSError:
        return []
    found = [_offered(table, shown_name(table.name)[0], files) for table in tables[:_MOST_BESIDE]]
    return _offers(around, [each for each in found if each is not None and each.sure])


def _contradictions(lists: list[LabelList]) -> bool:
    known: dict[int, str] = {}
    return any(
        known.setdefault(k, what.shown) != what.shown for found in lists for k, what in found.said.items()
    )


def _from_lists(files: Files, lists: list[LabelList], options: ImportOptions) -> tuple[list[Item], list[str]]:
    names = list(files.pictures)
    splits, _ = splits_of(names, files.base, options)
    said: dict[str, Said] = {}
    notes, strays = [], []
    for found in lists:
        labels = sum(what.text is not None or bool(what.places) for what in found.said.values())
        notes += [f"Labels come from {found.name}: {labels} for {len(found.said)} images.", *found.notes]
        strays += [Item(printable(name), bytes, problem=why) for name, why in found.strays]
        for k, what in found.said.items():
            said[names[k]] = replace(what, split=what.split or splits[names[k]])
    # A list may come from a stranger: it names files in its own folder only.
    inside = files.base.resolve()
    items = [
        item
        if item.name not in files.pictures or files.pictures[item.name].resolve().is_relative_to(inside)
        else replace(item, problem="a link leads outside of the list's folder")
        for item in _items(files, said)
    ]
    others = len(names) - len(said)
    if others:
        which = " and ".join(found.name for found in lists)
        notes.append(f"{others} images that {which} does not name were left alone.")
    return items + strays, notes


def _from_arrays(path: Path) -> tuple[list[Item], list[str]]:
    from captcha_lab.collect.exchange.arrays import read_arrays

    return read_arrays(path), []
