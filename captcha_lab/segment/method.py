"""What a way of cutting is, and how one is found: a file in `methods` with a `METHOD`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_lab.discovery import declaring
from captcha_lab.errors import UsageError

_FOLDER = "captcha_lab.segment.methods"  # by name: what lies in it imports this module

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels; x1 and y1 exclusive


@dataclass(frozen=True)
class Method:
    """One way of finding cells.

    Attributes:
        name: as `--method` and models name it.
        version: stored beside each cut; it changes when the cells would.
        summary: one line for people.
        boxes: ink (bool [H, W]) and the number of characters (None where it is not known) to the cells from left to
            right; an empty list where the picture holds no ink, or cannot be cut into so many.
        by_size: whether the picture's size alone decides, so that `boxes` may be given any ink of that size.
    """

    name: str
    version: str
    summary: str
    boxes: Callable[[NDArray[np.bool_], int | None], list[Box]]
    by_size: bool = False


def method_names() -> tuple[str, ...]:
    """The names of all methods."""
    return declaring(_FOLDER, "METHOD")


def method_named(name: str) -> Method:
    """One method.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in method_names():
        raise UsageError(f"There is no way of cutting named {name!r}: choose {' or '.join(method_names())}.")
    found: Method = importlib.import_module(f"{_FOLDER}.{name}").METHOD
    return found
