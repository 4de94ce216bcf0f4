"""Pictures of a run: grids of samples, loss curves, and the grids one after the other as an animation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from PIL import Image

from captcha_lab.errors import UsageError
from captcha_lab.extras import available
from captcha_lab.store.files import atomic_path

TITLE_WIDTH = 80  # characters in a line above the curves: matplotlib cuts off what is wider than the picture


def grid(images: np.ndarray, columns: int, gap: int = 0) -> np.ndarray:
    """Tile images row by row; cells left over, and gaps, are white.

    Args:
        images: uint8 [N, H, W] or [N, H, W, 3].
        columns: cells per row.
        gap: pixels between cells.

    Returns:
        uint8 [rows * H + gaps, columns * W + gaps] or [..., 3].

    Raises:
        UsageError: no columns.
    """
    if columns < 1:
        raise UsageError(f"A grid needs at least 1 column, not {columns}.")
    n, h, w = images.shape[:3]
    rows = -(-n // columns)
    sheet = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, *images.shape[3:]), 255, np.uint8)
    for k, image in enumerate(images):
        y, x = divmod(k, columns)
        sheet[y * (h + gap) : y * (h + gap) + h, x * (w + gap) : x * (w + gap) + w] = image
    return sheet


def save_picture(path: Path, pixels: np.ndarray, scale: int = 1) -> None:
    """Write uint8 [H, W] or [H, W, 3] as a picture of the path's type, each pixel `scale` wide."""
    enlarged = pixels.repeat(scale, 0).repeat(scale, 1)
    with atomic_path(path) as temporary:
        Image.fromarray(enlarged).save(temporary)


def save_animation(path: Path, frames: Sequence[Path], seconds: float = 6.0) -> None:
    """Join pictures of one size into an animated GIF that repeats; the last frame stays a second longer."""
    pictures = []
    for frame in frames:
        with Image.open(frame) as opened:
            pictures.append(opened.convert("P" if opened.mode == "RGB" else "L"))
    if not pictures:
        return
    each = max(40, round(1000 * seconds / len(pictures)))
    durations = [each] * (len(pictures) - 1) + [each + 1000]
    with atomic_path(path) as temporary:
        pictures[0].save(
            temporary, save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=False
        )


def save_curves(path: Path, history: Sequence[dict[str, Any]], title: str) -> None:
    """Draw both losses over the iterations, and below them what is known of progress.

    Losses that stay positive are drawn on a log scale, as the thesis does; the Wasserstein estimate and the
    figures of quality share the lower panel. Nothing is drawn for an empty history, or without matplotlib.
    """
    if not available("matplotlib"):
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not history:
        return
    figure = Figure(figsize=(7, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    drawn = [_draw(above, history, key, label) for key, label in _LOSSES.items()]
    values = np.concatenate(drawn)
    if len(values) and values.min() > 0:
        above.set_yscale("log")
    above.set_ylabel("loss")
    above.set_title("\n".join(wrap(title, TITLE_WIDTH)), fontsize="medium")
    for key, label in _PROGRESS.items():
        _draw(below, history, key, label)
    below.set_xlabel("iteration")
    for axes in (above, below):
        axes.grid(alpha=0.3)
        if axes.has_data():
            axes.legend(fontsize="small")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


_LOSSES = {"critic_loss": "critic", "generator_loss": "generator"}
_PROGRESS = {
    "wasserstein": "Wasserstein estimate (mean real - mean fake score)",
    "score_gap": "mean real - mean fake score",
    "score": "quality",
    "recall": "recall",
    "variance_ratio": "variance beside real",
}


def _draw(axes: Any, history: Sequence[dict[str, Any]], key: str, label: str) -> np.ndarray:
    points = [(line["iteration"], line[key]) for line in history if isinstance(line.get(key), int | float)]
    points = [(x, y) for x, y in points if np.isfinite(y)]
    if points:
        axes.plot(*zip(*points, strict=True), label=label, linewidth=1)
    return np.array([y for _, y in points])
