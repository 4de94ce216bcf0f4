"""One picture of many generators: a grid of samples of each, under its name."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from captcha_lab.generate.pictures import grid
from captcha_lab.generate.sample import load_generator

SIDE = 8  # samples in a row, and rows, of each generator
COLUMNS = 5  # generators in a row
TONES, COLOURS = 48, 256  # of a picture of grey sheets, or of coloured ones: it is a third as large for it


def sheet(run: Path) -> np.ndarray:
    """SIDE x SIDE samples of a trained run, classes in order where it is told them, as one picture."""
    generator = load_generator(run)
    count, labels = SIDE * SIDE, None
    if generator.labelled and generator.exclusive:
        labels = np.sort(np.arange(count) % len(generator.classes))
    return grid(generator.sample(labels, count, seed=0), SIDE)


def montage(path: Path, sheets: Sequence[tuple[str, np.ndarray]]) -> None:
    """Write named sheets uint8 [H, W(, 3)] side by side as one picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(sheets) // COLUMNS)
    figure = Figure(figsize=(2.1 * COLUMNS, 2.45 * rows), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for panel in panels:
        panel.axis("off")
    for panel, (name, pixels) in zip(panels, sheets, strict=False):
        panel.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        panel.set_title(name, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = COLOURS if any(pixels.ndim == 3 for _, pixels in sheets) else TONES
    drawn = io.BytesIO()
    figure.savefig(drawn)
    Image.open(drawn).convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
