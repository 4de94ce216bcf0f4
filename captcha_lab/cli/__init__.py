"""The command line: one short file per command; the only place that knows Typer."""

from __future__ import annotations

import errno
import importlib
import io
import json
import os
import shutil
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from captcha_lab.cli.layout import Command, did_you_mean, write_params, write_section
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.extras import how_to_get
from captcha_lab.text import printable
from captcha_lab.version import __version__

# In the order in which a newcomer needs them; each is the function `run` of the module of that name, imported only when
# the command is asked for: that keeps `--help` at the time Typer itself takes.
COMMANDS = {
    "status": "Show the workspace: data sets, labels, runs, and the next step.",
    "demo": "The whole thesis in minutes, on captchas made here: scrape, label, read, generate, score.",
    "serve": "Serve captchas on this machine, a fresh one for each GET of /captcha, until interrupted.",
    "scrape": "Fetch captchas, politely and one at a time, from an endpoint you are authorised to test.",
    "import": "Copy images that you have already, and their labels, into a dataset.",
    "prepare": "Pack a published set of pictures (faces, digits, any folder) for training.",
    "segment": "Cut the dataset's captchas into glyphs, and say what the cuts did to the ink.",
    "label": "Label captchas: in the terminal, on the review page, or by the recogniser.",
    "drop": "Set pictures aside that are of no use, or put them back; nothing is deleted.",
    "train": "Train a reader on the labelled captchas.",
    "read": "Read captchas: text, and the confidence of the whole text and of each character.",
    "train-gen": "Train a generator of glyphs, whole captchas, digits or faces.",
    "generate": "Draw samples from a trained generator.",
    "eval": "Measure the recogniser and generators beside real data, and write a report.",
    "explain": "Explain by an experiment that runs here in seconds: distances, saturation, collapse and more.",
    "audit": "Say how weak a captcha is, for its owner. Never submits an answer anywhere.",
    "runs": "List the trained models: kind, recipe, data, score, size, date, and which are in use.",
    "use": "Pin the run that commands use where no --model is given.",
    "rm": "Delete runs: their weights, figures and pictures. Data and labels are never touched.",
    "config": "Show or set the keys of captcha-lab.toml, the workspace's configuration.",
    "export": "Write a dataset's captchas and labels for other programs; `import` reads every format back.",
    "backup": "Write a dataset, its pictures, labels and their history, into one file; `restore` reads it.",
    "restore": "Bring a dataset back from what `backup` wrote, after comparing all of it with its checksums.",
    "check": "Look through the workspace: is everything readable, are all checksums right, what belongs to nothing.",
    "clean": "Remove what killed commands left over: temporary files, dead runs, pictures that no catalog names.",
}

# Errors of a device that takes no more output.
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
HEARD = 10.0  # seconds a silent process leaves to the one that speaks: torchrun ends all of them as soon as one ends
_STYLE: dict[str, Any] = {
    "rich_markup_mode": None,  # Typer's Rich help doubles the start-up time
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["--help", "-h"], "max_content_width": 100},
}


class _Group(TyperGroup):
    """Imports a command when it is asked for, and turns errors into one line, or one JSON object, and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(module_of(cmd_name))
        single = typer.Typer(add_completion=False, **_STYLE)
        single.command(cmd_name, cls=Command)(module.run)
        command: Any = typer.main.get_command(single)
        command.examples = module.EXAMPLES
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"There is no command {args[0]!r}.{did_you_mean(args[0], list(COMMANDS))}")
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The list of `--help`, from the table alone."""
        write_params(formatter, self.get_params(ctx))
        write_section(formatter, "Commands", list(COMMANDS.items()))

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The commands that begin so, from the table alone; else the options."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        if incomplete.startswith("-") or not names:
            return super().shell_complete(ctx, incomplete)
        from typer._click.shell_completion import CompletionItem

        return [CompletionItem(name, help=COMMANDS[name]) for name in names]

    def main(self, args: Any = None, *rest: Any, **settings: Any) -> Any:
        """Run; with --json what is wrong with the command line is told as JSON too."""
        words = sys.argv[1:] if args is None else args
        if "--json" not in words or not settings.get("standalone_mode", True):
            return super().main(args, *rest, **settings)
        settings["standalone_mode"] = False
        try:
            code = super().main(args, *rest, **settings)
        except TyperException as error:
            code = _tell(error.format_message(), error.exit_code, True)
        except typer.Abort:
            code = _tell("Aborted.", 1, True)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            cure = how_to_get(error.name or "")
            if cure is None:
                raise
            raise typer.Exit(_tell(cure, 1, as_json)) from error
        except CaptchaLabError as error:
            if leads() or not _alike(error):
                _tell(str(error), error.exit_code, as_json)
            else:
                time.sleep(HEARD)
            raise typer.Exit(error.exit_code) from error


def _tell(message: str, code: int, as_json: bool) -> int:
    """One error, for people on stderr, for scripts as the one JSON object on stdout; the exit code."""
    if as_json:
        with suppress(OSError):  # where stdout itself can't be written
            typer.echo(json.dumps({"error": message, "exit_code": code}))
            return code
    typer.echo(wrapped(f"Error: {printable(message)}", sys.stderr), err=True)
    return code


def wrapped(text: str, stream: Any) -> str:
    """Text for a terminal, broken at words and not in them; unchanged where the stream is no terminal."""
    if not stream.isatty() or "\t" in text:
        return text
    width = max(shutil.get_terminal_size().columns, 20)
    lines = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        lines += textwrap.wrap(
            line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        ) or [""]  # fmt: skip
    return "\n".join(lines)


def leads() -> bool:
    """Whether this is the first of the processes that torchrun started on this machine, which speaks for the others."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _alike(error: CaptchaLabError) -> bool:
    """Whether all of the processes that torchrun started have this error: before they meet they do the same."""
    distributed = sys.modules.get("torch.distributed")
    return isinstance(error, UsageError) or distributed is None or not distributed.is_initialized()


app = typer.Typer(name="captcha-lab", cls=_Group, no_args_is_help=True, **_STYLE)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"captcha-lab {__version__}")
        raise typer.Exit


@app.callback()
def _about(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit."),
    ] = False,
) -> None:
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
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - closed by whoever started us
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal of another encoding gets a ? for what it lacks
            stream.reconfigure(errors="replace")
    try:
        app()
    except OSError as error:  # of help, say, which writes by itself; a command tells it by itself
        refused = _refused_output() or (error if error.errno in UNWRITABLE else None)
        if refused is None:
            raise
    except SystemExit as end:
        refused = _refused_output()
        if refused is None or end.code:
            raise
    else:
        return
    sys.exit(_tell(f"The output can't be written: {refused.strerror or refused}.", 1, False))


def _refused_output() -> OSError | None:
    """Why stdout refuses what waits in its buffer; that is thrown away, or Python would try again and end with 120."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return None  # whoever read it has seen enough
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error
    return None
