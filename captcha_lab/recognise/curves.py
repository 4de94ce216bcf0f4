"""The picture of a recogniser's training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from captcha_lab.extras import available
from captcha_lab.store.files import atomic_path


def draw_curves(path: Path, history: list[dict[str, Any]]) -> None:
    """Loss (log scale) and error rate over epochs, training and validation, as a PNG; nothing without matplotlib.

    Raises:
        CaptchaLabError: the disk refuses.
    """
    if not available("matplotlib"):
        return
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss_axes, error_axes = figure.subplots(1, 2)
    epochs = [scalars["epoch"] for scalars in history]
    for split in ("train", "validation"):
        if f"{split}_loss" in history[0]:
            loss_axes.plot(epochs, [s[f"{split}_loss"] for s in history], label=split)
            error_axes.plot(epochs, [100 * s[f"{split}_accuracy"] for s in history], label=split)
    loss_axes.set(xlabel="epoch", ylabel="cross-entropy (nats)", yscale="log", title="Loss")
    error_axes.set(xlabel="epoch", ylabel="glyphs read right (%)", title="Accuracy")
    for axes in (loss_axes, error_axes):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
