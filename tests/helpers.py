"""What tests of all rooms use."""

from typing import TypeVar

Value = TypeVar("Value")


def present(value: Value | None) -> Value:
    """A value that has to be there, for what may be absent elsewhere."""
    assert value is not None
    return value
