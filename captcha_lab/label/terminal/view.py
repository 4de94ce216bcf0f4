"""A question as lines of text: pictures as half blocks, and what may be typed."""

from __future__ import annotations

from collections.abc import Iterator

from captcha_lab.label.pictures import DatasetPictures
from captcha_lab.label.questions.types import Member, Question
from captcha_lab.label.terminal.blocks import side_by_side, to_lines

MOST_SHOWN = 60  # look-alikes drawn at once


def show(question: Question, pictures: DatasetPictures, width: int, *, colour: bool) -> Iterator[str]:
    """The lines of a question, for a terminal of `width` columns.

    Raises:
        CaptchaLabError: a picture is missing or damaged.
    """
    yield ""
    if question.kind in ("text", "glyph"):
        picture = pictures.captcha(question.members[0].image_id)
        if picture is not None:
            yield from to_lines(picture, width, colour=colour)
    if question.kind != "text":
        yield from _tiles(question, pictures, width, colour)
    if question.why:
        yield f"  {question.why}"


def _tiles(question: Question, pictures: DatasetPictures, width: int, colour: bool) -> Iterator[str]:
    shown, titles, sizes = [], [], set()
    for number, member in enumerate(question.members[:MOST_SHOWN], 1):
        image_id, position = member.target
        tile = pictures.captcha(image_id) if position is None else pictures.glyph(image_id, position)
        if tile is not None:
            sizes.add(tile.shape[:2])
            shown.append(to_lines(tile, width, colour=colour))
            titles.append(_title(number, member, question))
    # Captchas of different sizes stand one below the other.
    cell = min(width, sizes.pop()[1]) if len(sizes) == 1 else width
    yield from side_by_side(shown, titles, cell, width)
    if len(question.members) > MOST_SHOWN:
        yield f"  and {len(question.members) - MOST_SHOWN} more like these"


def _title(number: int, member: Member, question: Question) -> str:
    if question.kind == "glyph":
        return ""
    times = f" x{member.stands_for}" if member.stands_for > 1 else ""
    return f"{number}: {member.proposal or ''}{times}" if question.kind == "page" else f"{number}{times}"


def prompt(question: Question) -> str:
    """What stands before the cursor."""
    member = question.members[0]
    now = (
        f" labelled {member.label or '-'} now;"
        if question.queue == "suspects" and member.label is not None
        else ""
    )
    if question.kind == "page":
        return f"{question.proposal or 'page'}? [Enter: all as proposed] > "
    offer = f" [Enter: {question.proposal or '-'}]" if question.proposal is not None else ""
    asked = {"text": "text", "cluster": f"label of all {len(question.members)}", "glyph": "label"}[
        question.kind
    ]
    return f"{asked}{offer}{now} > "
