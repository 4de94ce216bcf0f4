"""Lists as other programs write them (CSV in any dialect, text, JSON, JSON lines), read into rows of cells.

A file may be read in more than one way (which separator? which of pandas' orientations?): all ways are given, one at a
time, and whoever knows the pictures' names takes the one that names most of them.

What becomes an object of Python is counted before it is made: `[],` are three bytes of a file and seventy of memory.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from captcha_lab.store.files import read_file

TABLES = (".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".ndjson")
MAX_TABLE_BYTES = 128 << 20
MAX_COLUMNS = 500  # a column for each character of each place are some three hundred
MAX_ROWS = 1_000_000
MAX_CELLS = 5_000_000
MAX_DEPTH = 20  # objects around the table
MAX_WAYS = 100  # to read a file
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Sheet:
    """Rows of cells.

    Attributes:
        header: a name of each column, empty where there is none.
        rows: the cells of each row; shorter ones lack their last cells.
        lines: of each row, the number of the line (or of the entry) it came from.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    lines: tuple[int, ...]


def read_sheets(path: Path) -> tuple[Iterator[Sheet], str]:
    """All ways to read a file, at most `MAX_WAYS`, each made when it is asked for; and the encoding it is in.

    Raises:
        ValueError: it can be read in no way, or holds too much (also while the ways are gone through); the message
            says where it fails.
        CaptchaLabError: it is no ordinary file, too large, or the disk refuses.
    """
    text, encoding = decode_text(read_file(path, MAX_TABLE_BYTES))
    return islice(_ways(text, path.suffix.lower()), MAX_WAYS), encoding


def _ways(text: str, kind: str) -> Iterator[Sheet]:
    if kind in (".jsonl", ".ndjson"):
        return _of_json_lines(text)
    if kind == ".json":
        try:
            value = _parse(text)
        except ValueError:
            if text.count("\n") < 2:
                raise
            return _of_json_lines(text)  # pandas' `lines=True` under the wrong name
        return _of_json(value)
    return _of_lines(text, free=kind == ".txt")


def decode_text(data: bytes) -> tuple[str, str]:
    """A text file's text and its encoding, by its byte order mark, else by what its bytes can be."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace"), encoding
    if b"\0" in data[:4096]:  # UTF-16 of mostly ASCII has a zero in every other byte
        zeros = [data[k:4096:2].count(0) for k in (0, 1)]
        if max(zeros) > 4 * max(1, min(zeros)):
            encoding = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
            return data.decode(encoding, "replace"), encoding
    for encoding in ("utf-8", "gb18030"):
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return data.decode("cp1252", "replace"), "cp1252"


def _of_lines(text: str, *, free: bool) -> Iterator[Sheet]:
    """CSV with each separator; with `free`, also a name and a text with spaces between, and texts alone."""
    said = re.match(r"sep=(.)\r?\n", text)  # how Excel is told the separator
    text = text[said.end() :] if said else text
    lines = max(text.count("\n"), text.count("\r"))
    ways = [
        (lines + text.count(delimiter), partial(_csv_rows, text, delimiter))
        for delimiter in ",;\t|"
        if delimiter in text
    ]
    if free or not ways:
        ways += [(2 * lines, partial(_split_lines, text, 1)), (lines, partial(_split_lines, text, 0))]
    count, problem = 0, ""
    for cells, way in ways:
        try:
            if cells > MAX_CELLS or lines > MAX_ROWS:
                raise _too_large()
            rows, numbers = [], []
            for number, row in way():
                if any(cell.strip() for cell in row):
                    rows.append(tuple(row))
                    numbers.append(number)
            sheet = _sheet((), rows, numbers)
        except (csv.Error, ValueError) as error:
            problem = problem or str(error)
            continue
        yield sheet
        count += 1
    if not count:
        raise ValueError(problem or "it is empty")


def _csv_rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    lines = (match[0] for match in re.finditer(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    start = 1
    try:
        for row in reader:
            yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {start}: {error}") from error


def _split_lines(text: str, times: int) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        yield number, line.split(maxsplit=1) if times else [line.strip()]


def _of_json_lines(text: str) -> Iterator[Sheet]:
    _check_size(1, text.count("\n"))
    _check_values(text)
    values = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                values[number] = _parse(line)
            except ValueError as error:
                raise ValueError(f"line {number} is not JSON ({error})") from error
    return _of_json(list(values.values()), list(values))


def _check_values(text: str) -> None:
    """Refuse JSON of more values than any list has; those inside of texts count, too."""
    if sum(map(text.count, ",[{")) > MAX_CELLS:
        raise _too_large()


def _parse(text: str) -> Any:
    _check_values(text)
    try:
        return json.loads(text, parse_constant=lambda name: None)  # NaN is pandas' empty cell
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _of_json(value: Any, lines: Sequence[int] | None = None, depth: int = 0) -> Iterator[Sheet]:
    """Every way in which a JSON value is a table: lists of objects or of lists, and pandas' orientations."""
    if isinstance(value, list):
        yield _of_records(value, lines or range(1, len(value) + 1))
        return
    if not isinstance(value, dict):
        raise ValueError("it holds neither a list nor an object")
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):  # orient="split"
        header = tuple(map(str, value["columns"]))
        yield _sheet(header, [row if isinstance(row, list) else [row] for row in value["data"]])
        return
    if value and all(isinstance(v, dict) for v in value.values()):
        yield from _of_objects(value)
        return
    lists = {name: column for name, column in value.items() if isinstance(column, list)}
    if len(lists) > 1 and len(set(map(len, lists.values()))) == 1:  # to_dict("list")
        yield _sheet(tuple(lists), [list(row) for row in zip(*lists.values(), strict=True)])
    yield _sheet((), [[name, text] for name, text in value.items()])
    pairs = [
        [name, one] for name, many in value.items() for one in (many if isinstance(many, list) else [many])
    ]
    yield _sheet((), pairs)  # texts, each with the pictures that show it
    # The table may lie inside, beside a version or a schema.
    for inner in lists.values():
        if inner and isinstance(inner[0], dict | list):
            yield _of_records(inner)
    for inner in value.values():
        if isinstance(inner, dict) and inner and depth < MAX_DEPTH:
            yield from _of_json(inner, depth=depth + 1)


def _of_objects(value: dict[str, dict[str, Any]]) -> Iterator[Sheet]:
    """Objects by name: each is a row (orient="index"), or a column."""
    count = 0
    with suppress(ValueError):  # more columns than a table has: it lies the other way
        yield _of_records([{"index": key, **inner} for key, inner in value.items()])
        count += 1
    keys = dict.fromkeys(key for inner in value.values() for key in inner)
    if len(value) < MAX_COLUMNS and len(value) * len(keys) <= MAX_CELLS:
        named = ({name: inner.get(key) for name, inner in value.items()} for key in keys)
        yield _of_records([{"index": key, **row} for key, row in zip(keys, named, strict=True)])
        count += 1
    if not count:
        _check_size(len(value) + 1)


def _of_records(values: Sequence[Any], lines: Sequence[int] | None = None) -> Sheet:
    lines = lines or range(1, len(values) + 1)
    if not any(isinstance(v, dict) for v in values):
        return _sheet((), [v if isinstance(v, list) else [v] for v in values], lines)
    for number, value in zip(lines, values, strict=True):
        if not isinstance(value, dict):
            raise ValueError(f"line {number} is no object")
    header = _names(values)
    _check_size(len(header), len(values))
    return _sheet(header, [[value.get(key) for key in header] for value in values], lines)


def _names(records: Iterable[Iterable[Any]]) -> tuple[str, ...]:
    """The distinct keys of all records; each of many may have a key of its own, and a table has room for all."""
    names: dict[str, None] = {}
    for record in records:
        names.update(dict.fromkeys(map(str, record)))
        _check_size(len(names))
    return tuple(names)


def _check_size(columns: int, rows: int = 1) -> None:
    if columns > MAX_COLUMNS or rows > MAX_ROWS or columns * rows > MAX_CELLS:
        raise _too_large()


def _too_large() -> ValueError:
    return ValueError(
        f"it has more than {MAX_COLUMNS} columns, {MAX_ROWS:,} rows or {MAX_CELLS:,} cells: split it"
    )


def _sheet(
    header: tuple[str, ...], rows: Sequence[Sequence[Any]], lines: Sequence[int] | None = None
) -> Sheet:
    _check_size(max(map(len, rows), default=0), len(rows))
    return Sheet(header, tuple(map(tuple, rows)), tuple(lines or range(1, len(rows) + 1)))
