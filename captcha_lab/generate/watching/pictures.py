"""Pictures of a run: grids of samples, loss curves, and the grids one after the other as an animation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from captcha_lab.errors import UsageError
from captcha_lab.extras import available
from captcha_lab.store.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def save_strip(path: Path, frames: Sequence[Path], most: int = 8) -> None:
    """Join pictures of one size side by side, `most` of them evenly spread, the last one included."""
    chosen = sorted({round(k * (len(frames) - 1) / max(1, most - 1)) for k in range(most)}) if frames else []
    pictures = []
    for k in chosen:
        with Image.open(frames[k]) as opened:
            pictures.append(np.asarray(opened))
    if pictures:
        save_picture(path, grid(np.stack(pictures), len(pictures), gap=4))


@dataclass(frozen=True)
class Panel:
    """Curves that share an axis: what is logged, and how it is called in the legend."""

    label: str
    curves: Mapping[str, str]
    loss: bool = False
    """Drawn on a logarithmic scale, symmetric about zero where values are negative."""


PANELS = (
    Panel("loss", {"critic_loss": "critic", "generator_loss": "generator"}, loss=True),
    Panel("estimate", {"wasserstein": "Wasserstein estimate: mean real - mean fake score"}),
    Panel("score gap", {"score_gap": "mean real - mean fake score"}),
    Panel("probability", {"real_probability": "D(x)", "fake_probability": "D(G(z))"}),
    Panel(
        "quality",
        {
            "score": "score",
            "gan_test": "read as asked",
            "recall": "recall",
            "coverage": "coverage",
            "variance_ratio": "variance beside real",
        },
    ),
    Panel("nats", {"information": "bound on what an image tells of its codes"}),
)


def curves_figure(
    history: Sequence[dict[str, Any]], title: str = "", epochs_per_iteration: float | None = None
) -> Figure | None:
    """The curves of a run over its iterations, a panel each for what has a scale of its own; None without any.

    Args:
        history: the logged lines, each with its iteration; lines of kind "switch" are drawn as vertical lines.
        title: of the picture.
        epochs_per_iteration: for a second axis in epochs; None = no such axis.
    """
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    panels = [p for p in PANELS if any(_points(history, key) for key in p.curves)]
    if not panels:
        return None
    figure = Figure(figsize=(7, 1 + 2.3 * len(panels)), layout="constrained")
    every = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(every, panels, strict=True):
        drawn = [_points(history, key) for key in panel.curves]
        for points, label in zip(drawn, panel.curves.values(), strict=True):
            if points:
                axes.plot(*zip(*points, strict=True), label=label, linewidth=1)
        if panel.loss:
            _set_log_scale(axes, np.array([y for points in drawn for _, y in points]))
        for line in history:
            if line.get("kind") == "switch":
                axes.axvline(line["iteration"], linestyle=":", color=rcParams["text.color"], linewidth=1)
        axes.set_ylabel(panel.label)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    every[-1].set_xlabel("iteration")
    if epochs_per_iteration:
        each = epochs_per_iteration
        axis = every[0].secondary_xaxis("top", functions=(lambda x: x * each, lambda x: x / each))
        axis.set_xlabel("epoch")
    if title:
        figure.suptitle("\n".join(wrap(title, TITLE_WIDTH)), fontsize="medium")
    return figure


def save_curves(
    path: Path, history: Sequence[dict[str, Any]], title: str, epochs_per_iteration: float | None = None
) -> None:
    """Write the `curves_figure` of a run as a picture; nothing for an empty history, or without matplotlib."""
    figure = curves_figure(history, title, epochs_per_iteration) if available("matplotlib") else None
    if figure is not None:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=110)


def _points(history: Sequence[dict[str, Any]], key: str) -> list[tuple[int, float]]:
    """(iteration, value) of the lines that have a finite value."""
    found = [(line["iteration"], line[key]) for line in history if isinstance(line.get(key), int | float)]
    return [(x, y) for x, y in found if np.isfinite(y)]


def _set_log_scale(axes: Any, values: np.ndarray) -> None:
    """Figure 4-8's logarithmic axis; losses that become negative get the symmetric one, linear about zero."""
    sizes = np.abs(values[values != 0])
    if values.min() > 0:
        axes.set_yscale("log")
    elif len(sizes):
        axes.set_yscale("symlog", linthresh=float(np.quantile(sizes, 0.1)))
