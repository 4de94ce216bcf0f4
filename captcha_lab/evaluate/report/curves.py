"""Learning curves of a generator's run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from captcha_lab.evaluate.page.plots import STYLE, svg

# (title, kind of row, keys with their names): a curve is drawn once, where the run recorded it.
PANELS = (
    ("Loss", "train", (("critic_loss", "critic"), ("generator_loss", "generator"))),
    (
        "Progress by the critic",
        "train",
        (("wasserstein", "Wasserstein estimate"), ("score_gap", "mean score, real less samples")),
    ),
    (
        "Quality while training",
        "evaluation",
        (("gan_test", "read as asked"), ("recall", "recall"), ("coverage", "coverage"), ("score", "score")),
    ),
)


def learning_curves(history: Sequence[dict[str, Any]], name: str) -> str:
    """Loss, Wasserstein estimate and quality over iterations, side by side; "" where nothing was recorded."""
    known = []
    for title, kind, keys in PANELS:
        rows = [row for row in history if row.get("kind") == kind and "iteration" in row]
        lines = [(label, [(r["iteration"], r[key]) for r in rows if key in r]) for key, label in keys]
        if lines := [line for line in lines if line[1]]:
            known.append((title, lines))
    if not known:
        return ""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.6 * len(known), 2.8), layout="constrained")
        for axes, (title, lines) in zip(figure.subplots(1, len(known), squeeze=False)[0], known, strict=True):
            for label, points in lines:
                axes.plot([x for x, _ in points], [y for _, y in points], label=label)
            axes.set(title=title, xlabel="iteration")
            axes.legend(fontsize=8)
        return svg(figure, f"curves-{name}", "learning curves over iterations")
