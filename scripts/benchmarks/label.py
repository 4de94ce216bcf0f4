"""Keystrokes to label accuracy: typing everything, the thesis's loop, clusters only, and the engine, in one run.

A key is a character, Enter, an accepted page, a cursor move or a click. Accuracy is over all glyphs, a glyph's
label being what a person gave it, else the method's own guess. `as labelled` compares with the folder's labels, which
hold errors; `as shown` with those errors, judged by eye, corrected (label_corrections.json).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from sklearn.cluster import KMeans

from captcha_lab.alphabet import THESIS_ALPHABET, Alphabet
from captcha_lab.cli.output import table
from captcha_lab.collect.endpoint_classic import render
from captcha_lab.label.audit import audit_estimate
from captcha_lab.label.lookalikes import find_look_alikes
from captcha_lab.label.proposals import vote
from captcha_lab.label.simulate import Curve, Point, simulate
from captcha_lab.label.suspects import find_suspects
from captcha_lab.recognise.config import TrainConfig
from captcha_lab.recognise.train import build_lenet, fit, readings
from captcha_lab.segment import Segmenter
from scripts.benchmarks._machine import facts, shared_data

LENGTH = 4
TARGETS = (0.95, 0.99, 0.995)
KEYS = (32, 64, 96, 128, 192)
BY_HAND = 400  # glyphs of the thesis's first round
TYPED = LENGTH + 1  # keys for a captcha: its characters and Enter
CORRECTIONS = Path(__file__).with_name("label_corrections.json")


class Data(NamedTuple):
    """Glyphs uint8 [N, 20, 20] captcha by captcha, their labels as given and as shown, rows held for testing."""

    name: str
    glyphs: np.ndarray
    given: np.ndarray
    shown: np.ndarray
    test: np.ndarray

    @property
    def alphabet(self) -> Alphabet:
        return Alphabet.of_texts(self.given.tolist())


def folder(name: str, pattern: str) -> Data:
    """A folder of captchas named by their text."""
    root = shared_data() / name
    files = sorted(root.glob(pattern))
    images = np.stack([cv2.imread(str(file))[..., ::-1] for file in files])
    given = np.array(list("".join(file.name[:LENGTH] for file in files)))
    shown, rows = given.copy(), {str(file.relative_to(root)): row for row, file in enumerate(files)}
    for file, position, character in json.loads(CORRECTIONS.read_text())[name]:
        shown[rows[file] * LENGTH + position] = character
    test = np.repeat([file.parent.name == "test" for file in files], LENGTH)
    return Data(name, Segmenter().cut(images).reshape(-1, 20, 20), given, shown, test)


def endpoint(captchas: int = 1250, seed: int = 0) -> Data:
    """Captchas of the built-in endpoint's classic style."""
    random = np.random.default_rng(seed)
    texts = ["".join(random.choice(list(THESIS_ALPHABET), LENGTH)) for _ in range(captchas)]
    images = np.stack([render(text, random) for text in texts])
    truth = np.array(list("".join(texts)))
    return Data(
        "endpoint", Segmenter().cut(images).reshape(-1, 20, 20), truth, truth, np.zeros(len(truth), bool)
    )


def typing(data: Data, truth: np.ndarray) -> Curve:
    """Every captcha typed: what is not typed yet has no label."""
    count = len(truth) // LENGTH
    points = [Point(TYPED * k, LENGTH * k / len(truth), LENGTH * k, "captcha") for k in range(1, count + 1)]
    return Curve(tuple(points), tuple(truth.tolist()))


def thesis_loop(data: Data, truth: np.ndarray, most_keys: int = 1500) -> Curve:
    """400 glyphs typed, a LeNet trained, as many more corrected (two keys a stray, one a captcha), and again."""
    order = np.random.default_rng(0).permutation(len(truth) // LENGTH)
    rows = (order[:, None] * LENGTH + np.arange(LENGTH)).ravel()
    classes, coded = np.unique(truth, return_inverse=True)
    guess, keys, done, points = np.full(len(truth), -1), 0, 0, []
    while done < len(rows) and keys < most_keys:
        part = rows[done : max(BY_HAND, 2 * done)]
        strays = int((guess[part] != coded[part]).sum())
        keys += (TYPED if done == 0 else 1) * len(part) // LENGTH + (2 * strays if done else 0)
        done += len(part)
        network = build_lenet(len(classes), 20, 1, 0)
        known = rows[:done]
        fit(network, data.glyphs[known], coded[known], None, TrainConfig(epochs=12, patience=4))
        guess = readings(network, data.glyphs)
        guess[known] = coded[known]
        points.append(Point(keys, float((guess == coded).mean()), done, "captcha"))
    return Curve(tuple(points), tuple(classes[guess].tolist()))


def clusters(data: Data, truth: np.ndarray) -> Curve:
    """k-means on pixels, one key for the glyph nearest to each centre; a run for each number of keys."""
    flat = (255 - data.glyphs.reshape(len(truth), -1)).astype(np.float32) / 255
    points, labels = [], truth
    for keys in (*KEYS, 256, 384):
        model = KMeans(keys, n_init=1, max_iter=30, random_state=0).fit(flat)
        nearest = model.transform(flat).argmin(axis=0)
        labels = truth[nearest][model.labels_]
        points.append(Point(keys, float((labels == truth).mean()), keys, "seed"))
    return Curve(tuple(points), tuple(labels.tolist()))


def engine(data: Data, truth: np.ndarray, most_keys: int = 96, error_rate: float = 0.0) -> Curve:
    """What the review page asks, in its own order."""
    return simulate(
        data.glyphs, truth.tolist(), data.alphabet, length=LENGTH, most_keys=most_keys, error_rate=error_rate
    )


def row(data: Data, method: str, truth: str, curve: Curve, seconds: float) -> dict[str, Any]:
    """One line of the table."""
    last = curve.points[-1]
    return {
        "data": data.name,
        "method": method,
        "truth": truth,
        "glyphs": len(data.given),
        "keys_to": {f"{100 * t:g} %": curve.keys_to(t) for t in TARGETS},
        "accuracy_at": {
            str(k): round(curve.at(k), 4) for k in KEYS if k <= last.keystrokes and curve.at(k) > 0
        },
        "keys": last.keystrokes,
        "final": round(last.accuracy, 4),
        "shown": last.shown,
        "seconds": round(seconds, 1),
    }


def compare(data: Data) -> tuple[list[dict[str, Any]], Curve]:
    """All methods on one set; also the engine's curve against the folder's labels."""
    methods: list[tuple[str, Callable[[Data, np.ndarray], Curve]]] = [
        ("type everything", typing),
        ("thesis's loop", thesis_loop),
        ("clusters only", clusters),
        ("engine", engine),
        ("engine, 2 % slips", lambda d, truth: engine(d, truth, error_rate=0.02)),
    ]
    rows, ours = [], Curve((), ())
    for name, method in methods:
        started = time.perf_counter()
        curve = method(data, data.given)
        rows.append(row(data, name, "as labelled", curve, time.perf_counter() - started))
        ours = curve if name == "engine" else ours
    if (data.given != data.shown).any():
        started = time.perf_counter()
        curve = engine(data, data.shown)
        rows.append(row(data, "engine", "as shown", curve, time.perf_counter() - started))
    return rows, ours


def recogniser(data: Data, curve: Curve) -> dict[str, Any]:
    """A LeNet trained on the engine's labels of the training split reads the test split."""
    classes = np.unique(data.given)
    labels = np.searchsorted(classes, np.array(curve.labels))
    network = build_lenet(len(classes), 20, 1, 0)
    fit(network, data.glyphs[~data.test], labels[~data.test], None, TrainConfig(epochs=15))
    read = classes[readings(network, data.glyphs[data.test])]
    return {
        "keys": curve.points[-1].keystrokes,
        "test_glyphs": int(data.test.sum()),
        "right_as_labelled": round(float((read == data.given[data.test]).mean()), 4),
        "right_as_shown": round(float((read == data.shown[data.test]).mean()), 4),
    }


def suspects(data: Data, rate: float = 0.03, runs: int = 5) -> dict[str, Any]:
    """Flips found among the suspects, mean of some runs, and the folder's own errors found."""
    look = find_look_alikes(data.glyphs, np.arange(len(data.given)) % LENGTH)
    classes = np.unique(data.shown)
    given, shown = (np.searchsorted(classes, labels) for labels in (data.given, data.shown))
    rows, wrong, recalls, precisions = np.arange(len(given)), given != shown, [], []
    for seed in range(runs):
        random = np.random.default_rng(seed)
        flipped = random.random(len(given)) < rate
        labels = np.where(
            flipped, (shown + random.integers(1, len(classes), len(given))) % len(classes), shown
        )
        found = find_suspects(vote(look, labels, len(classes), rows), labels).rows
        recalls.append(flipped[found].sum() / flipped.sum())
        precisions.append(flipped[found].mean())
    own = find_suspects(vote(look, given, len(classes), rows), given).rows
    return {
        "flipped": rate,
        "runs": runs,
        "recall": round(float(np.mean(recalls)), 4),
        "precision": round(float(np.mean(precisions)), 4),
        "folder_errors_judged_by_eye": int(wrong.sum()),
        "of_them_found": int(wrong[own].sum()),
        "suspects": len(own),
        "in_top_30": int(wrong[own[:30]].sum()),
    }


def audit_coverage(audits: int = 1000, population: int = 5000, sample: int = 200, rate: float = 0.01) -> int:
    """Simulated audits whose interval holds the true share."""
    random, wrong = np.random.default_rng(0), round(rate * population)
    draws = random.hypergeometric(wrong, population - wrong, sample, audits)
    estimates = [audit_estimate(int(bad), sample, population) for bad in draws]
    return sum(e.low <= 1 - wrong / population <= e.high for e in estimates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    parser.add_argument("--data", choices=("ustc", "digits4", "endpoint"), action="append")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    makers = {
        "ustc": lambda: folder("ustc", "t*/*.png"),
        "digits4": lambda: folder("digits4", "*.jpg"),
        "endpoint": endpoint,
    }
    report: dict[str, Any] = {"benchmark": "label", "machine": facts(), "rows": [], "suspects": {}}
    for name in arguments.data or makers:
        data = makers[name]()
        rows, curve = compare(data)
        report["rows"] += rows
        report["suspects"][name] = suspects(data)
        if data.test.any():
            report["recogniser"] = recogniser(data, curve)
    report["audits_covering_the_truth"] = audit_coverage()
    if not arguments.json:
        lines = [
            [
                r["data"],
                r["method"],
                r["truth"],
                *(str(k) if k is not None else "–" for k in r["keys_to"].values()),
                f"{100 * r['final']:.2f} % at {r['keys']}",
                str(r["shown"]),
            ]
            for r in report["rows"]
        ]
        heads = [
            "data",
            "method",
            "truth",
            *(f"keys to {100 * t:g} %" for t in TARGETS),
            "final",
            "glyphs shown",
        ]
        print(table(heads, lines, "Keystrokes to label accuracy"))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
