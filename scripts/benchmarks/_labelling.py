"""Data and ways of labelling that the label benchmark compares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from sklearn.cluster import KMeans

from captcha_lab.alphabet import THESIS_ALPHABET, Alphabet
from captcha_lab.collect.endpoint.classic import render
from captcha_lab.label.simulate import Curve, Point, simulate, simulate_texts
from captcha_lab.pipeline.proposing import text_proposer
from captcha_lab.recognise.classify import build_lenet, readings, train_classifier
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.segment import Segmenter
from scripts.benchmarks._machine import shared_data

LENGTH = 4
KEYS = (32, 64, 96, 128, 192)
BY_HAND = 400  # glyphs of the thesis's first round
EPOCHS = 12  # of each round of the thesis's loop, which names none
TYPED = LENGTH + 1  # keys for a captcha: its characters and Enter
CORRECTIONS = Path(__file__).with_name("label_corrections.json")


class Data(NamedTuple):
    """Glyphs uint8 [N, 20, 20] captcha by captcha, their labels as given and as shown, rows held for testing."""

    name: str
    glyphs: np.ndarray
    given: np.ndarray
    shown: np.ndarray
    test: np.ndarray
    files: tuple[str, ...] = ()

    @property
    def alphabet(self) -> Alphabet:
        return Alphabet.of_texts(self.given.tolist())


def folder(name: str, pattern: str) -> Data:
    """A folder of captchas named by their text."""
    root = shared_data() / name
    files = sorted(root.glob(pattern))
    images = np.stack(
        [image for file in files if (image := cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)) is not None]
    )
    given = np.array(list("".join(file.name[:LENGTH] for file in files)))
    names = tuple(str(file.relative_to(root)) for file in files)
    shown, rows = given.copy(), {name: row for row, name in enumerate(names)}
    for file, position, character in json.loads(CORRECTIONS.read_text())[name]:
        shown[rows[file] * LENGTH + position] = character
    test = np.repeat([file.parent.name == "test" for file in files], LENGTH)
    return Data(name, np.concatenate(Segmenter().cut(list(images))), given, shown, test, names)


def endpoint(captchas: int = 1250, seed: int = 0) -> Data:
    """Captchas of the built-in endpoint's classic style."""
    random = np.random.default_rng(seed)
    texts = ["".join(random.choice(list(THESIS_ALPHABET), LENGTH)) for _ in range(captchas)]
    images = np.stack([render(text, random) for text in texts])
    truth = np.array(list("".join(texts)))
    return Data(
        "endpoint", np.concatenate(Segmenter().cut(list(images))), truth, truth, np.zeros(len(truth), bool)
    )


def typing(data: Data, truth: np.ndarray) -> Curve:
    """Every captcha typed: what is not typed yet has no label."""
    count = len(truth) // LENGTH
    points = [Point(TYPED * k, LENGTH * k / len(truth), LENGTH * k, "captcha") for k in range(1, count + 1)]
    return Curve(tuple(points), tuple(truth.tolist()))


def thesis_loop(data: Data, truth: np.ndarray, most_keys: int = 1500) -> Curve:
    """400 glyphs typed, a LeNet trained, as many more corrected (two keys a stray, one a captcha), and again."""
    order = np.random.default_rng(0).permutation(len(truth) // LENGTH)
    settings = ClassifierConfig(epochs=EPOCHS, patience=4)
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
        train_classifier(network, data.glyphs[known], coded[known], None, settings)
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


def engine(
    data: Data, truth: np.ndarray, most_keys: int = KEYS[-1], error_rate: float = 0.0, seed: int = 0
) -> Curve:
    """What the review page asks, in its own order."""
    return simulate(
        data.glyphs,
        truth.tolist(),
        data.alphabet,
        length=LENGTH,
        most_keys=most_keys,
        error_rate=error_rate,
        seed=seed,
    )


class TextData(NamedTuple):
    """Captchas of any size and their texts."""

    name: str
    images: list[np.ndarray]
    texts: list[str]


def text_folder(name: str, pattern: str) -> TextData:
    """A folder of captchas named by their text, of any length."""
    files = sorted((shared_data() / name).glob(pattern))
    read = [(file, cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)) for file in files]
    kept = [(file, image) for file, image in read if image is not None]
    return TextData(name, [image for _, image in kept], [file.stem.split("_")[0] for file, _ in kept])


def typing_texts(data: TextData) -> Curve:
    """Every text typed and entered: what is not typed yet has no label."""
    keys = np.cumsum([len(text) + 1 for text in data.texts])
    count = len(data.texts)
    points = [Point(int(keys[k]), (k + 1) / count, k + 1, "captcha") for k in range(count)]
    return Curve(tuple(points), tuple(data.texts))


def reordered(data: TextData, seed: int) -> TextData:
    """The captchas in an order drawn by a seed; as they come for 0. The order decides what is asked first."""
    if seed == 0:
        return data
    order = np.random.default_rng(seed).permutation(len(data.texts))
    return data._replace(images=[data.images[k] for k in order], texts=[data.texts[k] for k in order])


def text_engine(data: TextData, most_keys: int, error_rate: float = 0.0, seed: int = 0) -> Curve:
    """What the review page asks about whole captchas, with the reader learning behind it."""
    proposer = text_proposer(lambda number: data.images[number - 1])
    alphabet = Alphabet.of_texts(data.texts)
    return simulate_texts(
        data.texts, alphabet, proposer, error_rate=error_rate, most_keys=most_keys, seed=seed
    )
