"""captcha-lab: from a captcha endpoint you may test to a recogniser that reads it and generators it scores.

The interface for programs, each name imported when it is first used:

- `load_dataset`, `load_recogniser`, `load_generator`: what a workspace or a file holds;
- `train_recogniser`, `train_generator`, `evaluate_models`, `read`: whole steps, as the commands do them.

What they give shows itself in a notebook, and most of it has a `plot()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from captcha_lab.version import __version__

if TYPE_CHECKING:
    from captcha_lab.pipeline.interface import (
        evaluate_models,
        load_dataset,
        load_generator,
        load_recogniser,
        read,
        train_generator,
        train_recogniser,
    )

__all__ = [
    "__version__",
    "evaluate_models",
    "load_dataset",
    "load_generator",
    "load_recogniser",
    "read",
    "train_generator",
    "train_recogniser",
]


def __getattr__(name: str) -> Any:
    """What the interface defines: `import captcha_lab` itself loads no library."""
    if name not in __all__:
        raise AttributeError(f"module 'captcha_lab' has no attribute {name!r}")
    from captcha_lab.pipeline import interface

    return getattr(interface, name)
