"""A small world: drawn glyphs of six classes, a recogniser and a judge trained on them in seconds."""

import numpy as np
import pytest

from captcha_lab.evaluate.generators.core import Evaluator
from captcha_lab.evaluate.judging.judge import COUNTER, JUDGE, SecondReader, train_second
from captcha_lab.evaluate.readers import main_reader
from captcha_lab.evaluate.real import RealData
from captcha_lab.recognise.classifier import Classifier
from captcha_lab.recognise.classify import build_lenet, train_classifier
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.store.packed.packed import PackedSet, mark_duplicates
from tests.evaluate.drawn_world import CLASSES, CONFIG, draw_glyphs, quicker
from tests.helpers import present


@pytest.fixture(scope="session")
def world() -> PackedSet:
    """1,500 glyphs of 375 captchas of four: 210 for training, 45 for validation, 120 for test."""
    labels = np.random.default_rng(0).integers(0, len(CLASSES), 1500)
    images = draw_glyphs(labels, 1)
    captcha = np.arange(1500) // 4
    split = np.select([captcha < 210, captcha < 255], [0, 1], 2).astype(np.uint8)
    return PackedSet(
        images=images,
        split=split,
        labels=labels.astype(np.int16),
        image=captcha,
        position=np.arange(1500) % 4,
        duplicate=mark_duplicates(images, split),
        classes=CLASSES,
        info={"dataset": "drawn", "kind": "captcha", "alphabet": "".join(CLASSES)},
    )


@pytest.fixture(scope="session")
def real(world: PackedSet) -> RealData:
    return RealData.from_packed(world)


@pytest.fixture(scope="session")
def recogniser(world: PackedSet) -> Classifier:
    train = world.part("train")
    network = build_lenet(len(CLASSES), 20, 1, 0)
    train_classifier(
        network, train.images, present(train.labels), None, ClassifierConfig(epochs=10, patience=10)
    )
    return Classifier(network, CLASSES, 20)


@pytest.fixture(scope="session")
def judge(world: PackedSet) -> SecondReader:
    return train_second(quicker(JUDGE, 16), world)


@pytest.fixture(scope="session")
def counter(world: PackedSet) -> SecondReader:
    return train_second(quicker(COUNTER, 16), world)


@pytest.fixture(scope="session")
def evaluator(
    real: RealData, recogniser: Classifier, judge: SecondReader, counter: SecondReader
) -> Evaluator:
    readers = main_reader(recogniser, "lenet") | {
        "judge": judge.as_reader(JUDGE),
        "counter-reader": counter.as_reader(COUNTER),
    }
    return Evaluator(real, readers, CONFIG)
