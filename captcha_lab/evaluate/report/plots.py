"""The report's pictures: SVG whose ink is the page's text colour, so that it suits light and dark."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import NDArray

from captcha_lab.evaluate.reading.measure import DamageCurve
from captcha_lab.metrics.calibration import Reliability

# Drawn in this colour, which nothing else uses, and then replaced by the page's own.
_INK = "#010203"
COLOURS = ("#3b82c4", "#d9822b", "#2a9d6f", "#b45bc0")
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "axes.titlesize": 10,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _INK,
    "grid.alpha": 0.15,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "axes.prop_cycle": cycler(color=COLOURS),
}


def _svg(figure: Figure, name: str, alternative: str) -> str:
    """The figure as inline SVG that scales with the page; the same bytes for the same content."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
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


def png_uri(image: NDArray[np.uint8], scale: int = 1) -> str:
    """An image uint8 [H, W] or RGB [H, W, 3] as a `data:` address."""
    if scale > 1:
        image = image.repeat(scale, axis=0).repeat(scale, axis=1)
    data = image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])
    encoded = cv2.imencode(".png", data, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode()


def learning_curves(history: Sequence[dict[str, Any]], name: str) -> str:
    """Loss, Wasserstein estimate and quality over seconds (left) and iterations (right); "" where unknown."""
    panels = [
        ("loss", "train", [("critic_loss", "critic"), ("generator_loss", "generator")]),
        (
            "progress by the critic",
            "train",
            [("wasserstein", "Wasserstein estimate"), ("score_gap", "mean score, real less samples")],
        ),
        (
            "quality while training",
            "evaluation",
            [("gan_test", "read as asked"), ("recall", "recall"), ("coverage", "coverage"), ("score", "score")],
        ),
    ]  # fmt: skip
    known = [
        (
            title,
            [(k, label) for k, label in keys if any(r.get("kind") == kind and k in r for r in history)],
            kind,
        )
        for title, kind, keys in panels
    ]
    known = [panel for panel in known if panel[1]]
    if not known:
        return ""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9, 2.3 * len(known)), layout="constrained")
        grid = figure.subplots(len(known), 2, squeeze=False)
        for row, (title, keys, kind) in zip(grid, known, strict=True):
            for axes, across in zip(row, ("seconds", "iteration"), strict=True):
                _curves(axes, history, kind, keys, across)
                axes.set(title=title, xlabel=across)
            row[0].legend(fontsize=8)
        return _svg(figure, f"curves-{name}", "learning curves over seconds and iterations")


def _curves(
    axes: Axes, history: Sequence[dict[str, Any]], kind: str, keys: list[tuple[str, str]], across: str
) -> None:
    for key, label in keys:
        rows = [r for r in history if r.get("kind") == kind and key in r and across in r]
        axes.plot([r[across] for r in rows], [r[key] for r in rows], label=label)


def confusion_plot(confusion: NDArray[np.int64], classes: Sequence[str], name: str) -> str:
    """Confusion matrix: rows true or asked, columns read; errors orange, hits blue, by share of the row."""
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    colour = np.zeros((*share.shape, 4))
    right = np.eye(len(share), dtype=bool)
    colour[right, :3] = mpl.colors.to_rgb(COLOURS[0])
    colour[~right, :3] = mpl.colors.to_rgb(COLOURS[1])
    colour[..., 3] = np.where(right, 0.75 * share, np.where(confusion > 0, 0.25 + 0.75 * share, 0))
    with mpl.rc_context(_STYLE | {"axes.grid": False, "font.size": 8}):
        side = max(3.0, 0.19 * len(share) + 0.8)
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        axes.imshow(colour)
        ticks = range(len(share))
        axes.set_xticks(ticks, [str(c) for c in classes])
        axes.set_yticks(ticks, [str(c) for c in classes])
        axes.tick_params(length=0)
        axes.set(xlabel="read as", ylabel="true or asked for")
        return _svg(figure, f"confusion-{name}", "confusion matrix")


def reliability_plot(bins: Reliability) -> str:
    """Reliability diagram: accuracy over confidence, with the number of glyphs in each bin below."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.4, 4.0), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        centres, width = (bins.edges[:-1] + bins.edges[1:]) / 2, np.diff(bins.edges)
        filled = bins.counts > 0
        top.plot([0, 1], [0, 1], color=_INK, alpha=0.4, linewidth=1, linestyle="--")
        top.bar(centres[filled], bins.accuracy[filled], width=width[filled] * 0.9, alpha=0.75)
        top.plot(bins.confidence[filled], bins.accuracy[filled], "o", color=COLOURS[1], markersize=4)
        top.set(ylabel="read right", ylim=(0, 1.02))
        bottom.bar(centres, bins.counts, width=width * 0.9, alpha=0.75)
        bottom.set(xlabel="confidence", ylabel="glyphs", yscale="symlog")
        return _svg(figure, "reliability", "reliability diagram")


def damage_plot(curves: Sequence[DamageCurve]) -> str:
    """Accuracy over the strength of each damage, with Wilson's interval."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9, 2.5), layout="constrained")
        for axes, curve in zip(figure.subplots(1, len(curves), sharey=True), curves, strict=True):
            axes.plot(curve.levels, [s.value for s in curve.shares], "o-", markersize=3)
            axes.fill_between(
                curve.levels, [s.low for s in curve.shares], [s.high for s in curve.shares], alpha=0.25
            )
            axes.set(
                title=curve.name, xlabel=curve.unit.replace("standard deviation in", "sd in"), ylim=(0, 1.02)
            )
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        return _svg(figure, "damages", "accuracy under blur, noise, rotation and shift")


def line_plot(
    series: Sequence[tuple[str, Sequence[float], Sequence[float], Sequence[tuple[float, float]]]],
    across: str,
    up: str,
    name: str,
) -> str:
    """Lines (label, x, y, lower and upper end of each y) in one picture, x on a log scale."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6, 3), layout="constrained")
        axes = figure.subplots()
        for label, x, y, ends in series:
            axes.plot(x, y, "o-", markersize=3, label=label)
            axes.fill_between(x, [low for low, _ in ends], [high for _, high in ends], alpha=0.2)
        axes.set(xlabel=across, ylabel=up, xscale="log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        if len(series) > 1:
            axes.legend(fontsize=8)
        return _svg(figure, name, f"{up} over {across}")
