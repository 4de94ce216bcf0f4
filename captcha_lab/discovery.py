"""Finding what a room holds by looking into its folder: what is added by one file needs no list elsewhere."""

from __future__ import annotations

import re
from importlib import import_module
from pkgutil import iter_modules
from typing import Any


def declaring(package: str, attribute: str) -> tuple[str, ...]:
    """The modules of a package that define a name at their top level, in alphabetical order.

    Their text is searched; none of them is imported, so that the command line can list them.

    >>> declaring("captcha_lab.segment.methods", "METHOD")
    ('equal', 'ink', 'reader')
    """
    definition = re.compile(rf"^{attribute}\b[^=\n]*=", re.MULTILINE)
    found = []
    for part in iter_modules(import_module(package).__path__):
        spec = part.module_finder.find_spec(part.name, None)
        loader: Any = spec and spec.loader
        if loader is not None and not part.ispkg and definition.search(loader.get_source(part.name) or ""):
            found.append(part.name)
    return tuple(sorted(found))


def discover(package: str, attribute: str) -> dict[str, Any]:
    """What the modules of a package define under a name, by module, in alphabetical order.

    Modules that define no such name are neither returned nor imported; sub-packages are not entered.

    >>> sorted(discover("captcha_lab.metrics.samples", "MEASURES"))[:2]
    ['diversity', 'frechet']
    """
    modules = {name: import_module(f"{package}.{name}") for name in declaring(package, attribute)}
    return {name: getattr(module, attribute) for name, module in modules.items()}
