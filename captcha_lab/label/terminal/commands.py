"""What a line typed at the terminal means for the question on show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from captcha_lab.alphabet import Alphabet
from captcha_lab.label.questions.types import NOT_A_GLYPH, Answer, Question, Target

Verb = Literal["skip", "undo", "help", "quit", "queue", "learn", "add", "case"]
VERBS: tuple[Verb, ...] = ("quit", "queue", "learn", "undo", "skip", "help", "add", "case")
BAD = "-"  # "not a glyph" or "no human can read it", unless the alphabet has a dash
UNDO = "<"
BEGIN_LINE = "/!"  # keys that begin something longer than one key
HELP = """\
  text, Enter    label it; lower case is taken where the alphabet allows; - is "not a glyph, or badly cut",
                 and for a whole captcha "no human can read it"
                 (a single glyph or group at a keyboard needs no Enter)
  Enter          accept the proposal
  !3 !5 K        a group of look-alikes: K for all but numbers 3 and 5
  3K 5X          a page of glyphs: number 3 is a K, number 5 an X, the rest as proposed; !3 leaves number 3 out
  3=abcd !5      a page of captchas: number 3 is abcd, number 5 is left out, the rest as proposed
  space, Enter   skip
  <, Backspace   undo, as far back as you like
  /queue NAME    another queue; /learn trains now; /quit (or Ctrl-D) ends; ? shows this
  /add CHARACTER takes a character into the alphabet; /case: letters are saved as they are typed, or no longer"""


@dataclass(frozen=True)
class Instruction:
    """A line that is no answer."""

    verb: Verb
    argument: str = ""


class NotUnderstoodError(Exception):
    """The line means nothing here; the message says what would."""


def parse(line: str, question: Question, alphabet: Alphabet, keystrokes: int = 1) -> Instruction | Answer:
    """Understand a line (without its line end).

    Args:
        line: what was typed.
        question: what it answers.
        alphabet: the characters that can be labels.
        keystrokes: keys it took.

    Raises:
        NotUnderstoodError: it fits no form, a label is outside the alphabet, or there is no proposal to accept.
    """
    text = line.strip()
    if not text:
        return Instruction("skip") if line else _accepted(question, keystrokes)
    if text in (UNDO, "?") and text not in alphabet:
        return Instruction("undo" if text == UNDO else "help")
    if text.startswith("/") and len(text) > 1:
        return _slash(text)
    if question.kind == "page":
        return _page(text, question, alphabet, keystrokes)
    if question.kind == "text":
        value = NOT_A_GLYPH if text == BAD and BAD not in alphabet else text
        return question.answer(value, keystrokes=keystrokes)
    words = text.split()
    strays = [word for word in words if len(word) > 1 and word.startswith("!")]
    label = " ".join(word for word in words if word not in strays)
    if len(label) != 1:
        raise NotUnderstoodError(f"{label!r} has {len(label)}: type one character.")
    value = _value(label, alphabet)
    left_out = frozenset(_stray(word, question) for word in strays)
    return question.answer(value, left_out=left_out, keystrokes=keystrokes)


def _accepted(question: Question, keystrokes: int) -> Answer:
    if question.kind != "page" and question.proposal is None:
        raise NotUnderstoodError("There is no proposal to accept: type it, or a space to skip.")
    return question.answer(question.proposal if question.kind != "page" else None, keystrokes=keystrokes)


def _slash(text: str) -> Instruction:
    word, _, argument = text[1:].partition(" ")
    for verb in VERBS:
        if verb.startswith(word):
            return Instruction(verb, argument.strip())
    raise NotUnderstoodError(f"There is no command /{word}; ? shows all.")


def _value(character: str, alphabet: Alphabet) -> str:
    folded = alphabet.fold(character)
    if folded in alphabet:
        return folded
    if character == BAD:
        return NOT_A_GLYPH
    raise NotUnderstoodError(
        f"{character!r} is not in the alphabet {alphabet.characters}; /add {character} takes it in."
    )


def _stray(word: str, question: Question) -> Target:
    count = len(question.members)
    if not re.fullmatch(r"![0-9]{1,5}", word, re.ASCII) or not 2 <= int(word[1:]) <= count:
        raise NotUnderstoodError(f"{word!r} is no stray: write !2 to !{count}.")
    return question.members[int(word[1:]) - 1].target


def _page(text: str, question: Question, alphabet: Alphabet, keystrokes: int) -> Answer:
    count = len(question.members)
    whole = question.members[0].position is None
    left_out: set[Target] = set()
    corrections: dict[Target, str] = {}
    for word in text.split():
        # A number comes first; a label may be a digit itself, so it is the last character.
        if word.startswith("!"):
            number, label = word[1:], None
        elif whole:
            number, _, label = word.partition("=")
        else:
            number, label = word[:-1], word[-1]
        if not re.fullmatch(r"[0-9]{1,5}", number, re.ASCII) or not 1 <= int(number) <= count or label == "":
            form = "text, as in 3=abcd" if whole else "label, as in 3K"
            raise NotUnderstoodError(f"{word!r}: write the number of a tile (1 to {count}) and its {form}.")
        target = question.members[int(number) - 1].target
        if label is None:
            left_out.add(target)
        else:
            corrections[target] = label if whole else _value(label, alphabet)
    open_tiles = [m for m in question.members if m.target not in left_out and m.proposal is not None]
    if not open_tiles and not corrections:
        raise NotUnderstoodError("Nothing would be saved: no tile is left that has a proposal.")
    return question.answer(left_out=frozenset(left_out), corrections=corrections, keystrokes=keystrokes)
