"""One line, or on a real terminal one key, from the person."""

from __future__ import annotations

import sys
from typing import TextIO

from captcha_lab.label.terminal.commands import BEGIN_LINE, UNDO

END = "\x04"  # Ctrl-D
ERASE = ("\x7f", "\b")


def read_line(source: TextIO) -> str | None:
    """A line without its end; None when the input has ended."""
    line = source.readline()
    return line.rstrip("\r\n") if line else None


def read_key(source: TextIO, out: TextIO) -> str | None:
    """One key as the line it stands for, at once: Backspace is the undo line, Enter the empty one.

    A key that begins a longer command (`/`, `!`) is read on to the end of its line. Where `source` is no terminal, the
    same as `read_line`.
    """
    if not source.isatty() or sys.platform == "win32":
        return read_line(source)
    import os
    import termios
    import tty

    handle = source.fileno()
    before = termios.tcgetattr(handle)
    try:
        tty.setcbreak(handle, termios.TCSADRAIN)  # Ctrl-C still interrupts
        pressed = os.read(handle, 1)
        # A letter outside ASCII is several bytes, which its first one announces.
        more = next(
            (n for n, lead in ((1, 0xC0), (2, 0xE0), (3, 0xF0)) if pressed and pressed[0] & 0xF0 == lead), 0
        )
        pressed += os.read(handle, more) if more else b""
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
    key = pressed.decode("utf-8", errors="replace")
    if key in ("", END):
        return None
    if key in ERASE:
        key = UNDO
    print(key if key.isprintable() else "", end="", file=out, flush=True)
    if key in BEGIN_LINE:
        rest = read_line(source)
        return None if rest is None else key + rest
    print("", file=out)
    return key.rstrip("\r\n")
