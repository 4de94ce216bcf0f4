"""Reading random batches: the data path alone, layout by layout, and a face recipe's training step on it."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from captcha_lab.cli.output import table
from captcha_lab.datasets.batches import BatchOptions
from captcha_lab.generate.players.streams import PackedStream
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.store.packed.bare import lay_out
from captcha_lab.store.packed.packed import PackedSet, write_attributes
from captcha_lab.store.packed.rows import RowReader
from captcha_lab.store.packed.seal import seal
from scripts.benchmarks._machine import facts

SIDE, BATCH = 128, 64
MEMORY = BatchOptions(memory_bytes=1 << 40)
DISK = BatchOptions(memory_bytes=0)
Draw = Callable[[np.ndarray], np.ndarray]


def drop_cache(path: Path) -> None:
    """Make the next reads of a file come from the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def write_sets(folder: Path, pictures: int) -> tuple[np.ndarray, dict[str, Path]]:
    """The same random pictures bare (as `prepare` lays them), and in chunks of one and of 64 pictures."""
    images = np.random.default_rng(0).integers(0, 256, (pictures, SIDE, SIDE, 3), np.uint8)
    paths = {name: folder / f"{name}.h5" for name in ("bare", "chunk1", "chunk64")}
    split = np.zeros(pictures, np.uint8)
    columns = PackedSet(images[:0], split)
    layout = lay_out(columns, pictures)
    head = bytearray(layout.head[: layout.images])
    sums = np.array([zlib.crc32(image) for image in images], np.uint32).tobytes()
    head[layout.crc : layout.crc + len(sums)] = sums
    with paths["bare"].open("wb") as file:
        file.write(head)
        file.write(images.data)
        file.write(seal(bytes(head)))
    for name, rows in (("chunk1", 1), ("chunk64", 64)):
        with h5py.File(paths[name], "w") as file:
            file.create_dataset("images", data=images, chunks=(rows, SIDE, SIDE, 3))
            file.create_dataset("split", data=split)
            write_attributes(file, columns)
    return images, paths


def rate(draw: Draw, pictures: int, batches: int, prepare: Callable[[], None] = lambda: None) -> float:
    """Pictures a second in random batches, median of three passes."""
    passes = []
    for seed in range(3):
        rows = np.random.default_rng(seed).permutation(pictures)[: batches * BATCH].reshape(-1, BATCH)
        prepare()
        started = time.perf_counter()
        for part in rows:
            draw(part)
        passes.append(rows.size / (time.perf_counter() - started))
    return statistics.median(passes)


def data_path(images: np.ndarray, paths: dict[str, Path]) -> list[dict[str, Any]]:
    """Pictures a second of every way to fetch a random batch."""
    count = len(images)
    batches = min(50, count // BATCH)
    rates = {"memory (the limit: numpy copies rows)": rate(lambda rows: images[rows], count, batches)}
    with RowReader(paths["bare"]) as reader:
        rates["bare rows, cached (as prepared)"] = rate(reader.read, count, batches)
        cold = rate(reader.read, count, batches, lambda: drop_cache(paths["bare"]))
        rates["bare rows, from the disk"] = cold
    for name, label in (("chunk1", "HDF5 chunks of 1, cached"), ("chunk64", "HDF5 chunks of 64, cached")):
        with RowReader(paths[name]) as reader:
            rates[label] = rate(reader.read, count, batches if name == "chunk1" else max(2, batches // 10))
    return [
        {
            "source": name,
            "pictures_per_second": round(value),
            "MB_per_second": round(value * SIDE * SIDE * 3 / 1e6),
        }
        for name, value in rates.items()
    ]


@contextmanager
def trainer(path: Path, recipe_name: str, options: BatchOptions, device: str) -> Iterator[Trainer]:
    """A trainer of a face recipe at 128x128 on a set."""
    recipe = replace(get_recipe(recipe_name), batch_size=BATCH)
    with PackedStream(path, options) as batches:
        yield Trainer(recipe, batches, 1000, 0, device)


def step_seconds(work: Trainer, iterations: int) -> float:
    """Seconds of one iteration, averaged over some."""
    started = time.perf_counter()
    for _ in range(iterations):
        work.iterate()
    if work.players.device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / iterations


def training_step(path: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """The recipe's step on memory, on the cached file and on the disk, in turn; medians."""
    seconds: dict[str, list[float]] = {"memory": [], "file, cached": [], "file, from the disk": []}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with (
        trainer(path, arguments.recipe, MEMORY, device) as memory,
        trainer(path, arguments.recipe, DISK, device) as disk,
    ):
        for work in (memory, disk):
            step_seconds(work, 1)  # first allocations
        for _ in range(arguments.rounds):
            seconds["memory"].append(step_seconds(memory, arguments.iterations))
            seconds["file, cached"].append(step_seconds(disk, arguments.iterations))
            drop_cache(path)
            seconds["file, from the disk"].append(step_seconds(disk, arguments.iterations))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "recipe": arguments.recipe,
        "device": device,
        "batch": BATCH,
        "seconds_per_iteration": {name: round(value, 4) for name, value in medians.items()},
        "share_of_memory_speed": {
            name: round(medians["memory"] / value, 3) for name, value in medians.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    parser.add_argument("--pictures", type=int, default=6400, help="pictures in the set (49 KB each)")
    parser.add_argument("--recipe", default="face-dcgan")
    parser.add_argument("--iterations", type=int, default=2, help="training iterations per turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns")
    parser.add_argument("--no-train", action="store_true", help="the data path only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as scratch:
        images, paths = write_sets(Path(scratch), arguments.pictures)
        rows = data_path(images, paths)
        del images
        step = None if arguments.no_train else training_step(paths["bare"], arguments)
    if not arguments.json:
        print(
            table(
                list(rows[0]),
                [list(row.values()) for row in rows],
                f"Random batches of {BATCH}, {SIDE}x{SIDE}",
            )
        )
        if step is not None:
            share, seconds = step["share_of_memory_speed"], step["seconds_per_iteration"]
            lines = [[name, seconds[name], share[name]] for name in seconds]
            print(table(["data", "s/iteration", "share"], lines, f"{step['recipe']} on {step['device']}"))
    print(
        json.dumps(
            {
                "benchmark": "load",
                "machine": facts(),
                "pictures": arguments.pictures,
                "rows": rows,
                "step": step,
            }
        )
    )


if __name__ == "__main__":
    main()
