"""What the page sends, checked field by field before it becomes an act."""

from __future__ import annotations

import json
import re
from typing import Any

from captcha_lab.alphabet import Alphabet
from captcha_lab.label.questions.types import NOT_A_GLYPH, QUEUE_NAMES, Answer
from captcha_lab.label.web.guard import RefusedError

_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_KEYSTROKES = 10_000
MAX_INTEGER = 2**53


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        RefusedError: it is none.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(400, "malformed", "The request is not JSON; nothing was saved.") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "malformed", "The request is not a JSON object; nothing was saved.")
    return value


def parse_answer(message: dict[str, Any], alphabet: Alphabet) -> Answer:
    """An act: queue, typed, spread, keystrokes, token, revision, session.

    Raises:
        RefusedError: a field is missing or impossible, or a label is outside the alphabet.
    """
    queue = message.get("queue")
    if queue not in QUEUE_NAMES:
        raise _impossible("queue")
    typed, spread = (_marks(message, name, alphabet) for name in ("typed", "spread"))
    places = [mark[:2] for mark in (*typed, *spread)]
    if not places or len(set(places)) != len(places):
        raise _impossible("typed")
    return Answer(
        queue=queue,
        typed=typed,
        spread=spread,
        **parse_act(message),
    )


def parse_act(message: dict[str, Any]) -> dict[str, Any]:
    """What every act has: token, session, keystrokes and `expected_revision` (see `parse_answer` for errors)."""
    return {
        "token": word(message, "token"),
        "session": word(message, "session"),
        "keystrokes": integer(message, "keystrokes", MAX_KEYSTROKES),
        "expected_revision": integer(message, "revision"),
    }


def word(message: dict[str, Any], name: str) -> str:
    """A short name made by the page (see `parse_answer` for errors)."""
    value = message.get(name)
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise _impossible(name)
    return value


def integer(message: dict[str, Any], name: str, most: int = MAX_INTEGER) -> int:
    """A whole number from 0 to `most` (see `parse_answer` for errors)."""
    value = message.get(name)
    if type(value) is not int or not 0 <= value <= most:
        raise _impossible(name)
    return value


def _marks(message: dict[str, Any], name: str, alphabet: Alphabet) -> tuple[tuple[int, int, str], ...]:
    rows = message.get(name, [])
    if not isinstance(rows, list):
        raise _impossible(name)
    return tuple(_mark(row, name, alphabet) for row in rows)


def _mark(row: Any, name: str, alphabet: Alphabet) -> tuple[int, int, str]:
    if not isinstance(row, list) or len(row) != 3:
        raise _impossible(name)
    image_id, position, value = row
    if type(image_id) is not int or type(position) is not int or not isinstance(value, str):
        raise _impossible(name)
    if not (0 <= image_id <= MAX_INTEGER and 0 <= position < 256):
        raise _impossible(name)
    if value != NOT_A_GLYPH and value not in alphabet:
        raise RefusedError(
            400,
            "alphabet",
            f"{value[:20]!r} is not in the alphabet {alphabet.characters}; nothing was saved.",
        )
    return image_id, position, value


def _impossible(name: str) -> RefusedError:
    return RefusedError(
        400, "malformed", f"The request's {name!r} is missing or impossible; nothing was saved."
    )
