"""Readers of whole captchas measured: by text, length and character, whether they know, and what throws them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.reading.damage import DAMAGES
from captcha_lab.evaluate.reading.section import text_section
from captcha_lab.evaluate.reading.texts import TextResult, measure_texts
from captcha_lab.evaluate.report.report import Report, report_grade, report_json, verdict_sentence
from captcha_lab.recognise.contract import Reading

TEXTS = ["AB", "ABC", "<B>", "AAAA", "BBB", "C"]


def picture(text: str) -> NDArray[np.uint8]:
    """A bar code: the text's characters stand in its pixels, so that damage can be seen."""
    row = np.repeat([ord(c) for c in text], 4).astype(np.uint8)
    return np.repeat(row[None], 8, axis=0)


class BarCodeReader:
    """Reads undamaged bar codes, but takes C for G, and every text of four characters for nothing."""

    kind = "bar code"
    classes = ("A", "B", "C", "G", "<", ">")

    def read(self, images: Iterable[Any]) -> list[Reading]:
        found = []
        for image in images:
            text = "".join(chr(code) for code in image[image.shape[0] // 2, 1::4])
            text = "" if len(text) == 4 else text.replace("C", "G")
            found.append(Reading(text, 0.9 if text else 0.2))
        return found


@pytest.fixture(scope="module")
def found() -> TextResult:
    return measure_texts(BarCodeReader(), [picture(text) for text in TEXTS], TEXTS)


def test_captchas_characters_and_lengths(found: TextResult) -> None:
    assert (found.captchas.successes, found.captchas.trials) == (3, 6)
    assert (found.characters.successes, found.characters.trials) == (10, 16)
    assert found.error_rate == pytest.approx(6 / 16)
    assert {length: share.value for length, share in found.by_length.items()} == {
        1: 0.0, 2: 1.0, 3: pytest.approx(2 / 3), 4: 0.0
    }  # fmt: skip
    assert found.confusions == [("A", "", 4), ("C", "G", 2)]


def test_errors_come_with_their_pictures_the_surest_first(found: TextResult) -> None:
    assert [(one.truth, one.reading.text) for one in found.errors] == [
        ("ABC", "ABG"),
        ("C", "G"),
        ("AAAA", ""),
    ]
    np.testing.assert_array_equal(found.errors[0].picture, picture("ABC"))
    page = text_section(found)
    assert page.count("read as") == 3
    assert page.count("<img") == 6
    assert "&lt;B&gt;" in page
    assert "<B>" not in page
    assert "C as G (2)" in page
    assert "<b>nothing</b>" in page


def test_confidence_is_held_against_whole_texts(found: TextResult) -> None:
    assert found.calibration.counts.sum() == 6
    # Five at .9, of which three are right; one at .2, wrong.
    assert found.calibration.expected_error == pytest.approx((5 * abs(0.6 - 0.9) + 0.2) / 6)


def test_damaged_captchas_are_read_less_and_the_same_for_the_same_seed(found: TextResult) -> None:
    assert [curve.name for curve in found.damages] == [damage.name for damage in DAMAGES]
    for curve in found.damages:
        assert curve.shares[0].value == found.captchas.value
    noise = next(curve for curve in found.damages if curve.name == "noise")
    assert noise.shares[-1].value == 0
    again = measure_texts(BarCodeReader(), [picture(text) for text in TEXTS], TEXTS)
    assert again.damages == found.damages


def test_a_report_of_texts_alone(found: TextResult) -> None:
    report = Report(verdict_sentence(None, None, found), None, None, "codes", "captcha-lab eval", texts=found)
    assert report.verdict.startswith("The bar code reader reads 50.0 %")
    assert "character error rate is 37.50 %" in report.verdict
    grade = report_grade(report)
    assert grade is not None
    assert grade.letter == "D"
    stored = report_json(report)["texts"]
    assert stored["errors"][0] == ["ABC", "ABG", 0.9]
    assert stored["by_length"]["2"]["value"] == 1


def test_no_captcha_to_read_is_one_clear_line() -> None:
    with pytest.raises(CaptchaLabError, match="captcha-lab label"):
        measure_texts(BarCodeReader(), [], [])
