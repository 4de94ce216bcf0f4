"""A question as lines of text: pictures as half blocks, and what may be typed."""

from __future__ import annotations

from collections.abc import Iterator

from captcha_lab.label.pictures import Pictures
from captcha_lab.label.questions.types import Item, Member
from captcha_lab.label.terminal.blocks import side_by_side, to_lines

MOST_SHOWN = 60  # look-alikes drawn at once


def show(item: Item, pictures: Pictures, width: int, *, colour: bool) -> Iterator[str]:
    """The lines of a question, for a terminal of `width` columns.

    Raises:
        CaptchaLabError: a picture is missing or damaged.
    """
    yield ""
    if item.kind in ("captcha", "glyph"):
        picture = pictures.captcha(item.members[0].image_id)
        if picture is not None:
            yield from to_lines(picture, width, colour=colour)
    if item.kind != "captcha":
        yield from _tiles(item, pictures, width, colour)
    if item.why:
        yield f"  {item.why}"


def _tiles(item: Item, pictures: Pictures, width: int, colour: bool) -> Iterator[str]:
    shown, titles, cell = [], [], 1
    for number, member in enumerate(item.members[:MOST_SHOWN], 1):
        glyph = pictures.glyph(*member.place)
        if glyph is not None:
            cell = glyph.shape[1]
            shown.append(to_lines(glyph, width, colour=colour))
            titles.append(_title(number, member, item))
    yield from side_by_side(shown, titles, cell, width)
    if len(item.members) > MOST_SHOWN:
        yield f"  and {len(item.members) - MOST_SHOWN} more like these"


def _title(number: int, member: Member, item: Item) -> str:
    if item.kind == "glyph":
        return ""
    times = f" x{member.stands_for}" if member.stands_for > 1 else ""
    return f"{number}: {member.proposal or ''}{times}" if item.kind == "page" else f"{number}{times}"


def prompt(item: Item) -> str:
    """What stands before the cursor."""
    member = item.members[0]
    now = (
        f" labelled {member.label or '-'} now;"
        if item.queue == "suspects" and member.label is not None
        else ""
    )
    if item.kind == "page":
        return f"{item.proposal or 'page'}? [Enter: all as proposed]{now} > "
    offer = f" [Enter: {item.proposal or '-'}]" if item.proposal is not None else ""
    asked = {"captcha": "text", "cluster": f"label of all {len(item.members)}", "glyph": "label"}[item.kind]
    return f"{asked}{offer}{now} > "
