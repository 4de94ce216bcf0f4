"""One picture of many generators: a grid of samples of each, under its name."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from captcha_lab.generate.sampling.plan import single_samples
from captcha_lab.generate.sampling.sample import load_generator
from captcha_lab.generate.watching.pictures import grid

SIDE = 8  # samples in a row, and rows, of each generator
COLUMNS = 5  # generators in a row, at most
LEAST, DPI = 230, 110  # pixels of a sheet, at least; and of an inch, by which texts are measured
TONES = 48  # of a picture of grey sheets, which makes it a third as large


def sheet(run: Path) -> np.ndarray:
    """SIDE x SIDE samples of a trained run as one picture; its classes or attributes, if any, in turn."""
    return grid(single_samples(load_generator(run), SIDE * SIDE, seed=0).images(), SIDE)


def montage(path: Path, sheets: Sequence[tuple[str, np.ndarray]]) -> None:
    """Write named sheets uint8 [H, W(, 3)] side by side as one picture, of the kind that the path ends in."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(sheets))
    rows = -(-len(sheets) // columns)
    side = max(LEAST, *(pixels.shape[1] for _, pixels in sheets)) / DPI
    figure = Figure(figsize=(1.02 * side * columns, (side + 0.35) * rows), layout="constrained", dpi=DPI)
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in panels:
        panel.axis("off")
    for panel, (name, pixels) in zip(panels, sheets, strict=False):
        panel.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        panel.set_title(name, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = io.BytesIO()
    figure.savefig(drawn)
    picture = Image.open(drawn).convert("RGB")
    if all(pixels.ndim == 2 for _, pixels in sheets):
        picture = picture.quantize(TONES, dither=Image.Dither.NONE)
    picture.save(path, optimize=True, quality=88)
