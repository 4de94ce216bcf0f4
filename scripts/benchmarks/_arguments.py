"""Options that several benchmarks have."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from captcha_lab.generate.recipes import recipes


def add_recipes(parser: argparse.ArgumentParser, default: Sequence[str], what: str) -> None:
    """`--recipes NAME…`, each of which must be one that there is.

    Args:
        parser: of the benchmark.
        default: the names where the option is not given.
        what: the default in words, for the help.
    """
    parser.add_argument(
        "--recipes",
        nargs="+",
        choices=tuple(recipes()),
        default=list(default),
        metavar="NAME",
        help=f"measure only these [default: {what}]",
    )
