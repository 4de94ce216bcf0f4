"""Questions about whole captchas: any length, pages, checks, the audit, and what a learning reader saves in keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import UsageError
from captcha_lab.label.questions.fit import length_agreement
from captcha_lab.label.questions.protocol import Progress, Readings
from captcha_lab.label.questions.texts.calibration import Calibration
from captcha_lab.label.questions.texts.engine import TEXT_QUEUES, TextEngine
from captcha_lab.label.questions.texts.proposer import TrainedProposer
from captcha_lab.label.questions.types import LabelConfig, Question
from captcha_lab.label.simulate import Labeller, memory_log, mending_keys, play, simulate_texts
from captcha_lab.recognise.contract import Reading
from captcha_lab.store.catalog.labels import StaleRevisionError

CHARACTERS = "abcdefgh23"
COUNT = 120
QUEUES = ("grid", "captcha")


def texts_of(count: int, seed: int = 0) -> list[str]:
    """Texts of three to six characters."""
    random = np.random.default_rng(seed)
    return ["".join(random.choice(list(CHARACTERS), random.integers(3, 7))) for _ in range(count)]


class Apprentice:
    """Reads a text right where its characters were labelled often enough, and knows how sure it is."""

    name, learns = "an apprentice", True

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.trainings = 0

    def _read(self, image_id: int, known: Mapping[int, str]) -> Reading:
        text = self.texts[image_id - 1]
        seen = "".join(known.values())
        sure = [1 - 0.5 / (1 + seen.count(character)) for character in text]
        wrong = [share < 0.8 and (image_id + k) % 3 == 0 for k, share in enumerate(sure)]
        read = "".join("a" if slip else character for slip, character in zip(wrong, text, strict=True))
        return Reading(read, float(np.prod(sure)), tuple(sure))

    def read(self, images: Sequence[int], progress: Progress) -> Readings:
        return {k: self._read(k, {}) for k in images}

    def propose(self, images: Sequence[int], texts: Mapping[int, str], progress: Progress) -> Readings:
        self.trainings += 1
        return {k: self._read(k, texts) for k in images}

    def cross_read(self, images: Sequence[int], texts: Mapping[int, str]) -> Readings:
        return {k: Reading(self.texts[k - 1], 0.99) for k in texts}


@pytest.fixture
def texts() -> list[str]:
    return texts_of(COUNT)


@pytest.fixture
def engine(texts: list[str]) -> TextEngine:
    images = range(1, COUNT + 1)
    made = TextEngine(images, memory_log([(k, 0) for k in images]), Alphabet(CHARACTERS))
    made.proposer = Apprentice(texts)
    made.retrain()
    return made


def ask(engine: TextEngine, queue: str = "captcha") -> Question:
    return engine.questions(queue)[0]


def test_a_text_is_one_event_of_any_length_and_its_case_is_the_alphabet_s(engine: TextEngine) -> None:
    for text, saved in (("ABC", "abc"), ("abcdefgh2", "abcdefgh2"), ("9xZ", "9xZ"), ("e\u0301a", "éa")):
        question = ask(engine)
        engine.answer(question.answer(text))
        image_id, position = question.members[0].target
        assert position is None
        assert engine.log.texts()[image_id] == saved
        assert question.id not in {q.id for q in engine.questions("captcha", COUNT)}
    engine.folded = False
    question = ask(engine)
    engine.answer(question.answer("aBC"))
    assert engine.log.texts()[question.members[0].image_id] == "aBC"


def test_case_is_learned_where_nobody_named_the_alphabet() -> None:
    def saved(*, reader: bool, texts: Sequence[str]) -> list[str | None]:
        engine = TextEngine(range(1, 9), memory_log([(k, 0) for k in range(1, 9)]), Alphabet("ABCDEFGH"))
        engine.assumed = True
        engine.proposer = Apprentice(["abc"] * 8) if reader else None
        return [engine.answer(ask(engine).answer(text)).value for text in texts]

    assert saved(reader=False, texts=["abc", "aBc"]) == ["ABC", "aBc"]  # capitals tell that case matters
    assert saved(reader=True, texts=["abc", "aBc"]) == ["abc", "aBc"]  # as the reader's proposals have it


@pytest.mark.parametrize("text", ["a b", "a" * 65, "a\x00", "a\u202e"])
def test_what_no_captcha_shows_is_refused(engine: TextEngine, text: str) -> None:
    with pytest.raises(UsageError, match="nothing was saved"):
        engine.answer(ask(engine).answer(text))
    assert engine.log.texts() == {}


def test_what_no_human_can_read_is_marked_and_left_out(engine: TextEngine) -> None:
    question = ask(engine)
    engine.answer(question.answer(""))
    image_id = question.members[0].image_id
    assert engine.log.text_labels()[image_id].value == ""
    assert image_id not in engine.log.texts()
    assert engine.panel().labelled == 1


def test_only_proposals_above_even_odds_are_offered(engine: TextEngine) -> None:
    questions = engine.questions("captcha", COUNT)
    assert {q.proposal is None for q in questions} == {True}  # the apprentice has seen nothing yet
    for _ in range(30):
        engine.answer(Labeller(engine.proposer.texts, engine.alphabet).answer(ask(engine)))  # type: ignore[union-attr]
    engine.retrain()
    questions = engine.questions("captcha", COUNT)
    assert all((q.proposal is not None) == (q.members[0].confidence >= 0.5) for q in questions)
    assert any(q.proposal is not None for q in questions)


def test_a_page_is_one_act_with_its_strays_retyped_and_one_undo_takes_it_back(
    engine: TextEngine, texts: list[str]
) -> None:
    labeller = Labeller(texts, engine.alphabet)
    for _ in range(40):
        engine.answer(labeller.answer(ask(engine)))
    engine.retrain()
    page = ask(engine, "grid")
    sure = [member.confidence for member in page.members]
    assert sure == sorted(sure)
    assert min(sure) >= 0.8
    before = engine.log.texts()
    stray, left = page.members[0].target, page.members[1].target
    engine.answer(page.answer(left_out=frozenset({left}), corrections={stray: "gg"}))
    after = engine.log.text_labels()
    assert len(after) == len(before) + len(page.members) - 1
    assert (after[stray[0]].value, after[stray[0]].source) == ("gg", "human")
    assert left[0] not in after
    assert all(after[m.image_id].value == m.proposal for m in page.members[2:])
    assert all(after[m.image_id].source == "batch" for m in page.members[2:])
    engine.log.undo()
    assert engine.log.texts() == before


def test_one_tile_of_a_page_is_saved_alone(engine: TextEngine, texts: list[str]) -> None:
    play(engine, Labeller(texts, engine.alphabet), 120, ("captcha",))
    page = ask(engine, "grid")
    engine.answer(replace(page.only(page.members[0].target).answer("gg")))
    assert engine.log.texts()[page.members[0].image_id] == "gg"


def test_a_stale_answer_and_a_repeated_one_change_nothing(engine: TextEngine) -> None:
    first, second = engine.questions("captcha", 2)
    answer = replace(first.answer("abc"), token="once")
    act = engine.answer(answer).act_id
    assert engine.answer(answer).act_id == act
    with pytest.raises(StaleRevisionError):
        engine.answer(second.answer("abc"))
    assert len(engine.log.texts()) == 1


def test_labels_that_a_reader_without_them_disputes_are_checked(engine: TextEngine, texts: list[str]) -> None:
    labeller = Labeller(texts, engine.alphabet)
    for _ in range(20):
        engine.answer(labeller.answer(ask(engine)))
    slipped = ask(engine)
    engine.answer(slipped.answer("hhhhhh"))
    engine.check()
    suspects = engine.questions("suspects", COUNT)
    assert [q.members[0].target for q in suspects] == [slipped.members[0].target]
    assert suspects[0].proposal == texts[slipped.members[0].image_id - 1]
    engine.answer(suspects[0].answer("hhhhhh"))  # the person insists
    assert engine.questions("suspects") == []


def test_the_audit_is_blind_and_counts(engine: TextEngine, texts: list[str]) -> None:
    labeller = Labeller(texts, engine.alphabet)
    for _ in range(12):
        engine.answer(labeller.answer(ask(engine)))
    for k in range(6):
        question = ask(engine, "audit")
        member = question.members[0]
        assert (member.label, member.proposal, question.proposal) == (None, None, None)
        engine.answer(question.answer(texts[member.image_id - 1] if k else "zzz"))
    audit = engine.panel().audit
    assert audit.trials == 6
    assert audit.value == pytest.approx(5 / 6)


def test_counts_and_worth_agree_with_the_questions(engine: TextEngine, texts: list[str]) -> None:
    play(engine, Labeller(texts, engine.alphabet), 60, QUEUES)
    queues = {queue.name: queue for queue in engine.queues()}
    assert tuple(queues) == TEXT_QUEUES
    for name, queue in queues.items():
        questions = engine.questions(name, COUNT)
        assert len(questions) == queue.count
        assert not questions or questions[0].worth == pytest.approx(queue.worth)


def test_the_next_few_questions_differ_from_each_other() -> None:
    texts = ["aaaa"] * 30 + ["bcde"] * 30
    images = range(1, 61)
    engine = TextEngine(images, memory_log([(k, 0) for k in images]), Alphabet(CHARACTERS))
    engine.proposer = Apprentice(texts)
    engine.retrain()
    shown = {q.members[0].proposal for q in engine.questions("captcha", 4)}
    assert len(shown) > 1


def test_a_reader_that_learns_saves_keys(engine: TextEngine, texts: list[str]) -> None:
    curve = play(engine, Labeller(texts, engine.alphabet), 10_000, QUEUES)
    keys = curve.keys_to(0.99)
    typing = sum(len(text) + 1 for text in texts)
    assert keys is not None
    assert keys < typing / 3
    assert engine.panel().labelled == COUNT
    assert curve.points[-1].accuracy == 1.0


def test_slips_cost_no_more_than_themselves(engine: TextEngine, texts: list[str]) -> None:
    curve = play(engine, Labeller(texts, engine.alphabet, 0.02), 10_000, QUEUES)
    assert curve.points[-1].accuracy > 0.9


def test_mistyped_texts_are_found_and_asked_again(texts: list[str]) -> None:
    def played(rate: float) -> float:
        proposer = Apprentice(texts)
        curve = simulate_texts(texts, Alphabet(CHARACTERS), proposer, error_rate=rate, most_keys=10_000)
        if rate:
            assert "suspects" in {point.queue for point in curve.points}
        return curve.points[-1].accuracy

    assert played(0.0) == 1.0
    assert played(0.05) == 1.0


def test_mending_costs_an_arrow_the_characters_and_enter() -> None:
    assert mending_keys("abcd", "abcd", ()) == 1
    assert mending_keys("abxd", "abcd", (0.9, 0.9, 0.4, 0.9)) == 3  # arrow, c, Enter
    assert mending_keys("abxd", "abcd", (0.4, 0.9, 0.9, 0.9)) == 5  # two more arrows
    assert mending_keys("xbxd", "abcd", (0.1, 0.9, 0.2, 0.9)) == 5  # arrow, a, arrow, c, Enter


def test_confidences_follow_the_answers() -> None:
    calibration, reading = Calibration(), Reading("abc", 0.3, (0.7, 0.7, 0.6))
    assert calibration.apply([reading])[0].confidence == pytest.approx(0.3)
    for _ in range(20):
        calibration.observe(0.3, right=True)
    calibration.fit()
    raised = calibration.apply([reading])[0]
    assert raised.confidence > 0.8
    assert all(a > b for a, b in zip(raised.per_character, reading.per_character, strict=True))
    for _ in range(60):
        calibration.observe(0.3, right=False)
    calibration.fit()
    assert calibration.apply([reading])[0].confidence < 0.5


def test_a_reader_is_trained_only_on_what_is_known() -> None:
    told: list[list[str]] = []

    class Silent:
        kind, classes = "silent", ("a",)

        def read(self, images: Iterable[Any]) -> list[Reading]:
            return [Reading("", 0.0) for _ in images]

    def train(images: list[np.ndarray], texts: list[str]) -> Silent:
        told.append(texts)
        return Silent()

    taught: list[int] = []

    def teach(images: list[np.ndarray]) -> Silent | None:
        taught.append(len(images))
        return Silent() if len(taught) == 2 else None

    picture = np.zeros((4, 8), np.uint8)
    proposer = TrainedProposer(
        lambda k: None if k == 3 else picture, lambda pictures: Silent(), train, "silent", teach
    )
    images = range(1, 21)
    readable = set(images) - {3}
    assert set(proposer.read(images, lambda done, total: None)) == readable
    assert proposer.propose(images, {1: "a"}, lambda done, total: None) == {}  # it learned nothing by itself
    assert set(proposer.propose(images, {1: "a"}, lambda done, total: None)) == readable
    assert (taught, told) == ([19, 19], [])  # of labels too few to learn from
    known = dict.fromkeys(range(4, 20), "ab")
    proposer.propose(images, known, lambda done, total: None)
    assert len(told[0]) == 19  # the damaged picture is left out
    assert told[0].count("ab") == 16
    proposer.cross_read(images, known)
    assert [texts.count("ab") for texts in told[1:]] == [8, 8]


def test_a_cut_of_another_number_of_cells_does_not_fit() -> None:
    assert length_agreement({}, {1: 4}) == (1.0, "")
    share, why = length_agreement({1: "abcde", 2: "abcd", 3: "abcdef"}, {1: 4, 2: 4, 3: 4})
    assert share == pytest.approx(1 / 3)
    assert why == "texts have 4 to 6 characters, the cut 4 glyphs"


def test_pages_and_retraining_follow_the_settings(texts: list[str]) -> None:
    images = range(1, COUNT + 1)
    config = LabelConfig(texts_on_page=5, retrain_after=10)
    engine = TextEngine(images, memory_log([(k, 0) for k in images]), Alphabet(CHARACTERS), config)
    engine.proposer = apprentice = Apprentice(texts)
    engine.retrain()
    play(engine, Labeller(texts, engine.alphabet), 300, ("captcha",))
    assert 2 <= apprentice.trainings < 12  # each later than the last
    assert all(len(page.members) <= 5 for page in engine.questions("grid", COUNT))


def test_a_reader_learns_by_itself_before_the_first_label(texts: list[str]) -> None:
    """Its better readings are taken, and where it learned nothing the first ones stay."""

    class ByItself(Apprentice):
        def propose(self, images: Sequence[int], texts: Mapping[int, str], progress: Progress) -> Readings:
            self.trainings += 1
            return {k: Reading(self.texts[k - 1], 0.9) for k in images} if self.trainings == 1 else {}

    images = range(1, COUNT + 1)
    engine = TextEngine(images, memory_log([(k, 0) for k in images]), Alphabet(CHARACTERS))
    assert not engine.due(0)
    engine.proposer = reader = ByItself(texts)
    engine.read(lambda done, total: None)
    assert engine.best_labels() != texts
    assert engine.due(0)
    engine.retrain()
    assert engine.best_labels() == texts
    assert not engine.due(0)
    engine.retrain()
    assert reader.trainings == 2
    assert engine.best_labels() == texts
