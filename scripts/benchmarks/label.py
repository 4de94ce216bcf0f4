"""Keystrokes to label accuracy: typing everything, the thesis's loop, clusters only, and the engine, in one run.

A key is a character, Enter, an accepted page, a cursor move or a click. Accuracy is over all glyphs, a glyph's
label being what a person gave it, else the method's own guess. `as labelled` compares with the folder's labels, which
hold errors; `as shown` with those errors, judged by eye, corrected (label_corrections.json). Slips are drawn anew for
each of some seeds: their row is the mean of these runs. About ten minutes on one core, with progress on stderr.

`words5` is labelled by whole texts, of which the accuracy is over all 1,040: typed, and as the review page asks while
its reader learns, without and with slips, in as many orders as --seeds says (a run has some ten trainings of a minute).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from captcha_lab.cli.output import table
from captcha_lab.label.proposals.lookalikes import find_look_alikes
from captcha_lab.label.proposals.propose import vote
from captcha_lab.label.proposals.suspects import find_suspects, rank_labels
from captcha_lab.label.questions.audit import audit_estimate
from captcha_lab.label.simulate import Curve
from captcha_lab.recognise.classify import build_lenet, readings, train_classifier
from captcha_lab.recognise.config import ClassifierConfig
from scripts.benchmarks._labelling import (
    EPOCHS,
    KEYS,
    LENGTH,
    Data,
    TextData,
    clusters,
    endpoint,
    engine,
    folder,
    reordered,
    text_engine,
    text_folder,
    thesis_loop,
    typing,
    typing_texts,
)
from scripts.benchmarks._machine import facts

TARGETS = (0.95, 0.99, 0.995)
SLIPS = 0.02  # share of keys mistyped
SLIP_SEEDS = 5
MOST_TEXT_KEYS = 250  # for whole captchas


def say(text: str) -> None:
    """A line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def row(
    data: Data | TextData, method: str, truth: str, curves: list[Curve], seconds: float
) -> dict[str, Any]:
    """One line of the table: the mean of the curves; keys to an accuracy only where all of them reach it."""
    ends = [curve.points[-1] for curve in curves]

    def keys_to(target: float) -> float | None:
        found = [curve.keys_to(target) for curve in curves]
        reached = [keys for keys in found if keys is not None]
        return round(float(np.mean(reached)), 1) if len(reached) == len(found) else None

    def at(keys: int) -> list[float]:
        return [curve.at(keys) for curve in curves]

    keys = [k for k in KEYS if min(at(k)) > 0]
    return {
        "data": data.name,
        "method": method,
        "truth": truth,
        "labels": len(curves[0].labels),
        "runs": len(curves),
        "keys_to": {f"{100 * t:g} %": keys_to(t) for t in TARGETS},
        "accuracy_at": {str(k): round(float(np.mean(at(k))), 4) for k in keys},
        "worst_at": {str(k): round(min(at(k)), 4) for k in keys},
        "keys": round(float(np.mean([end.keystrokes for end in ends])), 1),
        "final": round(float(np.mean([end.accuracy for end in ends])), 4),
        "shown": round(float(np.mean([end.shown for end in ends]))),
        "seconds": round(seconds / len(curves), 1),
    }


def compare(data: Data) -> tuple[list[dict[str, Any]], Curve]:
    """All methods on one set; also the engine's curve against the folder's labels."""
    shown = "as shown" if (data.given != data.shown).any() else "as labelled"
    methods: list[tuple[str, str, Callable[[Data, np.ndarray], Curve]]] = [
        ("type everything", "as labelled", typing),
        (f"thesis's loop, {EPOCHS} epochs a round", "as labelled", thesis_loop),
        ("clusters only", "as labelled", clusters),
        ("engine", "as labelled", engine),
    ]
    if shown == "as shown":
        methods.append(("engine", shown, engine))
    rows, ours = [], Curve((), ())
    for name, kind, method in methods:
        say(f"{data.name}: {name}, {kind}")
        started = time.perf_counter()
        curve = method(data, data.given if kind == "as labelled" else data.shown)
        rows.append(row(data, name, kind, [curve], time.perf_counter() - started))
        ours = curve if (name, kind) == ("engine", "as labelled") else ours
    started, curves = time.perf_counter(), []
    for seed in range(SLIP_SEEDS):
        say(f"{data.name}: engine with slips, run {seed + 1} of {SLIP_SEEDS}")
        curves.append(engine(data, data.shown, error_rate=SLIPS, seed=seed))
    name = f"engine, {100 * SLIPS:g} % slips"
    rows.append(row(data, name, shown, curves, time.perf_counter() - started))
    return rows, ours


def compare_texts(data: TextData, seeds: int) -> list[dict[str, Any]]:
    """All ways of labelling whole captchas; the mean of some orders of the captchas, each with its own slips."""
    rows = [row(data, "type everything", "as labelled", [typing_texts(data)], 0.0)]
    for rate in (0.0, SLIPS):
        name = f"whole captchas, {100 * rate:g} % slips" if rate else "whole captchas"
        started, curves = time.perf_counter(), []
        for seed in range(seeds):
            say(f"{data.name}: {name}, run {seed + 1} of {seeds}")
            curve = text_engine(reordered(data, seed), MOST_TEXT_KEYS, error_rate=rate, seed=seed)
            say(f"99 % at {curve.keys_to(0.99)} keys; {100 * curve.points[-1].accuracy:.2f} % at the end")
            curves.append(curve)
        rows.append(row(data, name, "as labelled", curves, time.perf_counter() - started))
    return rows


def recogniser(data: Data, curve: Curve) -> dict[str, Any]:
    """A LeNet trained on the engine's labels of the training split reads the test split."""
    classes = np.unique(data.given)
    labels = np.searchsorted(classes, np.array(curve.labels))
    network = build_lenet(len(classes), 20, 1, 0)
    train_classifier(network, data.glyphs[~data.test], labels[~data.test], None, ClassifierConfig(epochs=15))
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
    chances = vote(look, given, len(classes), rows)
    own, ranked = find_suspects(chances, given).rows, rank_labels(chances, given)
    top = [
        {
            "file": data.files[k // LENGTH],
            "position": k % LENGTH,
            "given": str(classes[given[k]]),
            "read": str(classes[read]),
            "tier": tier,
            "judged_wrong": bool(wrong[k]),
        }
        for k, read, tier in zip(
            ranked.rows[:30].tolist(), ranked.proposed[:30].tolist(), ranked.tier[:30].tolist(), strict=True
        )
        if data.files
    ]
    return {
        "flipped": rate,
        "runs": runs,
        "recall": round(float(np.mean(recalls)), 4),
        "precision": round(float(np.mean(precisions)), 4),
        "folder_errors_judged_by_eye": int(wrong.sum()),
        "of_them_found": int(wrong[own].sum()),
        "suspects": len(own),
        "in_top_30": int(wrong[ranked.rows[:30]].sum()),
        "top_30": top,
    }


def audit_coverage(audits: int = 1000, population: int = 5000, sample: int = 200, rate: float = 0.01) -> int:
    """Simulated audits whose interval holds the true share."""
    random, wrong = np.random.default_rng(0), round(rate * population)
    draws = random.hypergeometric(wrong, population - wrong, sample, audits)
    known = {int(bad): audit_estimate(int(bad), sample, population) for bad in np.unique(draws)}
    return sum(known[bad].low <= 1 - wrong / population <= known[bad].high for bad in draws.tolist())


def print_tables(report: dict[str, Any]) -> None:
    """What a person reads of it."""
    heads = ["data", "method", "truth", *(f"keys to {100 * t:g} %" for t in TARGETS)]
    lines = [
        [
            *(r[name] for name in ("data", "method", "truth")),
            *("–" if k is None else f"{k:g}" for k in r["keys_to"].values()),
            *(f"{100 * r['accuracy_at'][str(k)]:.2f}" if str(k) in r["accuracy_at"] else "–" for k in KEYS),
            f"{100 * r['final']:.2f} at {r['keys']:g}",
            str(r["shown"]),
        ]
        for r in report["rows"]
    ]
    heads += [*(f"% at {k}" for k in KEYS), "final", "shown"]
    print(table(heads, lines, "Keystrokes to label accuracy"))
    names = ("recall", "precision", "folder_errors_judged_by_eye", "of_them_found", "suspects", "in_top_30")
    lines = [[name, *(str(found[key]) for key in names)] for name, found in report["suspects"].items()]
    print(table(["data", *(name.replace("_", " ") for name in names)], lines, "Suspects, 3 % flipped"))
    for found in report["recogniser"]:
        print("Recogniser:", ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items()))
    print(f"{report['audits_covering_the_truth']} of 1000 simulated audits cover the truth.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    parser.add_argument("--seeds", type=int, default=1, help="orders of whole captchas that are tried")
    parser.add_argument("--data", choices=("ustc", "digits4", "endpoint", "words5"), action="append")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    makers: dict[str, Callable[[], Any]] = {
        "ustc": lambda: folder("ustc", "t*/*.png"),
        "digits4": lambda: folder("digits4", "*.jpg"),
        "endpoint": endpoint,
    }
    report: dict[str, Any] = {
        "benchmark": "label",
        "machine": facts(),
        "rows": [],
        "suspects": {},
        "recogniser": [],
    }
    for name in arguments.data or (*makers, "words5"):
        if name == "words5":
            report["rows"] += compare_texts(text_folder(name, "*.png"), arguments.seeds)
            continue
        data = makers[name]()
        rows, curve = compare(data)
        report["rows"] += rows
        say(f"{name}: suspects")
        report["suspects"][name] = suspects(data)
        if data.test.any():
            say(f"{name}: recogniser")
            report["recogniser"] += [recogniser(data, c) for c in (engine(data, data.given, 32), curve)]
    report["audits_covering_the_truth"] = audit_coverage()
    if not arguments.json:
        print_tables(report)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
