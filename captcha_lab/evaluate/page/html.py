"""A whole page, and the parts that every section of it uses; light and dark, on screen and in print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files

from captcha_lab.evaluate.grade import Grade
from captcha_lab.metrics.intervals import Share


def page(title: str, sentence: str, grade: Grade | None, body: str) -> str:
    """A whole page: its title, its verdict in a sentence, a grade where there is one, and what follows."""
    css = files("captcha_lab.evaluate.page").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(title)}</h1>\n<div class="head">{badge(grade)}<p class="verdict">{escape(sentence)}</p></div>\n'
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def badge(grade: Grade | None) -> str:
    """The letter of a grade in a coloured field, and its meaning below."""
    if grade is None:
        return ""
    letter = escape(grade.letter)
    return (
        f'<p class="badge grade-{letter.lower()}"><b>{letter}</b><span>Grade {letter}, from A (best) to F: '
        f"{escape(grade.meaning)}.</span></p>"
    )


def heading(text: str, meaning: str = "") -> str:
    """The head of a table's column, with a sentence on hover."""
    return f'<abbr title="{escape(meaning)}">{escape(text)}</abbr>' if meaning else escape(text)


def legend(meanings: Mapping[str, str]) -> str:
    """What the heads of a table mean: folded on a screen, open in print."""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in meanings.items())
    return (
        f"<details><summary>What the columns mean</summary><dl>{items}</dl></details>"
        f'<dl class="in-print">{items}</dl>'
    )


def table(head: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]], kind: str = "") -> str:
    """A table that scrolls sideways where it must; cells are HTML, rows carry a class."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "\n".join(
        f'<tr class="{css}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>" for css, cells in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table class="{kind}"><thead><tr>{top}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def framed(plot: str, kind: str = "") -> str:
    """A plot in its frame, which scrolls sideways (by keys, too) where it must; `small` and `matrix` ones have room."""
    keys = "" if kind == "small" else ' tabindex="0"'
    return f'<div class="plot {kind}"{keys}>{plot}</div>'


def facts(items: Iterable[tuple[str, str]]) -> str:
    """Names and what they are, as HTML, one below the other."""
    body = "".join(f"<dt>{escape(name)}</dt><dd>{text}</dd>" for name, text in items)
    return f"<dl>{body}</dl>"


def tile(value: str, label: str) -> str:
    """A figure in large type with a line below."""
    return f'<div class="tile"><b>{value}</b><span>{label}</span></div>'


def tiles(made: Iterable[str]) -> str:
    """Tiles side by side."""
    return f'<div class="tiles">{"".join(made)}</div>'


def share_text(share: Share) -> str:
    """`99.6 %`; a dash where nothing was tried."""
    return f"{100 * share.value:.1f} %" if share.trials else "–"


def interval_text(share: Share) -> str:
    """`98.9 to 99.8, 1000 tried`."""
    return f"{100 * share.low:.1f} to {100 * share.high:.1f}, {share.trials} tried"


def share_cell(share: Share) -> str:
    """A share with its interval in small type, as the cell of a table."""
    return f"{share_text(share)}<small>{interval_text(share)}</small>"
