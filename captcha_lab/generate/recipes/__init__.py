"""The registry of recipes: every module of this package with a `RECIPES` tuple is in it. No torch here.

A module may also have `REACHED`: by name, one line with what a recipe was measured to reach and in which time.
"""

from __future__ import annotations

from functools import cache

from captcha_lab.discovery import discover
from captcha_lab.errors import UsageError
from captcha_lab.generate.recipe import Recipe


@cache
def recipes() -> dict[str, Recipe]:
    """Every recipe by its name, in the order of the modules' names and of their tuples."""
    found: dict[str, Recipe] = {}
    for recipe in [recipe for module in discover(__name__, "RECIPES").values() for recipe in module]:
        if recipe.name in found:
            raise ValueError(f"two recipes are called {recipe.name}")
        found[recipe.name] = recipe
    return found


@cache
def reached() -> dict[str, str]:
    """By a recipe's name, what it was measured to reach and in which time: where that is known, one line."""
    return {name: text for module in discover(__name__, "REACHED").values() for name, text in module.items()}


def get_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        UsageError: there is none; the message lists all.
    """
    known = recipes()
    if name not in known:
        raise UsageError(f"No recipe {name!r}. Known: {', '.join(known)} (train-gen --list describes them).")
    return known[name]
