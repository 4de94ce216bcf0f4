"""What the page sends, checked field by field before it becomes an act."""

from __future__ import annotations

import json
import re
from typing import Any

from captcha_lab.label.questions.types import QUEUE_NAMES, Answer, Member, Question, Target
from captcha_lab.label.web.guard import RefusedError

_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")
KINDS = ("cluster", "glyph", "page", "text")
MAX_KEYSTROKES = 10_000
MAX_INTEGER = 2**53
MAX_TEXT = 256  # characters of anything a person types or a model proposes
MAX_POSITION = 255


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


def parse_answer(message: dict[str, Any]) -> Answer:
    """An answer: question, value, left_out, corrections, keystrokes, token, revision, session.

    Raises:
        RefusedError: a field is missing or impossible.
    """
    value = message.get("value")
    return Answer(
        _question(message.get("question")),
        None if value is None else _text(value, "value"),
        frozenset(_target(row, "left_out") for row in _rows(message, "left_out", 2)),
        {
            _target(row[:2], "corrections"): _text(row[2], "corrections")
            for row in _rows(message, "corrections", 3)
        },
        **parse_act(message),
    )


def parse_act(message: dict[str, Any]) -> dict[str, Any]:
    """What every act has: token, session, keystrokes and `expected_revision` (see `parse_answer` for errors)."""
    return {
        "keystrokes": integer(message, "keystrokes", MAX_KEYSTROKES),
        "token": word(message, "token"),
        "expected_revision": integer(message, "revision"),
        "session": word(message, "session"),
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


def _question(asked: Any) -> Question:
    """The question as the page had it: id, queue, kind and members as [image, position, proposal]."""
    if not isinstance(asked, dict) or asked.get("queue") not in QUEUE_NAMES or asked.get("kind") not in KINDS:
        raise _impossible("question")
    members = tuple(
        Member(
            -1, *_target(row[:2], "question"), proposal=None if row[2] is None else _text(row[2], "question")
        )
        for row in _rows(asked, "members", 3)
    )
    if not members or len({member.target for member in members}) != len(members):
        raise _impossible("question")
    if asked["kind"] != "page" and len(members) != 1:
        raise _impossible("question")
    return Question(_text(asked.get("id"), "question"), asked["queue"], asked["kind"], members, None, 0.0, 0)


def _rows(message: dict[str, Any], name: str, width: int) -> list[list[Any]]:
    rows = message.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == width for row in rows):
        raise _impossible(name)
    return rows


def _target(row: list[Any], name: str) -> Target:
    image_id, position = row
    if type(image_id) is not int or not 0 <= image_id <= MAX_INTEGER:
        raise _impossible(name)
    if position is not None and (type(position) is not int or not 0 <= position <= MAX_POSITION):
        raise _impossible(name)
    return image_id, position


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise _impossible(name)
    return value


def _impossible(name: str) -> RefusedError:
    return RefusedError(
        400, "malformed", f"The request's {name!r} is missing or impossible; nothing was saved."
    )
