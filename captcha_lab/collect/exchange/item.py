"""One image to import, as every kind of source gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Item:
    """One image to import.

    Attributes:
        name: what the user knows it by.
        load: reads its bytes (raises OSError or CaptchaLabError).
        places: per character: its label, "" for "not a glyph", None for no label; empty: no label at all.
        split: train, validation or test where the source fixes it.
        problem: why it can't be imported, where that is known already.
    """

    name: str
    load: Callable[[], bytes]
    places: tuple[str | None, ...] = ()
    split: str | None = None
    problem: str = ""


def split_name(value: object) -> str | None:
    """The split a cell of a table names, None where it is empty.

    Raises:
        ValueError: it names something else.
    """
    if value is None or value == "":
        return None
    if str(value).lower() not in SPLIT_FOLDERS:
        raise ValueError(f"the split {value!r} is none of train, validation, test")
    return SPLIT_FOLDERS[str(value).lower()]
