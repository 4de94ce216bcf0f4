"""Trains one peer in its own environment and draws samples of it: pictures in one file, samples in another.

Nothing of captcha_lab is imported here. Called by `peers.py` as
`python -m scripts.benchmarks._peer_runner NAME --data FILE --out FILE --seconds S --threads N --samples N --seed N`.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from scripts.benchmarks._peer_trainers import PEERS, Clock, Task

SIDES = (32, 64)  # that every peer's networks are made for
DRAWN = 100  # samples at once


def framed(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures in the middle of squares that the peers' networks are made for, on the commonest border value.

    Padding keeps every pixel as it is; scaling would not, forth and back.

    Args:
        images: uint8 [N, H, W] or [N, H, W, 3].
    """
    height, width = images.shape[1:3]
    side = next(side for side in SIDES if side >= max(height, width))
    if (height, width) == (side, side):
        return images
    edge = np.concatenate([images[:, 0].ravel(), images[:, -1].ravel()])
    top, left = (side - height) // 2, (side - width) // 2
    around = ((0, 0), (top, side - height - top), (left, side - width - left), (0, 0))[: images.ndim]
    return np.pad(images, around, constant_values=np.bincount(edge).argmax())


def unframed(images: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """What `framed` had put into squares: the middle, of this height and width."""
    top, left = (images.shape[1] - shape[0]) // 2, (images.shape[2] - shape[1]) // 2
    return images[:, top : top + shape[0], left : left + shape[1]]


def pixels(samples: torch.Tensor, grey: bool) -> NDArray[np.uint8]:
    """Samples [n, C, S, S] from 0 to 1 as uint8; grey ones are the mean of their channels."""
    values = samples.float().clamp(0, 1).mul(255)
    channels_last = values.mean(dim=1) if grey else values.permute(0, 2, 3, 1)
    return np.asarray(channels_last.round().to(torch.uint8).numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=tuple(PEERS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(options.seed)
    images = np.load(options.data)["images"]
    grey, clock = images.ndim == 3, Clock(options.seconds)
    with tempfile.TemporaryDirectory() as folder:
        task = Task(framed(images), mirrored=not grey, clock=clock, folder=Path(folder))
        trained = PEERS[options.name](task)
        started = time.monotonic()
        sizes = [min(DRAWN, options.samples - k) for k in range(0, options.samples, DRAWN)]
        with torch.no_grad():
            samples = np.concatenate([pixels(trained.draw(size), grey) for size in sizes])
        sampling = time.monotonic() - started
    np.savez(
        options.out,
        samples=unframed(samples, images.shape[1:3]),
        iterations=trained.iterations,
        seconds=clock.used,
        sampling_seconds=sampling,
    )


if __name__ == "__main__":
    main()
