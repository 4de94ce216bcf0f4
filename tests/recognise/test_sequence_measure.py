"""How a sequence reader is measured: unknown characters, calibrated confidences of texts and of characters."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_lab.recognise.sequence.measure import (
    LEAST_LIKELY,
    TEMPERATURES,
    calibrated,
    evaluation,
    share_right,
)
from captcha_lab.recognise.sequence.reader import SequenceFacts, SequenceReader
from tests.recognise.captchas import draw_set, random_texts

CLASSES = tuple("0123456789")
COUNT = 200


class FixedReader(SequenceReader):
    """Reads "5" with one probability, whatever it is given."""

    def __init__(self, probability: float, temperature: float = 1.0) -> None:
        facts = SequenceFacts(CLASSES, CLASSES, temperature=temperature)
        super().__init__(facts.network(), facts)
        rest = (1 - probability) / len(CLASSES)
        column = np.full(1 + len(CLASSES), rest)
        column[1 + CLASSES.index("5")] = probability
        self.logits = np.log(column)

    def scores(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        scores = self.logits / self.facts.temperature
        scores = (scores - np.logaddexp.reduce(scores)).astype(np.float32)
        return [scores[None]] * len(pictures)


@pytest.mark.parametrize(("probability", "share"), [(0.98, 0.6), (0.6, 0.95), (0.8, 0.8)])
def test_confidences_become_the_share_that_is_right(probability: float, share: float) -> None:
    right = round(share * COUNT)
    data = draw_set(["5"] * right + ["6"] * (COUNT - right))
    temperature = calibrated(FixedReader(probability), data)
    reading = FixedReader(probability, temperature).read(data.images[:1])[0]
    assert reading.text == "5"
    assert reading.confidence == pytest.approx(share, abs=0.05)
    assert reading.per_character == pytest.approx([share], abs=0.05)


def test_few_held_out_captchas_move_confidences_little() -> None:
    temperature = calibrated(FixedReader(0.9), draw_set(["6", "6"]))
    assert TEMPERATURES[0] < temperature < 2
    assert TEMPERATURES[0] < calibrated(FixedReader(0.9), draw_set([])) < 2


def test_characters_it_does_not_know_count_as_read_wrong() -> None:
    data = draw_set([*random_texts(3, "猫x", (2,)), "5"])
    figures = evaluation(FixedReader(0.9), data)
    assert figures["validation_accuracy"] == 0.25
    assert np.isfinite(figures["validation_loss"])
    found = share_right(FixedReader(0.9), data)
    assert found is not None
    assert found.value == 0.25
    assert evaluation(FixedReader(0.9), draw_set([])) == {}


def test_a_wrong_label_counts_no_more_the_surer_a_reader_is() -> None:
    """Else the weights chosen by the loss are those that are unsure of everything."""
    wrong = draw_set(["6"])
    losses = [evaluation(FixedReader(sure), wrong)["validation_loss"] for sure in (0.5, 0.999, 1 - 1e-9)]
    assert losses[0] < losses[1] == losses[2] == -LEAST_LIKELY
