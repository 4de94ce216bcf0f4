"""How a command's help looks and how a wrong option is answered: usual words, wrapped at words, with examples."""

from __future__ import annotations

from difflib import get_close_matches
from textwrap import wrap
from typing import Any, get_args

from typer.core import TyperCommand

UNLIMITED = 2**31  # a limit from which on nobody needs to be told of it
NARROW = 76  # columns; below it an option's explanation stands under the option, not beside it
_KINDS = {"int": "N", "float": "X", "str": "TEXT", "Path": "PATH"}
_WANTED = {"int": "a whole number", "float": "a number"}
Examples = tuple[tuple[str, str], ...]


class Command(TyperCommand):
    """A command whose help names no types of Python, ends with examples, and suggests what was probably meant."""

    examples: Examples = ()

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words after the command's name in the first line of its help."""
        arguments = [param for param in self.get_params(ctx) if param.param_type_name == "argument"]
        return [
            "[OPTIONS]",
            *(name if param.required else f"[{name}]" for param in arguments for name in [value_name(param)]),
        ]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments and options; then the examples."""
        write_params(formatter, self.get_params(ctx))
        if self.examples:
            with formatter.section("Examples"):
                for line, meaning in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")
                    formatter.indent()
                    formatter.write_text(meaning)
                    formatter.dedent()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer does, with errors that say what was probably meant."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            _explain(error, self.get_params(ctx))
            raise


def write_params(formatter: Any, params: list[Any]) -> None:
    """Arguments and options, each with what it takes, what it means and its default."""
    rows: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for param in params:
        if not getattr(param, "hidden", False):
            section = "Arguments" if param.param_type_name == "argument" else "Options"
            rows[section].append((_spelling(param), _meaning(param)))
    for section, entries in rows.items():
        if entries:
            write_section(formatter, section, entries)


def write_section(formatter: Any, title: str, rows: list[tuple[str, str]]) -> None:
    """A list of names and meanings, side by side where the terminal has room for it.

    Lines break at blanks only: `--no-label` and `User-Agent` stay whole, unlike in the parser's own lists.
    """
    indent = max(len(name) for name, _ in rows)
    indent = min(indent, 30 if formatter.width >= NARROW else 12) + 4
    with formatter.section(title):
        for name, meaning in rows:
            lines = wrap(meaning, formatter.width - indent, break_on_hyphens=False, break_long_words=False)
            lead = f"  {name}".ljust(indent)
            if len(lead) > indent or lead[-2:].strip():
                formatter.write(f"{lead.rstrip()}\n")
                lead = " " * indent
            for line in lines or [""]:
                formatter.write(f"{lead}{line}".rstrip() + "\n")
                lead = " " * indent


def did_you_mean(given: str, known: list[str]) -> str:
    """`Did you mean --epochs?`, with a space before it; nothing where nothing is near."""
    close = get_close_matches(given, known, n=2, cutoff=0.7)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def value_name(param: Any) -> str:
    """What stands for the value of an argument or option: its own name for it, or what kind of value it takes."""
    if param.param_type_name == "argument":
        name = str(param.metavar or param.name.upper())
        return name + "..." if param.nargs == -1 else name
    return str(param.metavar or _KINDS.get(_kind(param), "VALUE"))


def _kind(param: Any) -> str:
    annotation = param.type_descriptor.annotation
    inner = get_args(annotation)
    return str(getattr(inner[0] if inner else annotation, "__name__", ""))


def _spelling(param: Any) -> str:
    if param.param_type_name == "argument":
        return value_name(param)
    short = [name for name in param.opts if not name.startswith("--")]
    # Of several long spellings the first is the present one; the others are kept for those who know them.
    names = [*short, *[name for name in param.opts if name.startswith("--")][:1], *param.secondary_opts]
    return ", ".join(names) if param.is_flag or param.count else f"{', '.join(names)} {value_name(param)}"


def _meaning(param: Any) -> str:
    notes = ["required"] if param.required and param.param_type_name == "option" else []
    default = param.default
    told = isinstance(default, int | float) or (bool(default) and not callable(default))
    if told and default is not False and not param.is_eager:
        notes.append(f"default: {param.opts[0] if default is True else default}")
    if param.type_descriptor.is_ranged:
        notes += _range(param.min, param.max)
    note = f" [{'; '.join(notes)}]" if notes else ""
    return f"{param.help or ''}{note}"


def _range(low: float | None, high: float | None) -> list[str]:
    if high is not None and high >= UNLIMITED:
        high = None
    if low is not None and high is not None:
        return [f"{low} to {high}"]
    return [f"at least {low}"] if low is not None else [f"at most {high}"]


def _explain(error: Any, params: list[Any]) -> None:
    """Put an error of the parser in plain words; other exceptions stay as they are."""
    if hasattr(error, "possibilities"):  # an option that does not exist
        known = [param.opts[0] for param in params if param.param_type_name == "option"]
        known += [name for param in params for name in getattr(param, "secondary_opts", ())]
        error.message = error.message.replace("No such option:", "There is no option") + "."
        error.message += did_you_mean(error.option_name, known)
        error.possibilities = None
    elif getattr(error, "param", None) is not None and error.param.param_type_name == "argument":
        error.param_hint = value_name(error.param).removesuffix("...")
    elif str(getattr(error, "message", "")).startswith("Input should be a valid"):
        wanted = _WANTED.get(_kind(error.param))
        if wanted:
            error.message = f"give {wanted}."
