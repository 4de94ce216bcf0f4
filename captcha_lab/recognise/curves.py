"""The picture of a recogniser's training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from captcha_lab.extras import available
from captcha_lab.store.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_curves(path: Path, history: list[dict[str, Any]]) -> None:
    """Write `training_figure` as a PNG; nothing without matplotlib.

    Raises:
        CaptchaLabError: the disk refuses.
    """
    if available("matplotlib"):
        with atomic_path(path) as temporary:
            training_figure(history).savefig(temporary, dpi=110)


def training_figure(history: list[dict[str, Any]]) -> Figure:
    """Loss (log scale) and share read right over epochs or steps, training and validation.

    Args:
        history: lines with `epoch` or `step`, and any of train_loss, train_accuracy, validation_loss and
            validation_accuracy.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    unit = "epoch" if history and "epoch" in history[0] else "step"
    panels = zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True)
    for axes, what in panels:
        for split in ("train", "validation"):
            lines = [line for line in history if f"{split}_{what}" in line]
            values = [line[f"{split}_{what}"] for line in lines]
            if lines:
                shown = values if what == "loss" else [100 * value for value in values]
                axes.plot([line[unit] for line in lines], shown, label=split)
        axes.set(xlabel=unit, title=what.capitalize())
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if axes.has_data():
            axes.legend()
    figure.axes[0].set(ylabel="cross-entropy (nats)", yscale="log")
    figure.axes[1].set(ylabel="read right (%)")
    return figure
