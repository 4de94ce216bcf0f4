"""Text from outside can't command a terminal."""

import pytest

from captcha_lab.text import clipped, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Ärger 字 €", "plain Ärger 字 €"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("safe\u202egnp.exe", r"safe\u202egnp.exe"),
        ("caf\udce9.png", r"caf\xe9.png"),
        ("\ud800", r"\ud800"),
        ("one\nError: two\r\ttab", r"one\nError: two\r\ttab"),
        ("a\u2028b\u2029\ufeff\u200b", r"a\u2028b\u2029\ufeff\u200b"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_characters_may_be_kept() -> None:
    assert printable("a\tb\n\x1b", "\n\t") == "a\tb\n\\x1b"


def test_long_text_is_cut() -> None:
    assert clipped("x" * 300) == "x" * 200 + " …"
    assert clipped("short\n") == r"short\n"
