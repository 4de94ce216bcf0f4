"""Text from outside, made fit to be shown: it comes from file names, URLs, headers, tables and models of strangers."""

from __future__ import annotations

import unicodedata

# Control codes move the cursor, format codes turn the direction of writing, surrogates can't be written at all, and
# separators begin a line that looks like one of ours.
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printable(text: str, keep: str = "") -> str:
    r"""Text without anything that a terminal would obey instead of show.

    What is not shown as it is becomes an escape as Python writes it; a byte of a name that is not UTF-8 becomes
    itself (`\xe9`). Characters in `keep` stay.

    >>> printable("a\x1b[31mred\u202e\udce9")
    'a\\x1b[31mred\\u202e\\xe9'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or unicodedata.category(c) not in _HIDDEN else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte that it could not decode
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def clipped(text: str, most: int = 200) -> str:
    """Printable text of a stranger, cut where it grows too long for a message."""
    shown = printable(text[: most + 1])
    return shown if len(text) <= most else f"{shown[:most]} …"
