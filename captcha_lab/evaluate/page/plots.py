"""Plots of a page: SVG whose ink is the page's text colour, so that it suits light and dark."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from captcha_lab.evaluate.page.html import framed

# Drawn in this colour, which nothing else uses, and then replaced by the page's own.
INK = "#010203"
WORST = 8  # classes read worst, in the small confusion matrix
COLOURS = ("#3b82c4", "#d9822b", "#2a9d6f", "#b45bc0")
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "axes.prop_cycle": cycler(color=COLOURS),
}


def svg(figure: Figure, name: str, alternative: str) -> str:
    """The figure as inline SVG that scales with the page; the same bytes for the same content."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    start, end = text.find("<metadata>"), text.find("</metadata>")
    text = text if start < 0 else text[:start] + text[end + len("</metadata>") :]
    # Ids are unique within a figure only; the prefix makes them so within the page.
    for mark in ('id="', "url(#", 'href="#'):
        text = text.replace(mark, f"{mark}{name}-")
    head, rest = text.split(">", 1)
    keep = [part for part in head.split() if part.startswith("viewBox")]
    box = head[head.index("viewBox") :].split('"')[1] if keep else "0 0 400 300"
    return (
        f'<svg viewBox="{box}" role="img" aria-label="{alternative}" xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink">{rest}'
    )


def confusion_plot(confusion: NDArray[np.int64], classes: Sequence[str], name: str) -> str:
    """Confusion matrix: rows true or asked, columns read; errors orange, hits blue, by share of the row."""
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    colour = np.zeros((*share.shape, 4))
    right = np.eye(len(share), dtype=bool)
    colour[right, :3] = mpl.colors.to_rgb(COLOURS[0])
    colour[~right, :3] = mpl.colors.to_rgb(COLOURS[1])
    colour[..., 3] = np.where(right, 0.75 * share, np.where(confusion > 0, 0.25 + 0.75 * share, 0))
    with mpl.rc_context(STYLE | {"axes.grid": False, "font.size": 8}):
        side = max(3.0, 0.19 * len(share) + 0.8)
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        axes.imshow(colour)
        ticks = range(len(share))
        axes.set_xticks(ticks, [str(c) for c in classes])
        axes.set_yticks(ticks, [str(c) for c in classes])
        axes.tick_params(length=0)
        axes.set(xlabel="read as", ylabel="true or asked for")
        return svg(figure, f"confusion-{name}", "confusion matrix")


def confusion_section(confusion: NDArray[np.int64], classes: Sequence[str], name: str) -> str:
    """The confusion matrix of the classes that matter, and the whole one folded away.

    Those are the classes read worst and what they are taken for; "" as long as nothing is misread.
    """
    tried = confusion.sum(axis=1)
    right = np.divide(confusion.diagonal(), tried, out=np.ones(len(tried)), where=tried > 0)
    worst = [int(k) for k in np.argsort(right, kind="stable") if right[k] < 1][:WORST]
    if not worst:
        return ""
    others = confusion - np.diag(confusion.diagonal())
    matter = sorted({*worst, *(int(others[k].argmax()) for k in worst)})
    small = confusion_plot(confusion[np.ix_(matter, matter)], [classes[k] for k in matter], f"{name}-worst")
    whole = confusion_plot(confusion, classes, name)
    return (
        f"<div>{framed(small, 'small')}<details><summary>All {len(classes)} classes</summary>"
        f"{framed(whole, 'matrix')}</details></div>"
    )


def line_plot(
    series: Sequence[tuple[str, Sequence[float], Sequence[float], Sequence[tuple[float, float]]]],
    across: str,
    up: str,
    name: str,
) -> str:
    """Lines (label, x, y, lower and upper end of each y) in one picture, x on a log scale."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6, 3), layout="constrained")
        axes = figure.subplots()
        for label, x, y, ends in series:
            axes.plot(x, y, "o-", markersize=3, label=label)
            axes.fill_between(x, [low for low, _ in ends], [high for _, high in ends], alpha=0.2)
        axes.set(xlabel=across, ylabel=up, xscale="log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        if len(series) > 1:
            axes.legend(fontsize=8)
        return svg(figure, name, f"{up} over {across}")
