"""The command line: one short file per command; the only place that knows Typer."""

from __future__ import annotations

import importlib
import os
import sys
import time
from typing import Any

import typer
from typer.core import TyperGroup

from captcha_lab.errors import CaptchaLabError, UsageError

# In the order in which a newcomer needs them; each is the function `run` of the module of that name, imported only when
# the command is asked for: that keeps `--help` at the time Typer itself takes.
COMMANDS = {
    "demo": "The whole thesis in minutes, on captchas made here: scrape, label, read, generate, score.",
    "serve": "Serve captchas on this machine, a fresh one for each GET of /captcha, until interrupted.",
    "scrape": "Fetch captchas, politely and one at a time, from an endpoint you are authorised to test.",
    "import": "Copy images that you have already, and their labels, into a dataset.",
    "prepare": "Pack a published set of pictures (faces, digits, any folder) for training.",
    "segment": "Cut the dataset's captchas into glyphs, and say what the cuts did to the ink.",
    "label": "Label captchas: in the terminal, on the review page, or by the recogniser.",
    "train": "Train the thesis's LeNet on the labelled glyphs.",
    "read": "Read captchas: text and the confidence of each character.",
    "train-gen": "Train a generator of glyphs, digits or faces.",
    "generate": "Draw samples from a trained generator.",
    "eval": "Measure the recogniser and generators beside real data, and write a report.",
    "audit": "Say how weak a captcha is, for its owner. Never submits an answer anywhere.",
    "export": "Write a dataset's captchas and labels for other programs; `import` reads every format back.",
}

HEARD = 10.0  # seconds a silent process leaves to the one that speaks: torchrun ends all of them as soon as one ends
_STYLE: dict[str, Any] = {
    "rich_markup_mode": None,  # Typer's Rich help doubles the start-up time
    "pretty_exceptions_enable": False,
    "add_completion": False,
}


class _Group(TyperGroup):
    """Imports a command when it is asked for, and turns the project's errors into one line and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        single = typer.Typer(**_STYLE)
        single.command(cmd_name)(importlib.import_module(module_of(cmd_name)).run)
        return typer.main.get_command(single)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of `--help`, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CaptchaLabError as error:
            if leads() or not _alike(error):
                typer.echo(f"Error: {error}", err=True)
            else:
                time.sleep(HEARD)
            raise typer.Exit(error.exit_code) from error


def leads() -> bool:
    """Whether this is the first of the processes that torchrun started on this machine, which speaks for the others."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _alike(error: CaptchaLabError) -> bool:
    """Whether all of the processes that torchrun started have this error: before they meet they do the same."""
    distributed = sys.modules.get("torch.distributed")
    return isinstance(error, UsageError) or distributed is None or not distributed.is_initialized()


app = typer.Typer(name="captcha-lab", cls=_Group, no_args_is_help=True, **_STYLE)


@app.callback()
def _about() -> None:
    """From a captcha endpoint you may test to a recogniser that reads it and generators it scores."""


def module_of(command: str) -> str:
    """The module that holds a command: `train-gen` is in `train_gen`, `import` (a keyword) in `import_`."""
    name = command.replace("-", "_")
    return f"captcha_lab.cli.{name}_" if name == "import" else f"captcha_lab.cli.{name}"


def main() -> None:
    """The console script."""
    # Threads wait for each other at every small layer. Asleep they wake too late (a step of `fast` takes 44 ms on two
    # threads, 18 on one); spinning for long they rob every other program. So few turns, some 20 microseconds, give
    # 15 ms. Torch's OpenMP reads this when it is loaded, which is after this line.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    app()
