"""Generators of whole captchas: read as asked, taught from, compared with real ones, shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.generators.core import Evaluator
from captcha_lab.evaluate.generators.result import CandidateResult, Evaluation
from captcha_lab.evaluate.generators.texts import TextJudge
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.report.html import report_html
from captcha_lab.evaluate.report.report import Report, report_json
from captcha_lab.generate.conditioning import TextCode
from captcha_lab.progress import PhaseProgress
from captcha_lab.recognise.contract import Reading
from tests.helpers import present

CODE = TextCode(("A", "B", "C", "D"), 3)
CONFIG = EvalConfig(samples=60, distance_samples=60, batch_size=25, neighbours=3, modes_per_class=1)
SIDE = 12


def drawn(texts: Sequence[str], seed: int) -> np.ndarray:
    """Captchas whose characters are bars of so many rows, with some noise."""
    images = np.random.default_rng(seed).integers(200, 256, (len(texts), SIDE, 3 * SIDE), dtype=np.uint8)
    for image, text in zip(images, texts, strict=True):
        for place, character in enumerate(text):
            rows = 2 * CODE.characters.index(character) + 3
            image[:rows, place * SIDE + 3 : place * SIDE + 9] //= 5
    return images


class BarReader:
    """Reads the bars of `drawn`, and gives their heights as features."""

    kind, classes = "bars", CODE.characters

    def __init__(self, known: str = "ABCD") -> None:
        self.known = known

    def read(self, images: Iterable[Any]) -> list[Reading]:
        texts = ["".join(self._character(h) for h in heights if h) for heights in self._heights(images)]
        return [Reading(text, 1.0) for text in texts]

    def _character(self, height: int) -> str:
        found = CODE.characters[min(max((height - 3) // 2, 0), 3)]
        return found if found in self.known else "?"

    def _heights(self, images: Iterable[Any]) -> np.ndarray:
        cells = np.stack(list(images)).reshape(-1, SIDE, 3, SIDE)
        return np.asarray((cells[..., 5] < 100).sum(1))

    def features(self, images: Iterable[Any]) -> np.ndarray:
        pictures = np.stack(list(images))
        noise = pictures[:, -1, :2] / np.float32(100)
        return np.concatenate([self._heights(pictures), noise], axis=1).astype(np.float32)


def teach(images: np.ndarray, texts: Sequence[str], what: str, progress: PhaseProgress) -> BarReader:
    """A reader that knows the characters it was shown."""
    assert len(images) == len(texts)
    return BarReader("".join(sorted(set("".join(texts)))))


@pytest.fixture(scope="module")
def real() -> RealData:
    texts = CODE.draw(160, [2, 3], 0)
    held = CODE.draw(70, [2, 3], 1)
    return RealData(
        drawn(texts, 2),
        drawn(held, 3),
        CODE.encode(texts).astype(np.int8),
        CODE.encode(held).astype(np.int8),
        attribute_names=tuple(f"{p}:{c}" for p in range(3) for c in CODE.characters),
    )


@pytest.fixture(scope="module")
def judge() -> TextJudge:
    return TextJudge(BarReader(), CODE.encode, lambda n, seed: CODE.draw(n, [2, 3], seed), CODE.decode, teach)


def generator(name: str, change: dict[str, str]) -> Candidate:
    """One that draws some characters as others."""
    table = str.maketrans(change)

    def sampler(conditions: np.ndarray | None, count: int, seed: int) -> np.ndarray:
        assert conditions is not None
        return drawn([text.translate(table) for text in CODE.decode(conditions)], seed % 1000 + 9)

    return Candidate(name, sampler, labelled=True)


@pytest.fixture(scope="module")
def evaluation(real: RealData, judge: TextJudge) -> Evaluation:
    honest, liar = generator("honest", {}), generator("liar", {"A": "B", "B": "C", "C": "D", "D": "A"})
    return Evaluator(real, {}, CONFIG, texts=judge).run([honest, liar, generator("half", {"A": "D"})])


def result(evaluation: Evaluation, name: str) -> CandidateResult:
    return next(r for r in evaluation.results if r.name == name)


def test_samples_are_read_by_the_texts_that_were_asked_for(evaluation: Evaluation) -> None:
    honest, liar, half = (result(evaluation, name) for name in ("honest", "liar", "half"))
    assert honest.figures["texts"].value == honest.figures["characters"].value == 1
    assert present(honest.baseline["texts"]).value == 1
    assert liar.figures["texts"].value == 0
    assert "wrong class" in liar.verdict.faults
    assert 0.2 < half.figures["texts"].value < 0.6  # texts without an A
    assert 0.65 < half.figures["characters"].value < 0.85
    assert "100.0 % of its captchas read as asked (real ones: 100.0 %)" in honest.verdict.sentence


def test_distances_are_measured_in_the_judges_features_on_the_same_texts(evaluation: Evaluation) -> None:
    honest, half = result(evaluation, "honest"), result(evaluation, "half")
    assert half.figures["frechet"].value > 3 * honest.figures["frechet"].value
    assert evaluation.extractors == ("judge of texts",)


def test_a_reader_that_learned_from_samples_alone_is_tested_on_real_captchas(
    real: RealData, judge: TextJudge
) -> None:
    class Wordless(BarReader):
        """Never learns to read an A."""

    def poor(images: np.ndarray, texts: Sequence[str], what: str, progress: PhaseProgress) -> BarReader:
        return Wordless("BCD" if what != "real captchas" else "ABCD")

    other = TextJudge(judge.reader, judge.encode, judge.draw, judge.decode, poor)
    found = Evaluator(real, {}, CONFIG, texts=other).run([generator("honest", {})]).results[0]
    assert found.figures["text_train"].value < 0.7 < present(found.baseline["text_train"]).value == 1


def test_samples_that_teach_are_of_other_texts_than_the_training_captchas(
    real: RealData, judge: TextJudge
) -> None:
    """Else a generator that knows these by heart, and draws no others, would teach as well as they do."""
    few = replace(real, train=real.train[:40], train_conditions=np.asarray(real.train_conditions)[:40])
    learned: list[str] = []

    def noting(images: np.ndarray, texts: Sequence[str], what: str, progress: PhaseProgress) -> BarReader:
        learned.extend(texts if what == "honest" else ())
        return teach(images, texts, what, progress)

    Evaluator(few, {}, CONFIG, texts=replace(judge, teach=noting)).run([generator("honest", {})])
    assert len(learned) == 40
    assert set(learned) - set(CODE.decode(np.asarray(few.train_conditions)))


def test_report_shows_captchas_with_what_is_read(evaluation: Evaluation) -> None:
    report = Report("verdict", evaluation, None, "captcha", "captcha-lab eval", [])
    page = report_html(report)
    assert "Whole captchas" in page
    assert page.count('title="asked: ') >= 60
    facts = json.loads(json.dumps(report_json(report)))
    assert facts["leaderboard"][0]["figures"]["texts"]["value"] == 1
    assert next(iter(facts["floors"].values()))["texts"]["value"] == 1
