"""Pictures taken out of a dataset and put back: nothing is deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import unquote

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from captcha_lab.store.workspace import DatasetFolder

COLUMNS = ("id", "width", "height", "bytes", "extension", "split", "text", "length", "file", "aside")


@dataclass(frozen=True)
class AsidePicture:
    """A picture that is set aside, or was put back: its number, where it came from, its text, and why."""

    image_id: int
    file: str
    text: str
    reason: str


@dataclass(frozen=True)
class DropReport:
    """What `drop` changed (nothing, where it only lists), and all pictures that are set aside now."""

    changed: tuple[AsidePicture, ...]
    aside: tuple[AsidePicture, ...]


def drop_pictures(
    folder: DatasetFolder,
    names: Sequence[str] = (),
    *,
    label: str | None = None,
    where: str | None = None,
    reason: str = "dropped by hand",
    undo: bool = False,
) -> DropReport:
    """Set pictures aside, or put them back into use.

    What is named several ways must be true of a picture in all of them.

    Args:
        folder: of the dataset.
        names: numbers, or file names and addresses as they came in; `*` and `?` stand for any characters.
        label: the text that the pictures are labelled with; `*` and `?` likewise.
        where: a condition on the columns of `COLUMNS` as SQLite reads it, such as `width < 40 and text is null`.
        reason: kept with the pictures.
        undo: put them back instead.

    Raises:
        CaptchaLabError: there is no dataset, or nothing in it is so named.
        UsageError: the condition is none.
    """
    with Catalog(folder.catalog_path, create=False) as catalog:
        rows = _rows(catalog)
        named = bool(names) or label is not None or where is not None
        chosen = [row for row in rows if (row["aside"] is not None) == undo] if named else []
        for name in names:
            if not any(_is_named(row, name) for row in rows):
                raise CaptchaLabError(
                    f"No picture of dataset {folder.name} is named {name!r} (a number or file name)."
                )
        if names:
            chosen = [row for row in chosen if any(_is_named(row, name) for name in names)]
        if label is not None:
            chosen = [row for row in chosen if fnmatchcase(str(row["text"] or ""), label)]
        if where is not None:
            allowed = _fulfilling(rows, where)
            chosen = [row for row in chosen if row["id"] in allowed]
        if named and not chosen:
            state = "set aside" if undo else "in use"
            raise CaptchaLabError(
                f"No picture of dataset {folder.name} that is {state} fits; nothing was changed."
            )
        ids = [int(str(row["id"])) for row in chosen]
        if undo:
            catalog.take_back(ids)
        else:
            catalog.set_aside(ids, reason)
        after = {row["id"]: row for row in _rows(catalog)}
        return DropReport(
            tuple(_picture(row if undo else after[row["id"]]) for row in chosen),
            tuple(_picture(row) for row in after.values() if row["aside"] is not None),
        )


def _rows(catalog: Catalog) -> list[dict[str, object]]:
    """What is known of each picture, by the names of `COLUMNS`."""
    texts = LabelLog(catalog).texts()
    files: dict[int, str] = {}
    for fetch in catalog.fetches():
        if fetch.image_id is not None:
            files.setdefault(fetch.image_id, unquote(fetch.url).removeprefix("import:"))
    images = sorted([*catalog.images(), *catalog.images(aside=True)], key=lambda row: row.id)
    return [
        {
            "id": row.id,
            "width": row.width,
            "height": row.height,
            "bytes": row.bytes,
            "extension": row.extension,
            "split": row.split,
            "text": texts.get(row.id),
            "length": len(texts[row.id]) if row.id in texts else None,
            "file": files.get(row.id, ""),
            "aside": row.aside,
        }
        for row in images
    ]


def _is_named(row: dict[str, object], name: str) -> bool:
    file = str(row["file"])
    return name == str(row["id"]) or fnmatchcase(file, name) or fnmatchcase(file.rpartition("/")[2], name)


def _fulfilling(rows: Sequence[dict[str, object]], where: str) -> set[object]:
    """Numbers of the rows that fulfil a condition, judged on a copy in memory that nothing else lies in."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"CREATE TABLE picture ({', '.join(COLUMNS)})")
        connection.executemany(
            f"INSERT INTO picture VALUES ({', '.join('?' * len(COLUMNS))})",
            [[row[column] for column in COLUMNS] for row in rows],
        )
        connection.commit()
        connection.set_authorizer(_only_reading)
        return {row[0] for row in connection.execute(f"SELECT id FROM picture WHERE ({where})")}
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise UsageError(
            f"--where {where!r} is no condition: {error}. Columns are {', '.join(COLUMNS)}; for example "
            "--where 'width < 40 and text is null'."
        ) from error
    finally:
        connection.close()


def _only_reading(action: int, *_: object) -> int:
    allowed = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION)
    return sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY


def _picture(row: dict[str, object]) -> AsidePicture:
    return AsidePicture(
        int(str(row["id"])), str(row["file"]), str(row["text"] or ""), str(row["aside"] or "")
    )
