"""A whole page, and the parts that every section of it uses; light and dark, nothing from outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from captcha_lab.metrics.intervals import Share


def page(title: str, heading: str, sentence: str, body: str) -> str:
    """A whole page with the house's style."""
    css = files("captcha_lab.evaluate.page").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(heading)}</h1>\n<p class="verdict">{escape(sentence)}</p>\n'
        f"{body}\n</main>\n</body>\n</html>\n"
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


def tile(value: str, label: str) -> str:
    """A figure in large type with a line below."""
    return f'<div class="tile"><b>{value}</b><span>{label}</span></div>'


def share_text(share: Share) -> str:
    """`99.6 %` with its interval in small type."""
    return f"{100 * share.value:.1f} %"


def interval_text(share: Share) -> str:
    """`98.9 to 99.8, 1000 tried`."""
    return f"{100 * share.low:.1f} to {100 * share.high:.1f}, {share.trials} tried"
