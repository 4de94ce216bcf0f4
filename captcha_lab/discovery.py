"""Finding what a room holds by looking into its folder: what is added by one file needs no list elsewhere."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any


def discover(package: str, attribute: str) -> dict[str, Any]:
    """What the modules of a package define under a name, by module, in the order of the modules' names.

    Modules that define no such name are left out; sub-packages are not entered.

    >>> sorted(discover("captcha_lab.metrics.samples", "MEASURES"))[:2]
    ['diversity', 'frechet']
    """
    room = import_module(package)
    modules = {part.name: import_module(f"{package}.{part.name}") for part in iter_modules(room.__path__)}
    return {name: getattr(m, attribute) for name, m in modules.items() if hasattr(m, attribute)}
