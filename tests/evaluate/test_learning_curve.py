"""The learning curve: readers given more and more labels, and nothing of the others' texts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from captcha_lab.evaluate.reading.curve import CurvePoint, sizes_of, train_on_more
from captcha_lab.evaluate.reading.section import text_section
from captcha_lab.evaluate.reading.texts import measure_texts
from captcha_lab.evaluate.report.board import report_lines
from captcha_lab.evaluate.report.report import Report, report_json
from captcha_lab.metrics.intervals import wilson
from captcha_lab.progress import PhaseProgress
from captcha_lab.recognise.registry import CaptchaViews, ReaderKind, ReaderReport
from captcha_lab.store.packed.packed import PackedSet
from captcha_lab.store.packed.texts import TextSet
from captcha_lab.store.runs import Run
from tests.evaluate.test_texts import BarCodeReader, picture


def no_glyphs() -> PackedSet:
    raise AssertionError


def test_each_reader_is_given_so_many_labels_of_the_training_split_and_no_other() -> None:
    given: list[TextSet] = []

    def train(
        views: CaptchaViews, models: Path, settings: dict[str, Any], name: str | None, progress: PhaseProgress
    ) -> ReaderReport:
        given.append(views.texts)
        assert settings["steps"] == 7
        return ReaderReport(Run(models), "bar code", 2.0, None, None, None)

    kind = ReaderKind("bar code", "", (), lambda path: BarCodeReader(), train, lambda views: None)
    names = ["AB", "BA", "ABC", "", "CC", "B"]
    split = np.array([0, 0, 0, 0, 1, 2], np.uint8)
    texts = TextSet(
        [picture(n or "A") for n in names], tuple(names), split, np.arange(6), np.zeros(6, np.uint8)
    )
    sizes = sizes_of(len(texts.part("train")), (1, 2, 4))
    assert sizes == [1, 2, 3]
    trained = list(train_on_more(kind, CaptchaViews(texts, no_glyphs), sizes, {"steps": 7}, 0))
    assert [len(one.rows) for one in trained] == sizes
    for one, seen in zip(trained, given, strict=True):
        assert len(seen) == len(texts)  # the others are there without their texts
        assert {k for k, text in enumerate(seen.texts) if text} == set(one.rows.tolist())
        assert (split[one.rows] == 0).all()
    assert set(trained[0].rows) < set(trained[1].rows)
    assert sizes_of(0, (1, 2)) == []


def test_the_curve_is_on_the_page_in_the_json_and_printed() -> None:
    texts = ["AB", "B"]
    found = measure_texts(BarCodeReader(), [picture(text) for text in texts], texts)
    assert "By the number of labels" not in text_section(found)
    curve = [CurvePoint(0, wilson(1, 4), 0.0), CurvePoint(25, wilson(3, 4), 1.5)]
    curve += [CurvePoint(50, wilson(4, 4), 2.5)]
    report = Report("", None, None, "captcha", "captcha-lab eval", [], replace(found, curve=curve))
    page = text_section(replace(found, curve=curve))
    assert "By the number of labels" in page
    assert "<svg" in page
    assert [point["captchas"] for point in report_json(report)["texts"]["curve"]] == [0, 25, 50]
    assert "25.0 % with 0, 75.0 % with 25, 100.0 % with 50" in "\n".join(report_lines(report))
