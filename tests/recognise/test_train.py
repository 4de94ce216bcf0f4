import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.metrics.intervals import wilson
from captcha_lab.recognise import classify
from captcha_lab.recognise.classifier import Classifier
from captcha_lab.recognise.classify import build_lenet, shifted, train_classifier
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.recognise.glyph.reader import GlyphReader
from captcha_lab.recognise.glyph.train import train_glyph_reader, warnings_for
from captcha_lab.recognise.networks.lenet import LeNet
from captcha_lab.recognise.tensors import to_tensor
from captcha_lab.store.packed.packed import PackedSet
from captcha_lab.store.runs import Run, load_weights
from tests.helpers import present

QUICK = ClassifierConfig(epochs=6, batch_size=32)


def test_the_lenet_has_the_thesis_number_of_parameters() -> None:
    assert sum(p.numel() for p in LeNet(32).parameters()) == 142_102


def test_shapes() -> None:
    network = LeNet(10, size=28)
    assert network(torch.zeros(3, 1, 28, 28)).shape == (3, 10)
    assert network.features(torch.zeros(3, 1, 28, 28)).shape == (3, 500)
    with pytest.raises(UsageError, match="12 pixels"):
        LeNet(10, size=12)


def test_ink_is_one_and_paper_nought() -> None:
    tensor = to_tensor(np.array([[[0, 255], [51, 204]]], np.uint8))
    assert tensor.shape == (1, 1, 2, 2)
    torch.testing.assert_close(tensor.flatten(), torch.tensor([1.0, 0.0, 0.8, 0.2]))
    assert to_tensor(np.zeros((2, 5, 4, 3), np.uint8)).shape == (2, 3, 5, 4)


def test_shifting_moves_and_loses_nothing_inside() -> None:
    batch = torch.zeros(50, 1, 7, 7)
    batch[:, 0, 3, 3] = 1
    moved = shifted(batch, 1, torch.Generator().manual_seed(0))
    assert moved.shape == batch.shape
    assert (moved.sum(dim=(1, 2, 3)) == 1).all()
    places = {tuple(p) for p in moved[:, 0].nonzero()[:, 1:].tolist()}
    assert places == {(a, b) for a in (2, 3, 4) for b in (2, 3, 4)}
    assert shifted(batch, 0, torch.Generator()) is batch


def test_training_learns_and_leaves_a_run(drawn_set: PackedSet, tmp_path: Path) -> None:
    report = train_glyph_reader(drawn_set, tmp_path, ClassifierConfig(epochs=25, batch_size=32), "first")
    test = report.glyphs["test"]
    assert test is not None
    assert test.value > 0.9
    assert report.run.weights.is_file()
    assert (report.run.root / "curves.png").stat().st_size > 5000
    assert list(report.run.tensorboard.iterdir())
    lines = report.run.history()
    assert [line["epoch"] for line in lines[:-1]] == list(range(1, len(lines)))
    assert {"train_loss", "validation_accuracy", "seconds"} <= set(lines[0])
    assert lines[-1]["test"] == list(test)
    assert json.loads((report.run.root / "config.json").read_text())["train"]["epochs"] == 25


def test_glyphs_that_another_reader_cut_make_a_judge_and_no_reader(
    drawn_set: PackedSet, tmp_path: Path
) -> None:
    cut = replace(drawn_set, info={**drawn_set.info, "segmenter": {"method": "reader", "glyphs": 0}})
    report = train_glyph_reader(cut, tmp_path, ClassifierConfig(epochs=1, batch_size=32), "judge")
    assert "can't cut captchas by itself" in report.warnings[0]
    assert report.validation is None
    assert Classifier.load(report.run.root).classes == drawn_set.classes
    with pytest.raises(CaptchaLabError, match="reads no captchas: it judges glyphs"):
        GlyphReader.load(report.run.root)


def test_the_best_epoch_is_kept_not_the_last(drawn_set: PackedSet) -> None:
    """Training goes on with a ruinous step size: the weights returned must be those of the best epoch."""
    train, validation = drawn_set.part("train"), drawn_set.part("validation")
    network = build_lenet(4, 20, 1, 0)
    config = ClassifierConfig(epochs=12, batch_size=8, learning_rate=0.02, patience=12)
    history = train_classifier(
        network, train.images, present(train.labels), (validation.images, present(validation.labels)), config
    )
    with torch.inference_mode():
        read = network(to_tensor(validation.images)).argmax(1).numpy()
    assert (read == validation.labels).mean() == pytest.approx(
        max(line["validation_accuracy"] for line in history)
    )


def test_it_stops_early(drawn_set: PackedSet) -> None:
    part = drawn_set.part("train")
    flat = np.full_like(part.images, 255)  # nothing to learn
    config = ClassifierConfig(epochs=50, patience=2, learning_rate=1e-6)
    assert (
        len(
            train_classifier(
                build_lenet(4, 20, 1, 0), flat, present(part.labels), (flat, present(part.labels)), config
            )
        )
        < 20
    )


def test_an_epoch_of_a_large_set_is_a_part_drawn_anew(
    drawn_set: PackedSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = drawn_set.part("train", labelled=True)
    seen: list[int] = []
    monkeypatch.setattr(classify, "EPOCH", 32)

    def counted(batch: torch.Tensor, pixels: int, generator: torch.Generator) -> torch.Tensor:
        seen.append(len(batch))
        return batch

    monkeypatch.setattr(classify, "shifted", counted)
    network = build_lenet(len(drawn_set.classes), 20, 1, 0)
    history = train_classifier(
        network, train.images, present(train.labels), None, ClassifierConfig(epochs=3, batch_size=16)
    )
    assert seen == [16, 16] * 3
    assert all(0 <= line["train_accuracy"] <= 1 for line in history)


def test_the_seed_decides_everything(drawn_set: PackedSet, tmp_path: Path) -> None:
    runs = [train_glyph_reader(drawn_set, tmp_path / str(k), QUICK).run for k in range(2)]
    first, again = (load_weights(run.weights)[0] for run in runs)
    assert all(torch.equal(first[name], again[name]) for name in first)
    other, _ = load_weights(train_glyph_reader(drawn_set, tmp_path / "x", replace(QUICK, seed=1)).run.weights)
    assert not torch.equal(first["output.weight"], other["output.weight"])


def test_too_few_labels_say_how_to_give_them(drawn_set: PackedSet, tmp_path: Path) -> None:
    bare = replace(drawn_set, labels=np.full(len(drawn_set), -1, np.int16))
    with pytest.raises(CaptchaLabError, match="captcha-lab label"):
        train_glyph_reader(bare, tmp_path, QUICK)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("train", "validation", "counts", "says"),
    [
        (wilson(30, 100), wilson(26, 100), [25, 25, 25, 25], "chance level"),
        (wilson(100, 100), wilson(60, 100), [25, 25, 25, 25], "memorised"),
        (wilson(100, 100), wilson(99, 100), [25, 25, 3, 25], "Fewer than 5 training glyphs of C (3)"),
        (wilson(100, 100), None, [25, 25, 25, 25], "No captcha was left"),
    ],
)
def test_warnings(train: Any, validation: Any, counts: list[int], says: str) -> None:
    assert any(says in line for line in warnings_for(train, validation, np.array(counts), tuple("ABCD")))


def test_a_good_recogniser_gets_no_warning() -> None:
    assert warnings_for(wilson(100, 100), wilson(99, 100), np.array([25] * 4), tuple("ABCD")) == []


@pytest.mark.parametrize(
    "options", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"shift": -1}, {"patience": 0}]
)
def test_impossible_settings(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--"):
        ClassifierConfig(**options)


def test_a_trained_reader_is_extended_and_what_forgetting_costs(drawn_set: PackedSet, tmp_path: Path) -> None:
    """Trained on three classes, then on the fourth alone: it learns that one, and the others suffer little."""
    labels = np.asarray(drawn_set.labels)
    three, fourth = drawn_set.take(labels < 3), drawn_set.take(labels >= 2)
    config = ClassifierConfig(epochs=15, batch_size=16)
    first = train_glyph_reader(three, tmp_path, config, "first").run

    def share(run: Run, part: PackedSet) -> float:
        read = Classifier.load(run.root).examine(part.images)[1]
        return float((read == np.asarray(part.labels)).mean())

    test = three.part("test")
    before = share(first, test)
    more = ClassifierConfig(epochs=4, batch_size=16, learning_rate=3e-4, start=str(first.root))
    second = train_glyph_reader(fourth, tmp_path, more, "second").run
    new = drawn_set.take(labels == 3).part("test")
    assert before > 0.95
    assert share(first, new) == 0
    assert share(second, new) > 0.8
    assert share(second, test) > before - 0.3  # of classes 0 and 1 it saw no example again
    scratch = train_glyph_reader(fourth, tmp_path, replace(more, start=""), "scratch").run
    assert share(scratch, test) < share(second, test) - 0.1  # from new weights it knows nothing of them


def test_a_reader_of_another_size_is_no_start(drawn_set: PackedSet, tmp_path: Path) -> None:
    first = train_glyph_reader(drawn_set, tmp_path, replace(QUICK, epochs=1), "first").run
    larger = replace(drawn_set, images=np.pad(drawn_set.images, ((0, 0), (4, 4), (4, 4))))
    with pytest.raises(CaptchaLabError, match="20x20 pixels"):
        train_glyph_reader(larger, tmp_path, replace(QUICK, start=str(first.root)), "second")
