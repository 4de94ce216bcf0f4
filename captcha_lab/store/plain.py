"""Results as JSON types; imports nothing heavy, so that the command line can use it."""

from __future__ import annotations

import dataclasses
from typing import Any


def plain(value: Any) -> Any:
    """Anything a command or a report holds, as JSON types.

    Dataclasses and named tuples become objects, arrays and sets lists, NaN null, paths and all else their text.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and value != value:
        return None  # JSON has no NaN
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _key(key: Any) -> str:
    """A key of a JSON object: sizes and the like are written as `160x60`."""
    return "x".join(map(str, key)) if isinstance(key, tuple) else str(key)
