"""What a person may type for the text of a captcha."""

from __future__ import annotations

import unicodedata

from captcha_lab.errors import UsageError
from captcha_lab.label.questions.types import MOST_CHARACTERS


def typed_text(value: str) -> str:
    """A text as it is kept: composed (NFC), of visible characters, not too many.

    Raises:
        UsageError: no captcha has such a text.
    """
    text = unicodedata.normalize("NFC", value)
    if len(text) > MOST_CHARACTERS:
        raise UsageError(
            f"A text of {len(text)} characters: {MOST_CHARACTERS} are the most; nothing was saved."
        )
    if bad := [c for c in text if not c.isprintable() or c.isspace()]:
        raise UsageError(f"{bad[0]!r} can't be part of a captcha's text; nothing was saved.")
    return text
