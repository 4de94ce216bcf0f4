"""Train the base reader on captchas drawn for it: some two hours of one core, and half an hour of another for drawing.

FOLDER keeps the drawn captchas and a checkpoint; started again, it goes on. Fonts are read from the folders given
with --fonts, beside those of matplotlib and of the package captcha; models/base-reader.md names the ones used.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from captcha_lab.recognise.fit import Figures, FitConfig, fit
from captcha_lab.recognise.sequence.augment import Augmentation
from captcha_lab.recognise.sequence.batches import TextBatch, ctc_objective, text_batch
from captcha_lab.recognise.sequence.columns import Scaling
from captcha_lab.recognise.sequence.reader import SequenceFacts, SequenceReader
from captcha_lab.store.runs import save_weights
from scripts.base.fonts import CAPITALS, DIGITS, SMALL, Fonts
from scripts.base.pool import CHUNK, Chunk, chunk_path, draw_chunk, read_chunk

CLASSES = tuple(DIGITS + CAPITALS + SMALL)
BATCH = 64
PER_CHUNK = CHUNK // BATCH
MULTIPLE = 16  # pixels to which a batch's width is rounded up: convolutions are prepared anew for each width
CHUNKS = 128  # then they come again, changed by augmentation
TEMPERATURE = 1.0
HEIGHTS = 48, 32  # pixels of the pictures of one batch and of the next: captchas are read at either
RESIDUALS = 1
AUGMENTATION = Augmentation(
    shift=0.06, scale=0.1, shear=0.12, turn=0.04, invert=0.1, noise=0.2, blur=0.05, occlusions=0.1
)
CONFIG = FitConfig(
    steps=9000,
    learning_rate=1.5e-3,
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
    faces = Fonts(fonts)
    for number in range(CHUNKS):
        draw_chunk(folder, number, faces, seed)


class PoolBatches:
    """The batch of a step: 64 captchas of similar width from one chunk.

    Of a chunk that is not drawn yet an earlier one takes the place.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self._chunk = lru_cache(maxsize=2)(self._read)

    def _read(self, visit: int) -> tuple[Chunk, list[np.ndarray]]:
        path = chunk_path(self.folder, visit % CHUNKS)
        if not path.exists():
            path = self._earlier(visit)
        chunk, rng = read_chunk(path), np.random.default_rng([self.seed, visit])
        widths = np.array([picture.shape[1] for picture in chunk.pictures])
        order = np.argsort(widths * rng.uniform(0.93, 1.07, len(widths)))
        return chunk, [order[BATCH * k : BATCH * (k + 1)] for k in rng.permutation(PER_CHUNK)]

    def _earlier(self, visit: int) -> Path:
        while not (drawn := sorted(self.folder.glob("*.npz"))):
            time.sleep(1)
        return drawn[visit % len(drawn)]

    def __call__(self, step: int) -> TextBatch:
        visit, part = divmod(step, PER_CHUNK)
        chunk, rows = self._chunk(visit)
        rng = np.random.default_rng([self.seed, step, 2])
        scaling = Scaling(HEIGHTS[step % len(HEIGHTS)])
        pictures = [AUGMENTATION(scaling(chunk.pictures[k]), rng) for k in rows[part]]
        return text_batch(pictures, [chunk.texts[k] for k in rows[part]], CLASSES, MULTIPLE)


def show(figures: Figures) -> None:
    print(f"step {figures['step']}: loss {figures['train_loss']:.3f}, {figures['seconds']:.0f} s", flush=True)


def draw_aside(folder: Path, fonts: list[Path], seed: int) -> None:
    """Draw every chunk in a process of its own."""
    multiprocessing.get_context("spawn").Process(
        target=draw_all, args=(folder, font_folders(fonts), seed), daemon=True
    ).start()


def main(folder: Path, output: Path, config: FitConfig, start: Path | None = None) -> None:
    """Train on the chunks of a folder and write the model file.

    Args:
        folder: of the chunks, and of the checkpoint that a training goes on from.
        output: the model file.
        config: of the training.
        start: model file whose weights are trained further; None trains from nothing.
    """
    torch.manual_seed(config.seed)
    facts = SequenceFacts(CLASSES, CLASSES, temperature=TEMPERATURE, residuals=RESIDUALS)
    network = facts.network()
    if start:
        network.load_state_dict(
            SequenceReader.load(start).network.state_dict(), strict=False
        )  # without its residual convolutions
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    fit(
        network,
        PoolBatches(folder, config.seed),
        ctc_objective,
        config,
        score=lambda figures: (figures["step"],),
        checkpoint=folder / "resume.pt",
        on_evaluation=show,
    )
    halves = {name: t.half() if t.is_floating_point() else t for name, t in network.state_dict().items()}
    save_weights(output, halves, facts.metadata())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for drawn captchas and the checkpoint; about 3.5 GB")
    parser.add_argument("--output", type=Path, default=Path("base-reader.safetensors"))
    parser.add_argument(
        "--fonts", type=Path, nargs="*", default=[], help="further folders of .ttf and .otf files"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--start", type=Path, help="model file to train further")
    parser.add_argument("--steps", type=int, default=CONFIG.steps)
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="in which the schedule runs down [no limit]"
    )
    parser.add_argument(
        "--only", choices=("draw", "train"), help="do one of the two, on another core or machine"
    )
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.only == "draw":
        draw_all(options.folder, font_folders(options.fonts), options.seed)
    else:
        if not options.only:
            draw_aside(options.folder, options.fonts, options.seed)
        config = replace(CONFIG, steps=options.steps, time_limit=60 * options.minutes, seed=options.seed)
        main(options.folder, options.output, config, options.start)
