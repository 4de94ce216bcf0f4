"""Losses: what the players minimise and the steps they take. Every module of this package with `LOSSES` is found."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

from captcha_lab.discovery import discover
from captcha_lab.errors import UsageError
from captcha_lab.generate.losses.base import Loss, LossFamily


@cache
def losses() -> dict[str, LossFamily]:
    """Every loss by its name, in alphabetical order."""
    found = [loss for family in discover(__name__, "LOSSES").values() for loss in family]
    return {loss.name: loss for loss in sorted(found, key=lambda loss: str(loss.name))}


def get_loss(name: str, known: Mapping[str, LossFamily] | None = None) -> LossFamily:
    """The loss of that name, of all or of the known ones (UsageError: there is none; the message lists them)."""
    known = losses() if known is None else known
    if name not in known:
        raise UsageError(f"No loss {name!r}: choose one of {', '.join(known)}.")
    return known[name]


def make_loss(name: str, options: Mapping[str, Any]) -> Loss:
    """The loss of that name with its options.

    Raises:
        UsageError: no such loss, or an option it does not have.
    """
    build = get_loss(name).build
    known = list(inspect.signature(build).parameters)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise UsageError(
            f"The loss {name} has no option {', '.join(unknown)}; it has: {', '.join(known) or 'none'}."
        )
    return build(**options)
