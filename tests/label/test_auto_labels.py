"""The recogniser labels what nobody has, and never overrides anybody."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from captcha_lab.alphabet import Alphabet
from captcha_lab.cli import app
from captcha_lab.datasets.cutting import read_glyphs, segment_dataset
from captcha_lab.errors import CaptchaLabError
from captcha_lab.label.auto import label_by_model
from captcha_lab.recognise.contract import Reading
from captcha_lab.segment import Segmenter
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
from tests.label import page_data

ALPHABET = Alphabet(page_data.CHARACTERS)


class Model:
    """Reads one character, so many times, with one confidence each."""

    kind = "model"
    classes = tuple(page_data.CHARACTERS)

    def __init__(self, character: str, confidence: float, length: int = 4) -> None:
        self.character, self.confidence, self.length = character, confidence, length

    def read(self, images: Iterable[Any]) -> list[Reading]:
        own = (self.confidence,) * self.length
        return [Reading(self.character * self.length, self.confidence**self.length, own) for _ in images]


@pytest.fixture
def cut(dataset: Any) -> Any:
    segment_dataset(dataset[0], Segmenter(), only_new=True)
    return dataset[0]


def current(folder: Any) -> dict[Any, Any]:
    with Catalog(folder.catalog_path, create=False) as catalog:
        return LabelLog(catalog).current()


def test_only_what_nobody_labelled_is_labelled(cut: Any) -> None:
    with Catalog(cut.catalog_path) as catalog:
        log = LabelLog(catalog)
        for k, source in enumerate(("human", "batch", "import")):
            log.record("given", [LabelEvent(1, k, "H", source)])
        log.record("given", [LabelEvent(2, 0, "", "human")])  # "not a glyph" is a label too
    report = label_by_model(cut, Model("A", 0.75), "run-1", ALPHABET)
    assert (report.labelled, report.kept, report.unchanged, report.below_half) == (116, 4, 0, 0)
    assert report.mean_confidence == pytest.approx(0.75)
    labels = current(cut)
    assert [labels[1, k].value for k in range(3)] == ["H"] * 3
    assert labels[2, 0].value == ""
    assert labels[1, 3].source == "model"
    assert labels[1, 3].confidence == pytest.approx(0.75)
    assert len(labels) == len(read_glyphs(cut).places)


def test_labels_that_are_given_while_the_model_reads_stay_and_its_work_too(cut: Any) -> None:
    class Slow(Model):
        def read(self, images: Iterable[Any]) -> list[Reading]:
            with Catalog(cut.catalog_path) as catalog:
                LabelLog(catalog).record("given", [LabelEvent(1, 2, "H", "human")])
            return super().read(images)

    report = label_by_model(cut, Slow("A", 0.75), "run-1", ALPHABET)
    assert (report.labelled, report.kept) == (119, 1)
    labels = current(cut)
    assert (labels[1, 2].value, labels[1, 3].value) == ("H", "A")


def test_a_better_model_replaces_a_model_and_the_same_changes_nothing(cut: Any) -> None:
    label_by_model(cut, Model("A", 0.4), "run-1", ALPHABET)
    again = label_by_model(cut, Model("A", 0.4), "run-1", ALPHABET)
    assert (again.labelled, again.unchanged, again.below_half) == (0, 120, 120)
    with Catalog(cut.catalog_path) as catalog:
        assert len(LabelLog(catalog).acts()) == 1
    better = label_by_model(cut, Model("B", 0.9), "run-2", ALPHABET)
    assert better.labelled == 120
    assert {label.value for label in current(cut).values()} == {"B"}


def test_one_undo_takes_it_all_back(cut: Any) -> None:
    label_by_model(cut, Model("A", 0.9), "run-1", ALPHABET)
    with Catalog(cut.catalog_path) as catalog:
        LabelLog(catalog).undo()
    assert current(cut) == {}


def test_a_model_of_another_alphabet_is_refused(cut: Any) -> None:
    with pytest.raises(CaptchaLabError, match="'H', which is not in the alphabet"):
        label_by_model(cut, Model("H", 0.9), "run-1", Alphabet("ABCDEFG234"))
    assert current(cut) == {}


def test_a_reading_of_another_length_is_a_whole_text(cut: Any) -> None:
    with Catalog(cut.catalog_path) as catalog:
        log = LabelLog(catalog)
        log.record("given", [LabelEvent(1, 2, "H"), LabelEvent(2, None, ""), LabelEvent(3, None, "HHH")])
    report = label_by_model(cut, Model("A", 0.9, length=5), "run-1", ALPHABET)
    assert (report.labelled, report.kept) == (27, 3)
    with Catalog(cut.catalog_path) as catalog:
        labels = LabelLog(catalog).text_labels()
    assert (labels[4].value, labels[4].source) == ("AAAAA", "model")
    assert labels[4].confidence == pytest.approx(0.9**5)
    assert 1 not in labels  # a person began to label it
    assert labels[2].value == ""  # nobody can read it
    assert labels[3].value == "HHH"


def test_what_is_not_cut_is_labelled_whole(dataset: Any) -> None:
    report = label_by_model(dataset[0], Model("A", 0.9), "run-1", ALPHABET)
    assert report.labelled == 30


def test_the_command_labels_with_a_recogniser_trained_on_a_third(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From labels of 20 captchas to those of the other 40, by the commands a person would give."""
    folder, texts = page_data.make_dataset(tmp_path, captchas=60)
    truth = {(k + 1, p): character for k, text in enumerate(texts) for p, character in enumerate(text)}
    with Catalog(folder.catalog_path) as catalog:
        given = [LabelEvent(*place, value) for place, value in truth.items() if place[0] <= 20]
        LabelLog(catalog).record("captcha", given)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> dict[Any, Any]:
        result = CliRunner().invoke(app, [*arguments, "--json"])
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.stdout.strip().splitlines()[-1]))

    run("train", "--epochs", "60", "--batch-size", "8", "--patience", "20")
    report = run("label", "--auto")
    assert (report["labelled"], report["kept"], report["unchanged"]) == (160, 80, 0)
    labels = current(folder)
    assert all(labels[place].value == value for place, value in truth.items() if place[0] <= 20)
    guessed = {place: label for place, label in labels.items() if label.source == "model"}
    assert sum(label.value == truth[place] for place, label in guessed.items()) >= 152
    mean = float(np.mean([label.confidence for label in guessed.values()]))
    assert report["mean_confidence"] == pytest.approx(mean, abs=1e-5)
    assert run("label", "--auto")["unchanged"] == 160  # again changes nothing
