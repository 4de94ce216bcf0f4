"""Pictures for notebooks and programs: a matplotlib figure that shows itself, and pictures inside HTML."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.errors import UsageError
from captcha_lab.extras import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from matplotlib.figure import Figure


class Plot:
    """What `plot()` gives: a notebook shows it, `save` writes it, `figure` is matplotlib's for whatever else.

    Args:
        figure: any matplotlib figure, made without pyplot.
    """

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    def __repr__(self) -> str:
        titles = [axes.get_title() or axes.get_ylabel() for axes in self.figure.axes]
        return f"Plot({', '.join(filter(None, titles[:4]))})"

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()

    def save(self, path: Path | str) -> Path:
        """Write it as PNG, SVG or PDF, by the path's ending."""
        self.figure.savefig(path, dpi=150)
        return Path(path)


def pictures_plot(images: Sequence[np.ndarray] | np.ndarray, titles: Sequence[str], columns: int = 8) -> Plot:
    """Pictures uint8 [H, W] or [H, W, 3] under their titles, `columns` in a row.

    Raises:
        CaptchaLabError: matplotlib is not installed.
        UsageError: fewer than one picture or column.
    """
    require("matplotlib")
    from matplotlib.figure import Figure

    if not len(images) or columns < 1:
        raise UsageError("Give at least 1 picture and 1 column.")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    wide = max(1.0, images[0].shape[1] / images[0].shape[0] / 2)
    figure = Figure(figsize=(1.3 * wide * columns, 1.3 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels:
        axes.axis("off")
    for axes, image, title in zip(panels, images, titles, strict=False):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(title)
    return Plot(figure)


def picture_html(png: bytes, caption: str = "", *, scale: int = 1) -> str:
    """A PNG with an (escaped) caption below it, as HTML that needs no file; `scale` enlarges its pixels."""
    from html import escape

    source = base64.b64encode(png).decode()
    style = f"image-rendering:pixelated;zoom:{scale}" if scale > 1 else ""
    return (
        f'<figure style="display:inline-block;margin:4px;text-align:center"><img alt="{escape(caption)}" '
        f'style="{style}" src="data:image/png;base64,{source}"><figcaption>{escape(caption)}</figcaption></figure>'
    )
