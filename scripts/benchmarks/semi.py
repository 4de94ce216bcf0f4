"""A semi-supervised GAN as a labeller: few keys and all unlabelled glyphs, beside the label loop's own reader.

The loop is played as the review page asks, by a simulated person. At each number of keys the glyphs that the person
named are the labels of a GAN whose critic has one class more than there are (recipe cs231n-semi), and of a LeNet that
sees nothing else. Accuracy is over all glyphs, a glyph's label being the person's, else the method's reading.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import torch

from captcha_lab.cli.output import say, table
from captcha_lab.generate.choose import Choice, choose
from captcha_lab.generate.pixels import to_network
from captcha_lab.generate.players.streams import ArrayStream
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.label.questions.glyphs.engine import GlyphEngine
from captcha_lab.label.simulate import Labeller, accuracy, memory_log, places_of, play
from captcha_lab.recognise.classify import build_lenet, readings, train_classifier
from captcha_lab.recognise.config import ClassifierConfig
from scripts.benchmarks._labelling import LENGTH, Data, endpoint, folder
from scripts.benchmarks._machine import facts, show

KEYS = (32, 64, 128)
QUEUES = ("seed", "uncertain", "grid")
EPOCHS = 300  # of the LeNet, each a step or two
BATCH = 256  # glyphs read at a time


def keyed(data: Data, keys: int) -> tuple[np.ndarray, float]:
    """The class of every glyph that the person named after so many keys, int64 [N] with -1; the loop's accuracy."""
    truth = data.given.tolist()
    places = places_of(len(truth), LENGTH)
    engine = GlyphEngine(data.glyphs, places, data.alphabet, memory_log(places))
    play(engine, Labeller(truth, data.alphabet), keys, QUEUES)
    current = engine.log.current()
    named = {place for place, label in current.items() if label.source == "human"}
    classes = np.unique(data.given)
    labels = np.searchsorted(classes, data.given)
    known = np.array([place in named for place in places])
    return np.where(known, labels, -1), accuracy(engine.best_labels(), truth)


def semi_supervised(
    data: Data, labels: np.ndarray, iterations: int, seed: int, changes: list[str]
) -> np.ndarray:
    """The critic's class of every glyph, int64 [N], after training on all of them and the labels there are."""
    recipe = choose(Choice(recipe="cs231n-semi", changes=changes))
    names = tuple(np.unique(data.given).tolist())
    trainer = Trainer(recipe, ArrayStream(data.glyphs, labels, names, seed=seed), iterations, seed)
    for _ in range(iterations):
        trainer.iterate()
    critic, read = trainer.players.critic, []
    assert critic is not None
    with torch.no_grad():
        for start in range(0, len(data.glyphs), BATCH):
            images = to_network(data.glyphs[start : start + BATCH], recipe.output_range)
            logits = critic.eval()(images).class_logits
            assert logits is not None
            read.append(logits.argmax(1).numpy())
    return np.concatenate(read)


def alone(data: Data, labels: np.ndarray, seed: int) -> np.ndarray:
    """A LeNet's class of every glyph, int64 [N], after training on the labels alone."""
    known = labels >= 0
    network = build_lenet(len(np.unique(data.given)), data.glyphs.shape[1], 1, seed)
    train_classifier(
        network,
        data.glyphs[known],
        labels[known],
        None,
        ClassifierConfig(epochs=EPOCHS, patience=EPOCHS, seed=seed),
    )
    return readings(network, data.glyphs)


def measure(
    data: Data, all_keys: list[int], iterations: int, seeds: list[int], changes: list[str]
) -> list[dict[str, Any]]:
    """One row for each number of keys; the two networks' accuracies seed by seed."""
    truth = np.searchsorted(np.unique(data.given), data.given)

    def right(read: np.ndarray, labels: np.ndarray) -> float:
        return float((np.where(labels >= 0, labels, read) == truth).mean())

    rows = []
    for keys in all_keys:
        labels, loop = keyed(data, keys)
        started = time.process_time()
        gan = [right(semi_supervised(data, labels, iterations, seed, changes), labels) for seed in seeds]
        seconds = (time.process_time() - started) / len(seeds)
        lenet = [right(alone(data, labels, seed), labels) for seed in seeds]
        say(
            f"{keys} keys, {int((labels >= 0).sum())} glyphs named: loop {loop:.4f}, GAN {gan}, LeNet {lenet}"
        )
        rows.append(
            {
                "keys": keys,
                "named": int((labels >= 0).sum()),
                "loop": loop,
                "semi_supervised": gan,
                "labels_alone": lenet,
                "seconds_of_one_core": seconds,
            }
        )
    return rows


def report(rows: list[dict[str, Any]]) -> str:
    """The table."""
    heads = ("keys", "glyphs named", "label loop", "semi-supervised GAN", "LeNet, labels alone", "seconds")

    def shown(shares: list[float]) -> str:
        return ", ".join(f"{100 * share:.1f}" for share in shares)

    cells = [
        (
            str(r["keys"]), str(r["named"]), shown([r["loop"]]), shown(r["semi_supervised"]), shown(r["labels_alone"]),
            f"{r['seconds_of_one_core']:.0f}",
        )
        for r in rows
    ]  # fmt: skip
    return table(heads, cells, "% of all glyphs labelled right")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=("endpoint", "ustc"), default="endpoint")
    parser.add_argument("--captchas", type=int, default=500, help="of the built-in endpoint")
    parser.add_argument("--keys", nargs="*", type=int, default=list(KEYS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--iterations", type=int, default=600)
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="changes of the recipe")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    options = parser.parse_args()
    data = endpoint(options.captchas) if options.data == "endpoint" else folder("ustc", "t*/*.png")
    rows = measure(data, options.keys, options.iterations, options.seeds, options.set)
    if not options.json:
        show(report(rows))
    print(json.dumps({"machine": facts(), "data": data.name, "iterations": options.iterations, "rows": rows}))


if __name__ == "__main__":
    main()
