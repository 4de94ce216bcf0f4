"""Labels out of file names: all names of an import are split into fields, and the field that is the text is found."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import unquote

from captcha_lab.collect.exchange.fields import DATE, DIGITS, HEX, TEXT, UUID, kind_of
from captcha_lab.datasets.pictures import PICTURE_EXTENSIONS

_SEPARATORS = r"\s_.,;()\[\]{}-"
_FIELD = rf"[^{_SEPARATORS}]+"
_WORDS = {
    "a running number": "NUMBER",
    "short numbers": "NUMBER",
    "long numbers": "NUMBER",
    "numbers": "NUMBER",
    "dates": "DATE",
    "time stamps": "TIME",
    "hashes": "HASH",
    "UUIDs": "UUID",
    "a few groups": "GROUP",
    "identifiers": "NAME",
}
SHOWN = 3  # examples
NOT_TAKEN = "No labels were taken from them"


@dataclass(frozen=True)
class NamePattern:
    """What a set of file names says.

    Attributes:
        texts: of each name, by the most likely field; None where it has none.
        sure: whether that field is the captchas' text without a doubt; only then labels are taken from it.
        message: the pattern with examples, and where it is not sure what would take the texts.
        outliers: names that have no such field.
    """

    texts: tuple[str | None, ...]
    sure: bool
    message: str
    outliers: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Column:
    """One field of all names: counted from the start, or (negative) from the end."""

    index: int
    values: tuple[str | None, ...]  # without the prefix and suffix that all of them have
    kind: str
    prefix: str
    suffix: str

    @property
    def rank(self) -> int:
        """How likely it is the text: 2, 1, or 0 for not at all."""
        return {TEXT: 2, DIGITS: 1, HEX: 1}.get(self.kind, 0)

    def regex(self, separators: str) -> str:
        """What finds the field in a file's name, for `--pattern`."""
        inner, between = f"[^{separators}]", f"[{separators}]"
        found = f"{re.escape(self.prefix)}({inner}+?){re.escape(self.suffix)}"
        if self.index < 0:
            return rf"{found}(?:{between}+{inner}+){{{-1 - self.index}}}\.\w+$"
        start = f"(?:{inner}*{between}+){{{self.index}}}" if self.index else ""
        return f"^{start}{found}(?:{between}|$)"


def stem_of(name: str) -> str:
    """A file's name without its folders and without any endings that name pictures (`A7KX.jpg.png`)."""
    stem = name.rpartition("/")[2]
    while stem.lower().endswith(PICTURE_EXTENSIONS) and not stem.startswith("."):
        stem = stem.rpartition(".")[0]
    return stem


def plain_text(field: str) -> str:
    """A text as names of files spell it: %XX resolved, composed (NFC)."""
    return unicodedata.normalize("NFC", unquote(field))


def find_pattern(names: Sequence[str]) -> NamePattern:
    """Find the texts in the relative names of pictures (at least one), separated by `/`."""
    stems = [stem_of(name) for name in names]
    folders = [name.rpartition("/")[0] for name in names]
    fields = _split(stems)
    columns = _columns(fields, folders)
    best = max(columns, key=lambda c: c.rank, default=None)
    rivals = [c for c in columns if best is not None and c.rank == best.rank > 0]
    if best is None or best.rank == 0:
        texts = tuple(_first_field(stem) for stem in stems)
        what = columns[0].kind if columns and len(columns[0].values) else "of different kinds"
        doubt = f"{what}" if len(columns) == 1 else "no field of them looks like texts drawn at random"
        look = _look(names, stems, fields, columns, None)
        message = f"{look}: {doubt}. {NOT_TAKEN}; if they are texts, use --labels filename."
        return NamePattern(texts, False, message)
    texts = tuple(None if not v else plain_text(v) for v in best.values)
    look = _look(names, stems, fields, columns, best)
    doubt = _doubt(best, rivals, columns, names)
    if not doubt:
        pairs = ", ".join(f"{PurePath(n).name} is {t}" for n, t in _examples(names, texts))
        outliers = tuple(n for n, v in zip(names, best.values, strict=True) if v is None)
        return NamePattern(texts, True, f"{look}: {pairs}.", outliers)
    separators = "".join(sorted({c for stem in stems for c in re.findall(f"[{_SEPARATORS}]", stem)} | {"."}))
    ways = " or ".join(f"--pattern '{c.regex(re.escape(separators))}' ({_first(c)})" for c in rivals)
    message = f"{look}: {doubt}. {NOT_TAKEN}; what takes them: {ways}."
    return NamePattern(texts, False, message)


def _split(stems: Sequence[str]) -> list[list[str]]:
    dated = sum(re.search(DATE, stem) is not None for stem in stems) >= 0.95 * len(stems)
    whole = f"(?:{UUID}|{DATE})" if dated else UUID
    atom = re.compile(rf"(?<![A-Za-z0-9]){whole}(?![A-Za-z0-9])|{_FIELD}")
    # `_17` is our own export's name of a captcha without a text: an empty field and a number.
    return [([""] if stem.startswith("_") else []) + atom.findall(stem) for stem in stems]


def _columns(fields: list[list[str]], folders: list[str]) -> list[_Column]:
    """The fields that nearly all names have, counted from the start; where none of them may be the text, and names
    have more and fewer fields, also from the end."""
    widest = max(map(len, fields))
    columns = [c for index in range(widest) if (c := _column(fields, folders, index))]
    if any(c.rank for c in columns) or len(set(map(len, fields))) == 1:
        return columns
    same = sum(c.kind == "the same everywhere" for c in columns)
    behind = [f[same:] for f in fields]
    return columns + [c for k in range(widest - same) if (c := _column(behind, folders, -1 - k))]


def _column(fields: list[list[str]], folders: list[str], index: int) -> _Column | None:
    values = [f[index] if -len(f) <= index < len(f) else None for f in fields]
    filled = [k for k, v in enumerate(values) if v]
    if sum(v is not None for v in values) < 0.95 * len(values) or not filled:
        return None
    prefix, suffix = _common(sorted({str(values[k]) for k in filled}))
    bare = [v and v[len(prefix) : len(v) - len(suffix)] for v in values]
    kind = kind_of([plain_text(str(bare[k])) for k in filled], [folders[k] for k in filled])
    return _Column(index, tuple(bare), kind, prefix, suffix)


def _common(values: list[str]) -> tuple[str, str]:
    """Letters that all values start with, and end with: more of them than texts have in common by chance."""
    least = 2 if len(values) >= 5 else 3
    prefix = _start_of_all(values, least)
    rest = [v[len(prefix) :] for v in values]
    suffix = _start_of_all([v[::-1] for v in rest], least)[::-1]
    return prefix, suffix


def _start_of_all(values: list[str], least: int) -> str:
    if len(values) < 2:
        return ""
    length = 0
    for places in zip(*values, strict=False):
        if len(set(places)) > 1 or not places[0].isalpha():
            break
        length += 1
    return values[0][:length] if length >= least and min(map(len, values)) > length else ""


def _doubt(best: _Column, rivals: list[_Column], columns: list[_Column], names: Sequence[str]) -> str:
    """Why the best column may still not be the text; empty where it is sure."""
    if len(rivals) > 1:
        return "more than one field of them may be the text"
    if len(names) == 1 and (best.index or len(columns) < 2):
        return "one name alone does not tell"
    values = [v for v in best.values if v]
    bare = not any(c is not best and c.kind != "the same everywhere" for c in columns)
    equal = len(set(map(len, values))) == 1
    if best.kind == DIGITS:
        before = [c for c in columns if 0 <= c.index < best.index and c.kind in ("dates", "time stamps")]
        timed = any(c.kind == "time stamps" or len(c.values[0] or "") >= 14 for c in before)
        if timed or (before and all(re.fullmatch(r"([01]\d|2[0-3])[0-5]\d", v) for v in values)):
            return "what follows the date may be a part of the time"
        if bare and (len(names) < (3 if equal else 10) or len(values[0]) > 6):
            return "numbers"
    mixed = all(any(c.isdigit() for c in v) and any(c.isalpha() for c in v) for v in values)
    words = [c for c in columns if c.kind == "a few groups" and any(v and v.isalpha() for v in c.values)]
    if words and all(v.isalpha() for v in values):
        return "more than one field of them holds words"
    if best.kind != DIGITS and bare:
        if len(names) < (2 if equal and (mixed or len(names) > 2) else 5):
            return "too few names to tell texts from other words"
        if mixed and equal and len(values[0]) >= 8:
            return "identifiers"
    return ""


def _look(
    names: Sequence[str],
    stems: list[str],
    fields: list[list[str]],
    columns: list[_Column],
    best: _Column | None,
) -> str:
    """The pattern as a person would write it, `TEXT_NUMBER`."""
    width = Counter(map(len, fields)).most_common(1)[0][0]
    k = next(k for k, f in enumerate(fields) if len(f) == width)
    by_index = {c.index % width if c.index < 0 else c.index: c for c in reversed(columns)}
    shape, at = "", 0
    for index, field in enumerate(fields[k]):
        start = stems[k].index(field, at)
        column = by_index.get(index)
        shape += stems[k][at:start]
        if column is not None and column is best:
            shape += f"{column.prefix}TEXT{column.suffix}"
        elif column is None or column.kind in ("the same everywhere", "common words"):
            shape += field
        else:
            shape += f"{column.prefix}{_WORDS.get(column.kind, 'WORD')}{column.suffix}"
        at = start + len(field)
    shape += stems[k][at:]
    many = f"{len(names):,} file names look" if len(names) > 1 else "The file name looks"
    shown = "" if best is not None else f" ({', '.join(PurePath(n).name for n in names[:SHOWN])})"
    return f"{many} like {shape}{shown}"


def _examples(names: Sequence[str], texts: Sequence[str | None]) -> list[tuple[str, str]]:
    return [(n, t) for n, t in zip(names, texts, strict=True) if t][:SHOWN]


def _first(column: _Column) -> str:
    return ", ".join([plain_text(v) for v in column.values if v][:SHOWN])


def _first_field(stem: str) -> str | None:
    """TEXT of `TEXT_17` or `TEXT`, whatever it looks like; None for an index alone (`_17`)."""
    match = re.fullmatch(r"(.*?)(?:_\d+)?", stem)
    return (plain_text(match[1]) if match else "") or None
