"""Label lists beside pictures: which column names the pictures, which holds their texts, which row means which."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

from captcha_lab.collect.exchange.fields import DIGITS, HEX, TEXT, kind_of
from captcha_lab.collect.exchange.item import Said, places_of, spelled, split_name, text_of
from captcha_lab.collect.exchange.names import stem_of
from captcha_lab.collect.exchange.tables import Sheet, read_sheets
from captcha_lab.datasets.pictures import PICTURE_EXTENSIONS
from captcha_lab.errors import CaptchaLabError

_FILE_COLUMNS = (
    "file",
    "filename",
    "file_name",
    "path",
    "filepath",
    "file_path",
    "image",
    "img",
    "image_path",
    "name",
)
_TEXT_COLUMNS = (
    "text",
    "label",
    "labels",
    "captcha",
    "words",
    "solution",
    "answer",
    "code",
    "value",
    "target",
)
_PLACES_COLUMN, _UNREADABLE_COLUMN = "labels", "unreadable"


class Pictures:
    """The pictures of a folder by their names relative to it, found by whatever a list calls them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._place: tuple[str, ...] = ()
        self._whole: dict[str, list[int]] = defaultdict(list)
        self._last: dict[str, list[int]] = defaultdict(list)
        self._stem: dict[str, list[int]] = defaultdict(list)
        self._number: dict[int, list[int]] = defaultdict(list)
        for k, name in enumerate(map(_key, names)):
            self._whole[name].append(k)
            self._last[name.rpartition("/")[2]].append(k)
            stem = stem_of(name)
            self._stem[stem].append(k)
            if _is_number(stem):
                self._number[int(stem)].append(k)

    def beside(self, name: str) -> Pictures:
        """The same, as a list of that name (relative to the folder) calls them: its own folder's come first."""
        other = copy(self)
        other._place = PurePosixPath(_key(name)).parts[:-1]
        return other

    def find(self, cell: Any) -> int | None:
        """The index of the picture that a cell names: by its path, the end of it, without its ending, by number."""
        if isinstance(cell, bool) or not isinstance(cell, str | int) or cell == "":
            return None
        name = _key(str(cell).strip().replace("\\", "/"))
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if not parts or ".." in parts:
            return None
        last = parts[-1]
        found = self._whole.get("/".join(parts)) or self._last.get(last) or self._stem.get(stem_of(last))
        if not found and _is_number(last):
            found = self._number.get(int(last))
        if not found or len(found) == 1:
            return found[0] if found else None
        # Of pictures in several folders the one whose path agrees furthest.
        agreed = [_common_end(self._place + parts, _key(self.names[k]).split("/")) for k in found]
        best = [k for k, depth in zip(found, agreed, strict=True) if depth == max(agreed)]
        return best[0] if len(best) == 1 else None


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 20


def _key(name: str) -> str:
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(reversed(one), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


@dataclass(frozen=True)
class LabelList:
    """What a list says of a folder's pictures.

    Attributes:
        name: of its file, as shown.
        said: by index of the picture.
        strays: rows that name no picture here, as (what they name, why it is not taken).
        sure: whether it is clear which columns are meant, and most rows name pictures.
        notes: for the user.
    """

    name: str
    said: dict[int, Said]
    strays: tuple[tuple[str, str], ...] = ()
    sure: bool = True
    notes: tuple[str, ...] = ()


def read_list(path: Path, name: str, pictures: Pictures) -> LabelList | None:
    """The list in a file, None where the file names none of the pictures.

    Raises:
        ValueError: the file can't be read; the message says where.
        CaptchaLabError: the disk refuses.
    """
    sheets, encoding = read_sheets(path)
    best, sheet = None, None
    for sheet in sheets:
        choice = _columns(sheet, pictures)
        if choice is not None and (best is None or choice.named > best.named):
            best = choice
    if best is None:
        return _in_order(sheet, name, pictures) if sheet and path.suffix.lower() == ".txt" else None
    notes = [] if encoding.startswith("utf-8") else [f"{name} was read as {encoding.upper()}."]
    return _collect(best, name, pictures, notes)


@dataclass(frozen=True)
class _Choice:
    sheet: Sheet
    file: int
    text: int | None
    named: int  # pictures
    start: int  # first row that is no header
    sure: bool

    @cached_property
    def columns(self) -> dict[str, int]:
        """The columns by name, the first of each."""
        header = _header(self.sheet, self.start)
        return {name: k for k, name in reversed(list(enumerate(header)))}


def _header(sheet: Sheet, start: int) -> list[str]:
    cells = sheet.header or (sheet.rows[0] if start else ())
    return [str(cell).strip().lower() for cell in cells]


def _columns(sheet: Sheet, pictures: Pictures) -> _Choice | None:
    """The columns of names and of texts: by what their cells name, then by what they are called."""
    width = max((len(row) for row in sheet.rows), default=0)
    found = [{pictures.find(row[c]) for row in sheet.rows if c < len(row)} - {None} for c in range(width)]
    first = list(map(str, sheet.rows[0])) if sheet.rows else []
    most = max(map(len, found), default=0) >= 0.5 * (len(sheet.rows) - 1) > 0
    start = int(not sheet.header and _is_header(first, pictures, most))
    header = _header(sheet, start)
    called = [header.index(name) for name in _FILE_COLUMNS if name in header]
    # A column called so wins over one that chances to name as many (texts that other pictures are named by).
    best = max(called + list(range(width)), key=lambda c: len(found[c]) if c < width else 0, default=None)
    if best is None or (not found[best] and not called):
        return None
    file = best if found[best] else called[0]
    chosen = _text_column(sheet, header, file, width, start)
    return None if chosen is None else _Choice(sheet, file, chosen[0], len(found[file]), start, chosen[1])


def _text_column(
    sheet: Sheet, header: list[str], file: int, width: int, start: int
) -> tuple[int | None, bool] | None:
    """The column of the texts (None: several may be), and whether it surely is; None where there is none."""
    called = [header.index(name) for name in _TEXT_COLUMNS if name in header and header.index(name) != file]
    if called:
        return called[0], True
    rest = [c for c in range(width) if c != file]
    kinds = {c: _kind(sheet, c, start) for c in rest}
    likely = [c for c in rest if kinds[c] in (TEXT, DIGITS, HEX)]
    if len(likely) == 1:
        # A header in words of its own may call it anything: numbers may be sizes.
        return likely[0], not header or (len(rest) == 1 and kinds[likely[0]] == TEXT)
    if len(rest) == 1:
        return rest[0], not header and len(sheet.rows) < 10
    return (None, False) if likely else None


def _is_header(first: list[str], pictures: Pictures, others_name_pictures: bool) -> bool:
    if any(
        pictures.find(cell) is not None or cell.lower().strip().endswith(PICTURE_EXTENSIONS) for cell in first
    ):
        return False
    return others_name_pictures or any(c.strip().lower() in {*_FILE_COLUMNS, *_TEXT_COLUMNS} for c in first)


def _kind(sheet: Sheet, column: int, start: int) -> str:
    cells = [
        str(row[column]).strip()
        for row in sheet.rows[start:]
        if column < len(row) and row[column] is not None
    ]
    return kind_of(filled) if (filled := [c for c in cells if c]) else ""


def _collect(choice: _Choice, name: str, pictures: Pictures, notes: list[str]) -> LabelList:
    said: dict[int, Said] = {}
    strays: list[tuple[str, str]] = []
    for line, row in list(zip(choice.sheet.lines, choice.sheet.rows, strict=True))[choice.start :]:
        cell = row[choice.file] if choice.file < len(row) else None
        if cell is None or (choice.text is not None and choice.text >= len(row)):
            raise ValueError(
                f"line {line} has {len(row)} columns, not {max(choice.file, choice.text or 0) + 1}"
            )
        index = pictures.find(cell)
        if index is None:
            strays.append((str(cell), _stray(str(cell), line)))
            continue
        try:
            new = _said(choice, row, f"{name}, line {line}")
        except ValueError as error:
            raise ValueError(f"line {line}: {error}") from error
        old = said.get(index, new)
        if old.shown != new.shown:
            doubt = f"{name} gives it two labels, {old.shown!r} and {new.shown!r}: neither was taken"
            new = replace(new, text=None, places=(), doubt=doubt)
        said[index] = new
    lost = _lost_zeros(choice)
    if lost:
        notes.append(
            f"{lost} texts in {name} are numbers shorter than the others: zeros in front of them may be lost."
        )
    # Any file may name a picture or two; a header says that it means to.
    meant = _header(choice.sheet, choice.start) != [] or len(said) > max(len(strays), len(pictures.names) > 1)
    return LabelList(name, said, tuple(strays), choice.sure and meant, tuple(notes))


def _said(choice: _Choice, row: tuple[Any, ...], why: str) -> Said:
    def cell(name: str) -> Any:
        column = choice.columns.get(name)
        return row[column] if column is not None and column < len(row) else None

    split = split_name(cell("split"))
    if str(cell(_UNREADABLE_COLUMN) or "").strip().lower() in ("1", "true", "yes"):
        return Said("", split=split, why=f"{why}: no person can read it")
    try:
        value = row[choice.text] if choice.text is not None else None
        text = None if isinstance(value, list) else text_of(value)
        cells = value if isinstance(value, list) else cell(_PLACES_COLUMN)
        if text is not None or not isinstance(cells, list):
            return Said(text, split=split, why=why if text else f"{why}: no label")
        places = places_of(cells)
        # Our own lists say `null` for the text where it is not whole, even if all places are labelled.
        text = spelled(places) if isinstance(value, list) else None
        return Said(text, () if text else places, split, why)
    except CaptchaLabError as error:
        return Said(split=split, why=why, doubt=str(error))


def _stray(cell: str, line: int) -> str:
    if "\0" in cell:
        return f"line {line}: the name holds a NUL character, which no file's name does"
    if ".." in PurePosixPath(cell.replace("\\", "/")).parts:
        return f"line {line}: it lies outside of the list's folder"
    return f"line {line}: there is no such picture beside the list, or more than one"


def _lost_zeros(choice: _Choice) -> int:
    """Texts that are numbers to JSON and shorter than all the others."""
    rows = choice.sheet.rows[choice.start :]
    cells = [row[choice.text] for row in rows if choice.text is not None and choice.text < len(row)]
    numbers = [len(str(int(c))) for c in cells if type(c) is int or (isinstance(c, float) and c.is_integer())]
    lengths = [*numbers, *(len(c) for c in cells if isinstance(c, str))]
    usual = Counter(lengths).most_common(1)[0][0] if lengths else 0
    short = sum(length < usual for length in numbers)
    return short if max(lengths, default=0) == usual and short < 0.5 * len(numbers) else 0


def _in_order(sheet: Sheet, name: str, pictures: Pictures) -> LabelList | None:
    """One text a line, in the order of the pictures' names: sure where there are as many, and one order."""
    rows = [str(row[0]) for row in sheet.rows]
    if len(rows) != len(pictures.names) or not rows or max(map(len, rows)) > 20:
        return None
    order = sorted(range(len(rows)), key=lambda k: natural(pictures.names[k]))
    plain = sorted(range(len(rows)), key=lambda k: pictures.names[k])
    said = {}
    for k, line, row in zip(order, sheet.lines, rows, strict=True):
        try:
            said[k] = Said(text_of(row), why=f"{name}, line {line}, in the order of the names")
        except CaptchaLabError as error:
            said[k] = Said(doubt=str(error))
    note = f"{name} holds as many lines as there are pictures: they were paired in the order of the names."
    return LabelList(name, said, sure=order == plain and len(rows) > 1, notes=(note,))


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts `9.png` before `10.png`."""
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in re.split(r"(\d+)", name)]
