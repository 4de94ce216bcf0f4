"""One picture to import, and what its source says of it, as every kind of source gives them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from captcha_lab.errors import CaptchaLabError

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
UNLABELLED_FOLDER, UNREADABLE_FOLDER = "_unlabelled", "_unreadable"  # in place of a text
MAX_TEXT = 64  # characters; what is longer is a description


@dataclass(frozen=True)
class Said:
    """What a source says of a picture.

    Attributes:
        text: the whole text; empty for a captcha that no person can read, None where there is none.
        places: where only some places are labelled: a character, "" for "not a glyph", None for no label.
        split: train, validation or test where the source fixes it.
        why: where the label stands, or why there is none.
        doubt: why a label that is there is not taken; the picture is imported without it.
    """

    text: str | None = None
    places: tuple[str | None, ...] = ()
    split: str | None = None
    why: str = ""
    doubt: str = ""

    @property
    def shown(self) -> str:
        """The label as a person reads it; unlabelled places are question marks."""
        return (
            self.text
            if self.text is not None
            else "".join("?" if p is None else p or "-" for p in self.places)
        )


@dataclass(frozen=True)
class Item:
    """One picture to import.

    Attributes:
        name: what the user knows it by; can always be printed and stored.
        load: reads its bytes (raises OSError or CaptchaLabError).
        said: what its source says of it.
        problem: why it can't be imported, where that is known already.
        original: SHA-256 of the file that it was decoded from, where the source tells it; only pixels are left of it.
    """

    name: str
    load: Callable[[], bytes]
    said: Said = field(default_factory=Said)
    problem: str = ""
    original: str = ""


def split_name(value: object) -> str | None:
    """The split a cell of a table names, None where it is empty.

    Raises:
        ValueError: it names something else.
    """
    if value is None or value == "":
        return None
    if str(value).strip().lower() not in SPLIT_FOLDERS:
        raise ValueError(f"the split {value!r} is none of train, validation, test")
    return SPLIT_FOLDERS[str(value).strip().lower()]


def text_of(cell: Any) -> str | None:
    """The text in a cell, composed (NFC) and without spaces around it; None for an empty one.

    A spreadsheet's `="0042"` is 0042, and a number is its digits (zeros in front of it are lost already).

    Raises:
        CaptchaLabError: it is no text of visible characters.
    """
    if cell is None:
        return None
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, bool) or not isinstance(cell, str | int):
        raise CaptchaLabError(f"its label {cell!r} is no text")
    text = unicodedata.normalize("NFC", str(cell)).strip()
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    check_text(text)
    return text or None


def check_text(text: str) -> None:
    """See that a text can be a label.

    Raises:
        CaptchaLabError: it has characters that can't be seen, or is a description.
    """
    bad = next((c for c in text if not c.isprintable() or c.isspace()), None)
    if bad is not None:
        raise CaptchaLabError(
            f"its label {text[:MAX_TEXT]!r} holds {bad!r}, which is not one visible character"
        )
    if len(text) > MAX_TEXT:
        raise CaptchaLabError(f"its label {text[:20]!r}… has {len(text)} characters, more than {MAX_TEXT}")


def places_of(cells: Sequence[Any]) -> tuple[str | None, ...]:
    """The labels of a captcha's places.

    Raises:
        CaptchaLabError: one is not a character, "" or null, or there are too many.
    """
    if len(cells) > MAX_TEXT:
        raise CaptchaLabError(f"its label has {len(cells)} places, more than {MAX_TEXT}")
    places = []
    for cell in cells:
        place = "" if cell == "" else text_of(cell)
        if place is not None and len(place) > 1:
            raise CaptchaLabError(f"its label holds {place!r}, which is not one visible character")
        places.append(place)
    return tuple(places)


def spelled(places: Sequence[str | None]) -> str | None:
    """The text that places spell, blank ones before and after it left out; None where one inside it is missing."""
    labels = list(places)
    while labels and labels[-1] == "":
        labels.pop()
    while labels and labels[0] == "":
        labels.pop(0)
    return "".join(filter(None, labels)) if labels and all(labels) else None
