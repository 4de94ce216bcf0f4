"""Which types may stand where in the JSON files of a run: a stranger's, or a damaged one, may say anything."""

from __future__ import annotations

import json
import math
import re
from typing import Any

NOTHING = type(None)
CONFIG: dict[str, Any] = {
    "kind": str,
    "created": float,
    "dataset": (str, NOTHING),
    "reader": str,
    "whole": (bool, NOTHING),
    "judge": (str, NOTHING),
    "attributes": [str],
    "classes": [str],
    "image_shape": [int],
    "iterations": int,
    "train": {"device": str, "seed": int},
    "recipe": (dict, str, NOTHING),
    "data": {"dataset": (str, NOTHING), "kind": str, "segmenter": ({"method": str, "glyphs": int}, NOTHING)},
}
_NUMBERS = re.compile(r"iteration|epoch|step|score|seconds|\w+_(loss|accuracy)")
_SHARES = re.compile(r"(train|validation|test)(_captchas)?")
_ENDLESS = ("step", "epoch", "iteration")  # what must be finite; a loss may well be NaN


def misfit(value: Any, shape: Any, name: str = "") -> str:
    """Where a JSON value is not of a shape, in words; empty where it is.

    Args:
        value: as `json` reads it.
        shape: a type (a float may be a whole number, and is finite), a list of one shape, a dict of shapes by key
            (other keys, and missing ones, are as they like), or a tuple of shapes, one of which it must have.
        name: of the value.
    """
    if isinstance(shape, tuple):
        found = [misfit(value, each, name) for each in shape]
        return found[0] if all(found) else ""
    if isinstance(shape, dict | list):
        if not isinstance(value, type(shape)):
            return f"{name or 'it'} is {_shown(value)}"
        pairs = (
            [(value[key], shape[key], f"{name}.{key}" if name else key) for key in shape if key in value]
            if isinstance(shape, dict)
            else [(each, shape[0], name) for each in value]
        )
        return next(filter(None, (misfit(*pair) for pair in pairs)), "")
    if shape in (int, float):
        number = isinstance(value, int if shape is int else int | float) and not isinstance(value, bool)
        fits = number and abs(value) < 2**63  # neither NaN nor infinity
    else:
        fits = isinstance(value, shape)
    return "" if fits else f"{name or 'it'} is {_shown(value)}"


def is_sound(line: dict[str, Any]) -> bool:
    """Whether a line of `metrics.jsonl` can be drawn and compared: its figures are numbers, its shares are shares."""
    for key, value in line.items():
        if _NUMBERS.fullmatch(key):
            endless = isinstance(value, float) and not math.isfinite(value) and key not in _ENDLESS
            if misfit(value, float) and not endless:
                return False
        elif (_SHARES.fullmatch(key) and misfit(value, ([float], float, NOTHING))) or (
            isinstance(value, int) and abs(value) >= 2**63
        ):
            return False
    return True


def _shown(value: Any) -> str:
    return (
        json.dumps(value)[:40]
        if not isinstance(value, int) or abs(value) < 2**63
        else "a number beyond 64 bits"
    )
