"""The command line: one short file per command; the only place that knows Typer."""

from __future__ import annotations

import importlib
import os
from typing import Any

import typer
from typer.core import TyperGroup

from captcha_lab.errors import CaptchaLabError

# In the order in which a newcomer needs them; each is the function `run` of the module of that name.
COMMANDS = (
    "demo",
    "serve",
    "scrape",
    "import",
    "prepare",
    "segment",
    "label",
    "train",
    "read",
    "train-gen",
    "generate",
    "eval",
    "audit",
    "export",
)


class _Group(TyperGroup):
    """Turns the project's errors into one line on stderr and an exit code, for every command alike."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CaptchaLabError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(error.exit_code) from error


app = typer.Typer(
    name="captcha-lab",
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode=None,  # Typer's Rich help doubles the start-up time
    pretty_exceptions_enable=False,
    add_completion=False,
    help="From a captcha endpoint you may test to a recogniser that reads it and generators it scores.",
)


def module_of(command: str) -> str:
    """The module that holds a command: `train-gen` is in `train_gen`, `import` (a keyword) in `import_`."""
    name = command.replace("-", "_")
    return f"captcha_lab.cli.{name}_" if name == "import" else f"captcha_lab.cli.{name}"


for _command in COMMANDS:
    app.command(_command)(importlib.import_module(module_of(_command)).run)


def main() -> None:
    """The console script."""
    # Threads that wait by spinning make training ten times slower as soon as another program wants a core;
    # torch's OpenMP reads this when it is loaded, which is after this line.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    app()
