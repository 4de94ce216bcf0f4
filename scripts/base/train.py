"""Train the base reader on captchas drawn for it: about an hour of one core, and 25 minutes of another for drawing.

FOLDER keeps the drawn captchas and a checkpoint; started again, it goes on. Fonts are read from the folders given
with --fonts, beside those of matplotlib and of the package captcha; models/base-reader.md names the ones used.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from captcha_lab.recognise.fit import Figures, FitConfig, fit
from captcha_lab.recognise.sequence.augment import Augmentation
from captcha_lab.recognise.sequence.batches import TextBatch, ctc_objective, text_batch
from captcha_lab.recognise.sequence.reader import SequenceFacts
from captcha_lab.store.runs import save_weights
from scripts.base.fonts import CAPITALS, DIGITS, SMALL, Fonts
from scripts.base.pool import CHUNK, Chunk, chunk_path, draw_chunk, read_chunk

CLASSES = tuple(DIGITS + CAPITALS + SMALL)
BATCH = 64
PER_CHUNK = CHUNK // BATCH
CHUNKS = 72  # then they come again, changed by augmentation
TEMPERATURE = 1.0
AUGMENTATION = Augmentation(
    shift=0.06, scale=0.1, shear=0.12, turn=0.04, invert=0.1, noise=0.2, blur=0.05, occlusions=0.1
)
CONFIG = FitConfig(
    steps=4100,
    learning_rate=2e-3,
    schedule="one-cycle",
    weight_decay=0.01,
    max_norm=5.0,
    evaluate_every=100,
    patience=1_000_000,
)


def font_folders(extra: list[Path]) -> list[Path]:
    """Where fonts are: two packages that the program depends on, and what the caller names."""
    import captcha
    import matplotlib

    return [
        Path(matplotlib.get_data_path()) / "fonts" / "ttf",
        Path(captcha.__file__).parent / "data",
        *extra,
    ]


def draw_all(folder: Path, fonts: list[Path], seed: int) -> None:
    """Draw every chunk that is not there."""
    os.nice(5)
    faces = Fonts(fonts)
    for number in range(CHUNKS):
        draw_chunk(folder, number, faces, seed)


class PoolBatches:
    """The batch of a step: 64 captchas of similar width from one chunk, waited for if it is still being drawn."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self._chunk = lru_cache(maxsize=2)(self._read)

    def _read(self, visit: int) -> tuple[Chunk, list[np.ndarray]]:
        path = chunk_path(self.folder, visit % CHUNKS)
        while not path.exists():
            time.sleep(1)
        chunk, rng = read_chunk(path), np.random.default_rng([self.seed, visit])
        widths = np.array([picture.shape[1] for picture in chunk.pictures])
        order = np.argsort(widths * rng.uniform(0.93, 1.07, len(widths)))
        return chunk, [order[BATCH * k : BATCH * (k + 1)] for k in rng.permutation(PER_CHUNK)]

    def __call__(self, step: int) -> TextBatch:
        visit, part = divmod(step, PER_CHUNK)
        chunk, rows = self._chunk(visit)
        rng = np.random.default_rng([self.seed, step, 2])
        pictures = [AUGMENTATION(chunk.pictures[k], rng) for k in rows[part]]
        return text_batch(pictures, [chunk.texts[k] for k in rows[part]], CLASSES)


def show(figures: Figures) -> None:
    print(f"step {figures['step']}: loss {figures['train_loss']:.3f}, {figures['seconds']:.0f} s", flush=True)


def main(folder: Path, output: Path, fonts: list[Path], seed: int, *, draw: bool = True) -> None:
    """Draw (unless all is drawn), train and write the model file."""
    folder.mkdir(parents=True, exist_ok=True)
    drawing = multiprocessing.get_context("spawn").Process(
        target=draw_all, args=(folder, font_folders(fonts), seed), daemon=True
    )
    if draw:
        drawing.start()
    torch.manual_seed(seed)
    facts = SequenceFacts(CLASSES, CLASSES, temperature=TEMPERATURE)
    network = facts.network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    fit(
        network,
        PoolBatches(folder, seed),
        ctc_objective,
        CONFIG,
        score=lambda figures: (figures["step"],),
        checkpoint=folder / "resume.pt",
        on_evaluation=show,
    )
    halves = {name: t.half() if t.is_floating_point() else t for name, t in network.state_dict().items()}
    save_weights(output, halves, facts.metadata())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for drawn captchas and the checkpoint; about 1.5 GB")
    parser.add_argument("--output", type=Path, default=Path("base-reader.safetensors"))
    parser.add_argument(
        "--fonts", type=Path, nargs="*", default=[], help="further folders of .ttf and .otf files"
    )
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    main(arguments.folder, arguments.output, arguments.fonts, arguments.seed)
