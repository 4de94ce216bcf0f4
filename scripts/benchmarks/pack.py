"""Packing CelebA: pictures a second beside a bare loop of decode, crop, resize that keeps nothing; memory."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from captcha_lab.cli.output import table
from scripts.benchmarks._machine import facts, shared_data

SIZE, CROP = 128, 148
REPEATS = 4  # each picture so many times: the start of a program should not count
WHOLE = 202_599  # pictures in all of CelebA
# A process of its own, so that its peak memory is its own; prints pictures, seconds, CPU seconds and mebibytes.
_OURS = """
import resource, sys, time
from pathlib import Path
import cv2, h5py, numpy
from captcha_lab.datasets.base import PrepareOptions, prepare
from captcha_lab.store.workspace import DatasetFolder
started, cpu = time.perf_counter(), time.process_time()
options = PrepareOptions(size=int(sys.argv[3]))
report = prepare("celeba", Path(sys.argv[1]), DatasetFolder(Path(sys.argv[2])), options)
wall, cpu = time.perf_counter() - started, time.process_time() - cpu
print(report.pictures, wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
_BARE = """
import resource, sys, time
from pathlib import Path
from scripts.benchmarks.pack import bare
print(*bare(Path(sys.argv[1]), int(sys.argv[3])), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


class Run(NamedTuple):
    """Pictures, how many a second of the clock and of processor time, peak MiB."""

    pictures: int
    rate: float
    cpu_rate: float
    memory: float


def bare(source: Path, size: int) -> tuple[int, float, float]:
    """(pictures, seconds, CPU seconds): decode, crop, resize over all cores; nothing is checked, kept or written."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    top, left = (218 - CROP) // 2, (178 - CROP) // 2

    def work(paths: list[Path]) -> None:
        for path in paths:
            image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
            assert image is not None
            cropped = image[top : top + CROP, left : left + CROP]
            cv2.resize(cropped, (size, size), interpolation=cv2.INTER_AREA)

    paths = sorted((source / "img_align_celeba").iterdir())
    cores = len(os.sched_getaffinity(0))
    started, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(work, [paths[k::cores] for k in range(cores)]))
    return len(paths), time.perf_counter() - started, time.process_time() - cpu


def repeated(source: Path, target: Path, times: int) -> Path:
    """The same pictures several times under other names; no attributes."""
    folder = target / "img_align_celeba"
    folder.mkdir(parents=True)
    for path in (source / "img_align_celeba").iterdir():
        for k in range(times):
            (folder / f"{k}{path.name}").symlink_to(path.resolve())
    return target


def measure(code: str, source: Path, size: int) -> Run:
    """One run."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-c", code, str(source), f"{scratch}/celeba", str(size)]
        count, wall, cpu, memory = map(float, subprocess.check_output(command, text=True).split())
    return Run(int(count), count / wall, count / cpu, memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each, in turn")
    parser.add_argument("--source", type=Path, default=shared_data() / "celeba", help="CelebA's folder")
    arguments = parser.parse_args()
    codes = {"bare loop": _BARE, "captcha-lab prepare": _OURS}
    runs: dict[str, list[Run]] = {name: [] for name in codes}
    with tempfile.TemporaryDirectory() as scratch:
        source = repeated(arguments.source, Path(scratch) / "faces", REPEATS)
        for _ in range(arguments.rounds):
            for name, code in codes.items():
                runs[name].append(measure(code, source, SIZE))
    memory_of_fewer = measure(_OURS, arguments.source, SIZE).memory
    rows: list[dict[str, Any]] = [
        {
            "way": name,
            "pictures_per_second": round(statistics.median(r.rate for r in results)),
            "slowest": round(min(r.rate for r in results)),
            "fastest": round(max(r.rate for r in results)),
            "per_cpu_second": round(statistics.median(r.cpu_rate for r in results)),
            "peak_MiB": round(max(r.memory for r in results)),
        }
        for name, results in runs.items()
    ]
    plain, own = rows
    result = {
        "benchmark": "pack",
        "machine": facts(),
        "size": SIZE,
        "rows": rows,
        "share_of_bare_loop": round(own["pictures_per_second"] / plain["pictures_per_second"], 3),
        # What other programs on the machine do hardly touches this one.
        "share_of_bare_loop_by_cpu_time": round(own["per_cpu_second"] / plain["per_cpu_second"], 3),
        "pictures": runs["bare loop"][0].pictures,
        f"peak_MiB_of_1/{REPEATS}_of_the_pictures": round(memory_of_fewer),
        "whole_set": {
            "pictures": WHOLE,
            "planned_seconds": round(WHOLE / own["pictures_per_second"]),
            "file_GB": round(WHOLE * SIZE * SIZE * 3 / 1e9, 2),
        },
    }
    if not arguments.json:
        print(table(list(rows[0]), [list(row.values()) for row in rows], f"CelebA to {SIZE}x{SIZE}"))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
