"""Learning curves of a generator's run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from captcha_lab.evaluate.page.plots import STYLE, svg


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
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 2.3 * len(known)), layout="constrained")
        grid = figure.subplots(len(known), 2, squeeze=False)
        for row, (title, keys, kind) in zip(grid, known, strict=True):
            for axes, across in zip(row, ("seconds", "iteration"), strict=True):
                _curves(axes, history, kind, keys, across)
                axes.set(title=title, xlabel=across)
            row[0].legend(fontsize=8)
        return svg(figure, f"curves-{name}", "learning curves over seconds and iterations")


def _curves(
    axes: Axes, history: Sequence[dict[str, Any]], kind: str, keys: list[tuple[str, str]], across: str
) -> None:
    for key, label in keys:
        rows = [r for r in history if r.get("kind") == kind and key in r and across in r]
        axes.plot([r[across] for r in rows], [r[key] for r in rows], label=label)
