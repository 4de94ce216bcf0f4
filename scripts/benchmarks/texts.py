"""Whole captchas: accuracy by number of labels, seconds to train and captchas per CPU-second, beside peers.

Sets: the real ones beside the checkout, and 2,000 captchas of 3 to 8 characters by the package captcha: `mixed` in the
alphabet that `serve` draws from by default, `mixed36` in all digits and capitals. The package draws O and 0, I and 1 in
one font nearly alike, so that nobody can read all of `mixed36`. With 0 labels
the base reader reads alone, then with lengths and alphabet learned from the other captchas of the set, then trained on
those that it reads surely. Peers in the same run: ddddocr, where it is installed, and the same network trained the
usual way (from nothing, without augmentation, on the labelled captchas only) for the same seconds. Where labels of a
folder are wrong (by eye, label_corrections.json), the share that agrees with what is shown stands beside that which
agrees with the labels, which all readers learn from. Rates are compared with ddddocr's in processor seconds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from captcha_lab.alphabet import THESIS_ALPHABET
from captcha_lab.cli.output import table
from captcha_lab.collect.endpoint import image as package_image
from captcha_lab.metrics.intervals import share_of, spread
from captcha_lab.recognise.contract import CaptchaReader
from captcha_lab.recognise.registry import ReaderReport, load_reader
from captcha_lab.recognise.sequence.adapt import adapted, self_taught
from captcha_lab.recognise.sequence.config import SequenceConfig
from captcha_lab.recognise.sequence.reader import SequenceReader, base_reader
from captcha_lab.recognise.sequence.train import train
from captcha_lab.store.images import decode
from captcha_lab.store.packed.texts import TextSet
from scripts.benchmarks._labelling import CORRECTIONS
from scripts.benchmarks._machine import facts, shared_data

TEST = 208  # captchas held out, as in what is published for words5
VALIDATION = 0.2  # of the labelled captchas, at most 100
MIXED = 2000
PEER = "ddddocr"
LABELS = {
    "words5": (0, 25, 50, 100, 200, 832),
    "seu": (0, 100, 792),
    "digits4": (0, 100, 1000),
    "ustc": (0, 100, 1000),
    "mixed": (0, 100, 1792),
    "mixed36": (0, 1792),
}
ALPHABETS = {"mixed": THESIS_ALPHABET, "mixed36": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


@dataclass(frozen=True)
class Captchas:
    """Encoded pictures, their texts as labelled and as shown; `folded` where case does not count."""

    files: list[bytes]
    texts: list[str]
    shown: list[str]
    folded: bool = False

    def same(self, read: str, text: str) -> bool:
        return read.lower() == text.lower() if self.folded else read == text


def captchas(name: str) -> Captchas:
    """One set by name."""
    if name in ALPHABETS:
        rng = np.random.default_rng(5)
        texts = ["".join(rng.choice(list(ALPHABETS[name]), rng.integers(3, 9))) for _ in range(MIXED)]
        return Captchas(
            [package_image.encode(package_image.render(text, rng)) for text in texts], texts, texts
        )
    folder = shared_data() / ("ustc/train" if name == "ustc" else name)
    paths = sorted(path for path in folder.iterdir() if path.suffix in {".png", ".jpg"})
    given = {path.relative_to(shared_data() / name).as_posix(): path.stem.split("_")[0] for path in paths}
    shown = {**given}
    for file, position, character in json.loads(CORRECTIONS.read_text()).get(name, ()):
        if file in given:  # others are of the folder's other part
            shown[file] = shown[file][:position] + character + shown[file][position + 1 :]
    return Captchas([p.read_bytes() for p in paths], [*given.values()], [*shown.values()], name == "seu")


def split(data: Captchas, labels: int, seed: int) -> TextSet:
    """208 captchas for the test, some labelled ones, the rest without a label."""
    order = np.random.default_rng(seed).permutation(len(data.files))
    rank = np.argsort(order)
    held = min(int(VALIDATION * labels), 100)
    part = np.select([rank < TEST, rank < TEST + held], [2, 1], 0).astype(np.uint8)
    known = rank < TEST + labels
    return TextSet(
        images=[decode(file) for file in data.files],
        texts=tuple(text if k else "" for text, k in zip(data.texts, known, strict=True)),
        split=part,
        image_ids=np.arange(len(data.files)),
        duplicate=np.zeros(len(data.files), np.uint8),
    )


def measure(read: Callable[[list[bytes]], list[str]], data: Captchas, rows: Sequence[int]) -> dict[str, Any]:
    """Share read right, captchas per CPU-second from encoded file to text, and misread texts with what was read."""
    files = [data.files[k] for k in rows]
    read(files[:8])
    started = time.process_time()
    answers = read(files)
    seconds = time.process_time() - started
    right, shown = (
        share_of([data.same(answer, texts[k]) for answer, k in zip(answers, rows, strict=True)])
        for texts in (data.texts, data.shown)
    )
    return {
        "exact": right.value,
        "as_shown": shown.value,
        "low": right.low,
        "high": right.high,
        "per_cpu_second": len(files) / seconds,
        "misread": [
            (data.texts[k], answer)
            for answer, k in zip(answers, rows, strict=True)
            if not data.same(answer, data.texts[k])
        ],
    }


def reading(reader: CaptchaReader) -> Callable[[list[bytes]], list[str]]:
    return lambda files: [found.text for found in reader.read([decode(file) for file in files])]


def trained(data: TextSet, seed: int, **options: Any) -> ReaderReport:
    """A training in a folder that is gone afterwards; `_READERS` keeps the reader."""
    with tempfile.TemporaryDirectory() as folder:
        report = train(data, Path(folder), SequenceConfig(seed=seed, **options))
        _READERS[report.run.name] = load_reader(report.run.root)
        return report


WITHOUT_LABELS: dict[str, Callable[[SequenceReader, list[np.ndarray]], SequenceReader]] = {
    "base reader": lambda reader, others: reader,
    "base reader, adapted": adapted,
    "base reader, self-taught": self_taught,
}
_READERS: dict[str, CaptchaReader] = {}  # of runs whose folder is gone


def ours(data: Captchas, labels: int, seed: int, usual: bool, seconds_at_most: float) -> list[dict[str, Any]]:
    """Rows of one set, number of labels and split: our reader and, where asked, the same network trained as usual."""
    parts = split(data, labels, seed)
    test = np.flatnonzero(parts.split == 2).tolist()
    if not labels:
        others = [parts.images[k] for k in np.flatnonzero(parts.split == 0).tolist()]
        rows = []
        for name, learn in WITHOUT_LABELS.items():
            started, process = time.monotonic(), time.process_time()
            reader = learn(base_reader(), others)
            seconds, cpu = time.monotonic() - started, time.process_time() - process
            found = measure(reading(reader), data, test)
            rows.append({"reader": name, **found, "train_seconds": seconds, "train_cpu_seconds": cpu})
        return rows
    started, process = time.monotonic(), time.process_time()
    report = trained(parts, seed, time_limit=seconds_at_most)
    seconds, cpu = time.monotonic() - started, time.process_time() - process
    found = measure(reading(_READERS.pop(report.run.name)), data, test)
    rows = [{"reader": "captcha-lab", **found, "train_seconds": seconds, "train_cpu_seconds": cpu}]
    if usual:
        plain = trained(
            parts, seed, from_base=False, unlabelled=False, augment=False, steps=100_000, time_limit=seconds
        )
        found = measure(reading(_READERS.pop(plain.run.name)), data, test)
        rows.append({"reader": "CRNN trained the usual way", **found, "train_seconds": seconds})
    return rows


def ddddocr_rows(data: Captchas, seed: int) -> list[dict[str, Any]]:
    """The ready-made reader ddddocr on the same test captchas."""
    import ddddocr

    reader = ddddocr.DdddOcr(show_ad=False)
    rows = np.flatnonzero(split(data, 0, seed).split == 2).tolist()
    folded = replace(data, folded=True)  # it was not made to tell cases apart
    found = measure(lambda files: [reader.classification(file) for file in files], folded, rows)
    return [{"reader": PEER, **found, "train_seconds": 0.0}]


def main(options: argparse.Namespace) -> None:
    """Run the asked part of the benchmark."""
    results: list[dict[str, Any]] = []
    peer = importlib.util.find_spec("ddddocr") is not None and not options.no_peers
    for name in options.sets:
        if name not in ALPHABETS and not (shared_data() / name).is_dir():
            print(f"{name}: skipped, the real data is not beside the checkout")
            continue
        data = captchas(name)
        for seed in range(options.splits):
            found = [
                {"labels": labels, **row}
                for labels in options.labels or LABELS[name]
                for row in ours(data, labels, seed, not options.no_peers, options.seconds)
            ]
            if peer:
                found += [{"labels": 0, **row} for row in ddddocr_rows(data, seed)]
            for row in found:
                results.append({"set": name, "seed": seed, **row})
                print(json.dumps(results[-1]), flush=True)
    if not peer:
        print("ddddocr: skipped, " + ("as asked" if options.no_peers else "it is not installed"))
    if not options.json:
        columns = "set", "labels", "reader", "exact", "as shown", "per CPU-second", "to ddddocr's", "training"
        print(table(columns, _lines(results)))
    print(json.dumps({"benchmark": "texts", "machine": facts(), "results": results}))


def _lines(results: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    keys = sorted({(r["set"], r["labels"], r["reader"]) for r in results})
    lines: list[tuple[object, ...]] = []
    for key in keys:
        rows = [r for r in results if (r["set"], r["labels"], r["reader"]) == key]
        shares = [spread([100 * r[name] for r in rows]) for name in ("exact", "as_shown")]
        exact, shown = (f"{share.mean:.1f} ± {share.deviation:.1f} % ({share.seeds})" for share in shares)
        speed, peer = _speed(rows), _speed(r for r in results if r["set"] == key[0] and r["reader"] == PEER)
        seconds = np.mean([r["train_seconds"] for r in rows])
        factor = f"{speed / peer:.1f}" if peer else "-"
        lines.append((key[0], str(key[1]), key[2], exact, shown, f"{speed:.0f}", factor, f"{seconds:.0f} s"))
    return lines


def _speed(rows: Iterable[dict[str, Any]]) -> float:
    """Captchas per CPU-second in the median of some rows; 0 of none."""
    return float(np.median([row["per_cpu_second"] for row in rows] or [0.0]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=tuple(LABELS), default=tuple(LABELS))
    parser.add_argument(
        "--labels", nargs="+", type=int, help="numbers of labelled captchas [default: by set]"
    )
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.0, help="to train at most [0: no limit]")
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    parser.add_argument("--json", action="store_true", help="only JSON")
    main(parser.parse_args())
