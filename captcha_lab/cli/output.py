"""What commands share in talking to people and to scripts: results, tables, progress bars, common options."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from captcha_lab.cli import leads, wrapped
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.plain import plain
from captcha_lab.text import printable

if TYPE_CHECKING:
    from captcha_lab.cli.bars import TerminalBar

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object, for scripts.")]
DatasetOption = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        metavar="NAME",
        help="Dataset in the workspace [default: the configured one, else 'captcha'].",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "--run",
        "--generator",
        "--recogniser",
        metavar="RUN",
        help="Run, its folder or its model file [default: the one in use; see `captcha-lab runs`].",
    ),
]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "--run",
        "--generator",
        "--recogniser",
        metavar="RUN",
        help="Generator or recogniser run; repeat for several [default: those in use; see `captcha-lab runs`].",
    ),
]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed of everything drawn at random.")
]


def attributes_option(help: str) -> Any:
    """The option that names attributes, spelt alike by every command (see `names`)."""
    return typer.Option("--attributes", "--attribute", metavar="A,B", help=help)


def names(given: Sequence[str] | None) -> tuple[str, ...]:
    """Names with commas between, the option repeated, or both."""
    return tuple(name.strip() for part in given or () for name in part.split(",") if name.strip())


def emit(result: Any, as_json: bool, *lines: str) -> None:
    """Print the result as one JSON object, or else the lines meant for people."""
    try:
        if as_json:
            typer.echo(json.dumps(plain(result)))
        else:
            for line in lines:
                typer.echo(wrapped(printable(line, "\n\t"), sys.stdout))
    except BrokenPipeError:
        raise  # whoever read it has seen enough
    except OSError as error:
        raise CaptchaLabError(f"The output can't be written: {error.strerror or error}.") from error


def tell_next(dataset: str | None, as_json: bool) -> None:
    """The last line for people: what would come next for a dataset (None: the configured one)."""
    if as_json or not leads():
        return
    from captcha_lab.pipeline.status import next_step
    from captcha_lab.store.workspace import Workspace

    workspace = Workspace.find()
    with suppress(CaptchaLabError):  # what is damaged is said by the command that needs it
        step = next_step(workspace, workspace.dataset(dataset))
        suggest(step.command, step.why, as_json)


def suggest(command: str, why: str, as_json: bool) -> None:
    """The last line for people, on stderr beside the result: a command that may come next, and what it is for."""
    if not as_json:
        say(f"Next: {command}  ({why})")


def say(message: str) -> None:
    """Tell a person what is going on, once for all processes; on stderr, so that it never mixes with a result."""
    if not leads():
        return
    message = printable(message)
    if _shown:
        _shown[-1].print(message)
    else:
        typer.echo(wrapped(message, sys.stderr), err=True)


def ask(question: str) -> bool:
    """A yes or no from the person at the terminal; a progress bar waits meanwhile."""
    for bar in _shown:
        bar.pause()
    answer = typer.confirm(question, err=True)
    for bar in _shown:
        bar.resume()
    return answer


_shown: list[TerminalBar] = []  # the bar that is drawn now, if any


class Bar:
    """A progress callback `(done, total)` that shows the name of the phase; `phase` changes it on the way."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """So many of the present phase are done; a note stands beside the bar."""
        self.phase(self.name, done, total, note)

    def phase(self, phase: str, done: int, total: int, note: str = "") -> None:
        """The same, of a phase that is named each time."""
        if _shown:
            _shown[-1].update(phase, done, total, note)


@contextmanager
def progress(name: str) -> Iterator[Bar]:
    """A progress bar on stderr; silent when that is not a terminal, or another process speaks."""
    if not sys.stderr.isatty() or not leads() or _shown:
        yield Bar(name)
        return
    from captcha_lab.cli.bars import TerminalBar

    with TerminalBar(name) as drawn:
        _shown.append(drawn)
        try:
            yield Bar(name)
        finally:
            _shown.remove(drawn)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> str:
    """A plain table as text, numbers to the right; rows one below the other where the terminal is too narrow for it."""
    import io

    from rich.box import SIMPLE_HEAD, Box
    from rich.console import Console
    from rich.table import Table

    def is_number(text: str) -> bool:
        return bool(text) and text.strip("%± ").replace(".", "").replace("-", "").replace(",", "").isdigit()

    texts = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    width = Console().width if sys.stdout.isatty() else 200
    words = ([word for row in [columns, *texts] for word in row[k].split()] for k in range(len(columns)))
    if sum(3 + max(map(len, column), default=0) for column in words) > width:
        return "\n".join(filter(None, [title, *(_record(columns, row) for row in texts)]))
    box = SIMPLE_HEAD if _draws_lines(sys.stdout) else Box(str(SIMPLE_HEAD).replace("─", "-"), ascii=True)
    grid = Table(title=title, box=box, title_justify="left", pad_edge=False)
    for k, column in enumerate(columns):
        right = bool(texts) and all(is_number(row[k]) or not row[k] for row in texts)
        grid.add_column(column, justify="right" if right else "left")
    for row in texts:
        grid.add_row(*row)
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, markup=False).print(grid)
    return out.getvalue().rstrip()


def _record(columns: Sequence[str], row: Sequence[str]) -> str:
    """A row by itself: what it is about, and below that its other cells, each with its column's name."""
    first = 0 if columns[0] else 1  # a column without a name holds a mark
    head = " ".join(filter(None, row[: first + 1]))
    rest = (
        f"{column} {cell}"
        for column, cell in zip(columns[first + 1 :], row[first + 1 :], strict=True)
        if cell
    )
    return f"{head}\n  {'; '.join(rest)}"


def _draws_lines(stream: Any) -> bool:
    """Whether the stream's encoding has the characters that tables are drawn with."""
    try:
        "─".encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def size_text(count: int) -> str:
    """Bytes as people read them: `1.3 MB`."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def percent(share: Any, unit: str = "glyphs") -> str:
    """A `metrics.intervals.Share` as people read it: `99.6 % (98.9 to 99.8)`."""
    if share is None:
        return "not measured (no labels)"
    return (
        f"{100 * share.value:.2f} % ({100 * share.low:.1f} to {100 * share.high:.1f}, {share.trials} {unit})"
    )
