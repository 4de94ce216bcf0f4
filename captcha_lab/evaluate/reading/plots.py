"""Plots of how well a reader reads."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from captcha_lab.evaluate.page.plots import COLOURS, INK, STYLE, svg
from captcha_lab.evaluate.reading.damage import DamageCurve
from captcha_lab.metrics.calibration import Reliability


def reliability_plot(bins: Reliability, what: str) -> str:
    """Reliability diagram: accuracy over confidence, with the number of `what` in each bin below."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.4, 4.0), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        centres, width = (bins.edges[:-1] + bins.edges[1:]) / 2, np.diff(bins.edges)
        filled = bins.counts > 0
        top.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=1, linestyle="--")
        top.bar(centres[filled], bins.accuracy[filled], width=width[filled] * 0.9, alpha=0.75)
        top.plot(bins.confidence[filled], bins.accuracy[filled], "o", color=COLOURS[1], markersize=4)
        top.set(ylabel="read right", ylim=(0, 1.02))
        bottom.bar(centres, bins.counts, width=width * 0.9, alpha=0.75)
        bottom.set(xlabel="confidence", ylabel=what, yscale="symlog")
        return svg(figure, f"reliability-{what}", "reliability diagram")


def damage_plot(curves: Sequence[DamageCurve], name: str) -> str:
    """Accuracy over the strength of each damage, with Wilson's interval."""
    with mpl.rc_context(STYLE):
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
        return svg(figure, f"damages-{name}", "accuracy under blur, noise, rotation and shift")
