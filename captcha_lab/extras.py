"""Libraries that only some commands need: what is missing is left out, or said with the command that installs it."""

from __future__ import annotations

from importlib.util import find_spec

from captcha_lab.errors import CaptchaLabError

# The import name of a library, and the extra of the package (`pip install 'captcha-lab[report]'`) that brings it.
EXTRAS = {
    "captcha": "serve",
    "matplotlib": "report",
    "starlette": "serve",
    "tensorboard": "tensorboard",
    "uvicorn": "serve",
}


def available(library: str) -> bool:
    """Whether an optional library is installed; nothing is imported."""
    return find_spec(library) is not None


def require(library: str) -> None:
    """Go on only where an optional library is installed.

    Raises:
        CaptchaLabError: it is not; says how to get it.
    """
    if not available(library):
        raise CaptchaLabError(how_to_get(library) or f"This needs {library}, which is not installed.")


def how_to_get(library: str) -> str | None:
    """What to say of a missing library (or a module of it); None where it is none of the optional ones."""
    name = library.split(".")[0]
    extra = EXTRAS.get(name)
    return extra and f"This needs {name}, which is not installed: run pip install 'captcha-lab[{extra}]'."
