"""A mistyped key is found out by the keys that follow, and costs a key or two, not a class."""

from __future__ import annotations

import numpy as np
import pytest

from captcha_lab.alphabet import Alphabet
from captcha_lab.label.proposals.lookalikes import LookAlikes, find_look_alikes
from captcha_lab.label.proposals.slips import posterior, weigh_keys
from captcha_lab.label.questions.glyphs import seeds
from captcha_lab.label.questions.glyphs.engine import GlyphEngine
from captcha_lab.label.simulate import Labeller, best_question, memory_log, places_of, play
from tests.helpers import present
from tests.label.test_label_engine import drawn

TEXT = "ACEHKMPT"
ALPHABET = Alphabet(TEXT)
QUEUES = ("seed", "uncertain", "grid")


@pytest.fixture(scope="module")
def drawings() -> tuple[np.ndarray, list[str], LookAlikes]:
    glyphs, truth = drawn(480, seed=5, characters=TEXT)
    return glyphs, truth, find_look_alikes(glyphs, np.arange(len(glyphs)) % 4)


@pytest.fixture
def engine(drawings: tuple[np.ndarray, list[str], LookAlikes]) -> GlyphEngine:
    glyphs, _, look = drawings
    places = places_of(len(glyphs), 4)
    return GlyphEngine(glyphs, places, ALPHABET, memory_log(places), look=look)


class ClumsyOnce(Labeller):
    """Mistypes the key after so many right ones, and no other."""

    def __init__(self, truth: list[str], slip_at: int, hits: str) -> None:
        super().__init__(truth, ALPHABET)
        self.keys, self.slip_at, self.hits = 0, slip_at, hits

    def sees(self, row: int) -> str:
        self.keys += 1
        right = self.truth[row]
        return self.hits if self.keys == self.slip_at + 1 and self.hits != right else right


def wrong_after(engine: GlyphEngine, truth: list[str], slip_at: int, keys: int) -> int:
    hits = truth[engine.questions("seed")[0].members[0].row]  # the character that the first key was for
    if slip_at == 0:
        hits = next(c for c in TEXT if c != hits)
    labels = play(engine, ClumsyOnce(truth, slip_at, hits), keys, QUEUES).labels
    return sum(a != b for a, b in zip(labels, truth, strict=True))


@pytest.mark.parametrize("slip_at", [0, 1, 3, 4])
def test_a_slip_on_a_seed_key_is_found_and_mended(
    engine: GlyphEngine, drawings: tuple[np.ndarray, list[str], LookAlikes], slip_at: int
) -> None:
    assert wrong_after(engine, drawings[1], slip_at, 12) <= 2


def test_without_second_looks_the_slip_stays(
    engine: GlyphEngine,
    drawings: tuple[np.ndarray, list[str], LookAlikes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seeds, "CHECK_WORTH", float("inf"))
    assert wrong_after(engine, drawings[1], 4, 12) > 10


def test_no_key_is_asked_twice_while_all_fit(
    engine: GlyphEngine, drawings: tuple[np.ndarray, list[str], LookAlikes]
) -> None:
    labeller, asked = Labeller(drawings[1], ALPHABET), []
    for _ in range(12):
        item = best_question(engine, QUEUES)
        assert item is not None
        asked.append(item.id)
        engine.answer(labeller.answer(item))
    assert [name for name in asked if name.startswith("check-")] == []


def test_a_second_look_is_blind_and_mends_in_one_act(
    engine: GlyphEngine, drawings: tuple[np.ndarray, list[str], LookAlikes]
) -> None:
    truth, labeller = drawings[1], Labeller(drawings[1], ALPHABET)
    for _ in range(3):
        engine.answer(labeller.answer(engine.questions("seed")[0]))
    slipped = engine.questions("seed")[0]
    other = truth[next(k for k, v in enumerate(engine._state.sources) if v == "human")]
    engine.answer(slipped.answer(other))
    for _ in range(12):
        item = engine.questions("seed")[0]
        if item.id.startswith("check-") and engine._state.look.shape_of[item.members[0].row] == int(
            engine._state.look.shape_of[slipped.members[0].row]
        ):
            break
        engine.answer(labeller.answer(item))
    else:
        pytest.fail("no second look was asked for")
    assert (item.proposal, item.members[0].proposal, item.members[0].label) == (None, None, None)
    assert engine.panel().estimate.value < 0.97  # what rests on a doubtful key is not counted as right
    assert not engine.panel().stop
    before = engine.log.current()
    outcome = engine.answer(labeller.answer(item))
    after = engine.log.current()
    assert all(
        after[member.image_id, present(member.position)].value == truth[member.row]
        for member in slipped.members
    )
    assert outcome.settled == sum(before[p].value != after[p].value for p in before) - 1
    engine.log.undo()
    assert {p: label.value for p, label in engine.log.current().items()} == {
        p: label.value for p, label in before.items()
    }


def test_two_keys_outweigh_one_and_the_others_decide_a_tie() -> None:
    prior = np.array([[0.9, 0.05, 0.05]])
    assert posterior(prior, np.array([[1.0, 2.0, 0.0]]), 0.01).argmax() == 1
    assert posterior(prior, np.array([[1.0, 1.0, 0.0]]), 0.01).argmax() == 0
    assert posterior(prior, np.array([[0.0, 1.0, 0.0]]), 0.01)[0, 1] > 0.9


def test_a_key_that_no_other_contradicts_is_believed(
    drawings: tuple[np.ndarray, list[str], LookAlikes],
) -> None:
    _, truth, look = drawings
    counts = np.zeros((len(look.size), len(TEXT)))
    for k, character in enumerate(TEXT):
        shapes = {int(look.shape_of[row]) for row, value in enumerate(truth) if value == character}
        counts[max(shapes, key=lambda shape: look.size[shape]), k] = 1
    assert weigh_keys(look, counts, counts, 0.01).wrong.max() < 0.01
    labelled = np.flatnonzero(counts.sum(axis=1))
    counts[labelled[0]] = counts[labelled[1]]  # one letter twice for unlike shapes, one not at all
    keys = weigh_keys(look, counts, counts, 0.01)
    assert np.flatnonzero(keys.wrong > 0.1).tolist() == [0, 1]
