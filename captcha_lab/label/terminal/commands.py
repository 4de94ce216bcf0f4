"""What a line typed at the terminal means for the question on show."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from captcha_lab.alphabet import Alphabet
from captcha_lab.label.questions.types import NOT_A_GLYPH, Item

Verb = Literal["label", "accept", "skip", "undo", "help", "quit", "queue", "learn"]
BAD = "-"  # "not a glyph", unless the alphabet has a dash
UNDO = "<"
BEGIN_LINE = "/!"  # keys that begin something longer than one key
HELP = """\
  text, Enter    label it; lower case is taken where the alphabet allows; - is "not a glyph, or badly cut"
                 (a single glyph or group at a keyboard needs no Enter)
  Enter          accept the proposal
  !3 !5 K        a group of look-alikes: K for all but numbers 3 and 5
  3K 5X          a page: number 3 is a K, number 5 an X, the rest as proposed; !3 leaves number 3 out
  space, Enter   skip
  <, Backspace   undo, as far back as you like
  /queue NAME    another queue; /learn trains now; /quit (or Ctrl-D) ends; ? shows this"""


@dataclass(frozen=True)
class Command:
    """One line understood; `values` for a label (one per character of a captcha), `fixes` tile number -> label."""

    verb: Verb
    values: tuple[str, ...] = ()
    left_out: frozenset[int] = frozenset()
    fixes: dict[int, str] = field(default_factory=dict)
    argument: str = ""


class NotUnderstoodError(Exception):
    """The line means nothing here; the message says what would."""


def parse(line: str, item: Item, alphabet: Alphabet) -> Command:
    """Understand a line (without its line end).

    Raises:
        NotUnderstoodError: it fits no form, or a label is outside the alphabet.
    """
    text = line.strip()
    if not text:
        return Command("skip") if line else Command("accept")
    if text in (UNDO, "?") and text not in alphabet:
        return Command("undo" if text == UNDO else "help")
    if text.startswith("/") and len(text) > 1:
        return _slash(text)
    if item.kind == "page":
        return _page(text, len(item.members), alphabet)
    if item.kind == "captcha":
        return Command("label", _values(text, len(item.members), alphabet))
    words = text.split()
    strays = [word for word in words if len(word) > 1 and word.startswith("!")]
    label = " ".join(word for word in words if word not in strays)
    return Command(
        "label", _values(label, 1, alphabet), frozenset(_stray(s, len(item.members)) for s in strays)
    )


def _slash(text: str) -> Command:
    word, _, argument = text[1:].partition(" ")
    verbs: tuple[Verb, ...] = ("quit", "queue", "learn", "undo", "skip", "help", "accept")
    for verb in verbs:
        if verb.startswith(word) or verb == word:
            return Command(verb, argument=argument.strip())
    raise NotUnderstoodError(f"There is no command /{word}; ? shows all.")


def _values(text: str, count: int, alphabet: Alphabet) -> tuple[str, ...]:
    if len(text) != count:
        wanted = "one character" if count == 1 else f"{count} characters"
        raise NotUnderstoodError(f"{text!r} has {len(text)}: type {wanted}.")
    return tuple(_value(c, alphabet) for c in text)


def _value(character: str, alphabet: Alphabet) -> str:
    folded = alphabet.fold(character)
    if folded in alphabet:
        return folded
    if character == BAD:
        return NOT_A_GLYPH
    raise NotUnderstoodError(f"{character!r} is not in the alphabet {alphabet.characters}.")


def _stray(word: str, count: int) -> int:
    if not re.fullmatch(r"![0-9]{1,5}", word, re.ASCII) or not 2 <= int(word[1:]) <= count:
        raise NotUnderstoodError(f"{word!r} is no stray: write !2 to !{count}.")
    return int(word[1:])


def _page(text: str, count: int, alphabet: Alphabet) -> Command:
    left_out: set[int] = set()
    fixes: dict[int, str] = {}
    for word in text.split():
        # A number comes first; a label may be a digit itself, so it is the last character.
        number, label = (word[1:], None) if word.startswith("!") else (word[:-1], word[-1])
        if not re.fullmatch(r"[0-9]{1,5}", number, re.ASCII) or not 1 <= int(number) <= count:
            raise NotUnderstoodError(
                f"{word!r}: write the number of a tile (1 to {count}) and its label, as in 3K."
            )
        if label is None:
            left_out.add(int(number))
        else:
            fixes[int(number)] = _value(label, alphabet)
    return Command("label", left_out=frozenset(left_out), fixes=fixes)
