"""Reading speed and accuracy: captchas per CPU-second from PNG bytes to text, in batches and one by one.

Peers that happen to be installed (tesseract by pytesseract, ddddocr) read the same files in the same run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from captcha_lab import pipeline
from captcha_lab.cli.output import table
from captcha_lab.collect.exchange.importer import import_path
from captcha_lab.collect.exchange.options import ImportOptions
from captcha_lab.metrics.intervals import share_of
from captcha_lab.recognise.glyph.reader import GlyphReader
from captcha_lab.store.workspace import Workspace
from scripts.benchmarks._machine import facts, shared_data

Reader = Callable[[list[bytes]], list[str]]
REPEATS = 5


def trained(folder: Path) -> GlyphReader:
    """The recogniser of the README: both splits imported, trained on the training one."""
    workspace = Workspace(folder)
    dataset = workspace.dataset()
    options = ImportOptions(labels="filename", split_from_folders=True)
    import_path(shared_data() / "ustc", dataset, workspace.config, options)
    report = pipeline.train(workspace, dataset, reader="glyph").chosen
    return GlyphReader.load(report.run.root)


def readers(recogniser: GlyphReader) -> dict[str, Reader]:
    """Ours twice, and every peer that is installed."""
    found: dict[str, Reader] = {
        "captcha-lab, in one batch": lambda files: [r.text for r in recogniser.read_bytes(files)],
        "captcha-lab, one by one": lambda files: [recogniser.read_bytes([f])[0].text for f in files],
    }
    if importlib.util.find_spec("pytesseract") and shutil.which("tesseract"):
        found["tesseract"] = _tesseract
    if importlib.util.find_spec("ddddocr"):
        import ddddocr

        reader = ddddocr.DdddOcr(show_ad=False)
        found["ddddocr"] = lambda files: [reader.classification(f).upper() for f in files]
    return found


def _tesseract(files: list[bytes]) -> list[str]:
    import io

    import pytesseract
    from PIL import Image

    options = "--psm 7 -c tessedit_char_whitelist=23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
    images = (Image.open(io.BytesIO(f)).resize((320, 80)) for f in files)
    return [pytesseract.image_to_string(image, config=options).strip() for image in images]


def measure(read: Reader, files: list[bytes], texts: list[str], repeats: int) -> dict[str, Any]:
    """Captchas per CPU-second (median of repeats after a warm-up), per second, and exact matches."""
    answers = read(files[:8]) and read(files)
    cpu, wall = [], []
    for _ in range(repeats):
        started, process = time.perf_counter(), time.process_time()
        read(files)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - process)
    exact = share_of([a == t for a, t in zip(answers, texts, strict=True)])
    return {
        "per_cpu_second": len(files) / float(np.median(cpu)),
        "per_second": len(files) / float(np.median(wall)),
        "exact": exact.value,
        "exact_low": exact.low,
        "exact_high": exact.high,
    }


def main(as_json: bool) -> None:
    """Run the benchmark on the held-out captchas of the thesis's own data."""
    paths = sorted((shared_data() / "ustc" / "test").glob("*.png"))
    files, texts = [path.read_bytes() for path in paths], [path.name[:4] for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        recogniser = trained(Path(folder))
    rows: dict[str, dict[str, Any]] = {}
    for name, read in readers(recogniser).items():
        ours = name.startswith("captcha-lab")
        # Four copies of the files: a batch long enough to time. Peers are slow: one pass is enough.
        rows[name] = measure(
            read, files * (4 if ours else 1), texts * (4 if ours else 1), REPEATS if ours else 1
        )
    first = next(iter(rows.values()))["per_cpu_second"]
    if not as_json:
        lines = [
            (n, f"{r['per_cpu_second']:.0f}", f"{r['per_second']:.0f}", f"{100 * r['exact']:.1f} %",
             f"{first / r['per_cpu_second']:.1f}")
            for n, r in rows.items()
        ]  # fmt: skip
        print(table(("reader", "per CPU-second", "per second", "exact", "ours is × as fast"), lines))
    print(json.dumps({"benchmark": "read", "machine": facts(), "captchas": len(files), "readers": rows}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    main(parser.parse_args().json)
