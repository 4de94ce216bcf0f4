"""A pool of drawn captchas on disk, in chunks that one process draws while another trains on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captcha_lab.recognise.codec.ctc import columns_needed
from captcha_lab.recognise.sequence.columns import Scaling, columns_of
from captcha_lab.store.files import atomic_path
from scripts.base.draw import captcha
from scripts.base.fonts import Fonts

CHUNK = 2048  # captchas to a file
HEIGHT = 48  # pixels of the pictures in the pool; those of a batch at 32 are scaled from them


@dataclass(frozen=True)
class Chunk:
    """Captchas, uint8 [HEIGHT, w, 3] each, and their texts."""

    pictures: list[NDArray[np.uint8]]
    texts: list[str]


def chunk_path(folder: Path, number: int) -> Path:
    """The file of one chunk."""
    return folder / f"{number:04}.npz"


def draw_chunk(folder: Path, number: int, fonts: Fonts, seed: int) -> None:
    """Draw one chunk from its number and a seed, unless it is there; whole or not at all."""
    if chunk_path(folder, number).exists():
        return
    rng = np.random.default_rng([seed, number])
    pictures: list[NDArray[np.uint8]] = []
    texts: list[str] = []
    while len(pictures) < CHUNK:
        image, text = captcha(fonts, rng)
        picture = Scaling(HEIGHT)(image)
        if columns_of(picture.shape[1]) >= columns_needed(text):
            pictures.append(picture)
            texts.append(text)
    widths = np.array([picture.shape[1] for picture in pictures])
    with atomic_path(chunk_path(folder, number)) as temporary, temporary.open("wb") as file:
        np.savez(file, pixels=np.concatenate(pictures, 1), widths=widths, texts=np.array(texts))


def read_chunk(path: Path) -> Chunk:
    """The captchas of one file."""
    with np.load(path) as arrays:
        ends = np.cumsum(arrays["widths"])
        pictures = np.split(arrays["pixels"], ends[:-1], axis=1)
        return Chunk(pictures, arrays["texts"].tolist())
