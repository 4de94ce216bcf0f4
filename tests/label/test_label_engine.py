"""The engine: what it asks, what an answer does, undo, the audit's trace in the log, the panel."""

from dataclasses import replace

import numpy as np
import pytest

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.label.proposals.lookalikes import LookAlikes, find_look_alikes
from captcha_lab.label.questions.glyphs.engine import GlyphEngine
from captcha_lab.label.questions.glyphs.queues import GLYPH_QUEUES
from captcha_lab.label.questions.types import LabelConfig, Member, Question
from captcha_lab.label.simulate import Labeller, memory_log, places_of, play, simulate
from captcha_lab.store.catalog.labels import StaleRevisionError

TEXT = "2345"
ALPHABET = Alphabet(TEXT)


def drawn(count: int, seed: int = 0, characters: str = TEXT) -> tuple[np.ndarray, list[str]]:
    """Glyphs uint8 [N, 20, 20] of the built-in endpoint and their labels."""
    from captcha_lab.collect.endpoint.classic import render
    from captcha_lab.segment import Segmenter

    random = np.random.default_rng(seed)
    texts = ["".join(random.choice(list(characters), 4)) for _ in range(count // 4)]
    images = [render(text, random) for text in texts]
    return np.concatenate(Segmenter().cut(images)), list("".join(texts))


@pytest.fixture(scope="module")
def glyphs() -> tuple[np.ndarray, list[str]]:
    return drawn(240)


@pytest.fixture(scope="module")
def look(glyphs: tuple[np.ndarray, list[str]]) -> LookAlikes:
    return find_look_alikes(glyphs[0], np.arange(len(glyphs[0])) % 4)


@pytest.fixture
def engine(glyphs: tuple[np.ndarray, list[str]], look: LookAlikes) -> GlyphEngine:
    places = places_of(len(glyphs[0]), 4)
    return GlyphEngine(glyphs[0], places, ALPHABET, memory_log(places), look=look)


def test_one_key_labels_all_look_alikes(engine: GlyphEngine, glyphs: tuple[np.ndarray, list[str]]) -> None:
    item = engine.questions("seed")[0]
    assert len(item.members) > 1
    value = glyphs[1][item.members[0].row]
    outcome = engine.answer(item.answer(value))
    current = engine.log.current()
    assert {place: label.value for place, label in current.items()} == {m.target: value for m in item.members}
    assert [label.source for label in current.values()].count("human") == 1
    assert outcome.revision == engine.log.revision
    assert engine.panel().keystrokes == 1


def test_a_stray_is_thrown_out(engine: GlyphEngine) -> None:
    item = engine.questions("seed")[0]
    stray = item.members[-1].target
    engine.answer(item.answer("2", left_out=frozenset({stray})))
    assert stray not in engine.log.current()


def test_a_key_against_a_sure_proposal_labels_one_glyph_only(
    engine: GlyphEngine, glyphs: tuple[np.ndarray, list[str]]
) -> None:
    play(engine, Labeller(glyphs[1], ALPHABET), 6, ("seed",))
    sure = [i for i in engine.questions("seed", 99) if i.members[0].confidence > 0.9 and len(i.members) > 1]
    item = sure[0]
    wrong = next(c for c in TEXT if c != item.proposal)
    before = len(engine.log.current())
    engine.answer(item.answer(wrong))
    assert len(engine.log.current()) == before + 1


def test_undo_restores_labels_and_proposals(engine: GlyphEngine) -> None:
    first = engine.questions("seed")[0]
    engine.answer(first.answer("2"))
    assert engine.log.undo() is not None
    assert engine.log.current() == {}
    assert engine.questions("seed")[0].id == first.id


def test_stale_and_repeated_answers_change_nothing(engine: GlyphEngine) -> None:
    item, other = engine.questions("seed", 2)
    answer = replace(item.answer("2"), token="t")
    first = engine.answer(answer)
    assert engine.answer(answer).act_id == first.act_id
    with pytest.raises(StaleRevisionError):
        engine.answer(other.answer("3"))
    assert set(engine.log.current()) == {member.target for member in item.members}


def test_labels_outside_the_alphabet_and_unknown_queues_are_refused(engine: GlyphEngine) -> None:
    with pytest.raises(UsageError, match="not in the alphabet"):
        engine.answer(engine.questions("seed")[0].answer("Q"))
    with pytest.raises(UsageError, match="no queue"):
        engine.questions("best")
    with pytest.raises(CaptchaLabError, match="segment"):
        GlyphEngine(np.zeros((0, 20, 20), np.uint8), [], ALPHABET, engine.log)


def test_another_program_s_labels_are_seen(engine: GlyphEngine) -> None:
    from captcha_lab.store.catalog.labels import LabelEvent

    engine.log.record("captcha", [LabelEvent(1, p, "2") for p in range(4)])
    assert engine.panel().labelled == 4
    assert engine.readings()[1].text == "2222"


def test_a_page_is_one_act_and_reaches_what_its_tiles_stand_for(
    engine: GlyphEngine, glyphs: tuple[np.ndarray, list[str]]
) -> None:
    play(engine, Labeller(glyphs[1], ALPHABET), 6, ("seed",))
    page = engine.questions("grid")[0]
    confidences = [m.confidence for m in page.members]
    assert confidences == sorted(confidences)
    assert {m.proposal for m in page.members} == {page.proposal}
    before, acts = len(engine.log.current()), engine.log.revision
    engine.answer(page.answer())
    assert len(engine.log.current()) == before + sum(m.stands_for for m in page.members)
    assert engine.log.revision == acts + 1


def asked(member: Member, queue: str = "uncertain") -> Question:
    """A question about one glyph."""
    return Question("asked", queue, "glyph", (member,), None, 0.0, 0)  # type: ignore[arg-type]


def test_not_a_glyph_is_a_label_and_never_proposed(engine: GlyphEngine) -> None:
    engine.answer(replace(asked(Member(0, 1, 0)).answer(""), expected_revision=None))
    assert engine.log.current()[1, 0].value == ""
    play(engine, Labeller(["2"] * 240, ALPHABET), 3, ("seed",))
    assert "" not in {m.proposal for q in engine.questions("uncertain", 50) for m in q.members}
    assert len(engine.readings()[1].text) == 3


def test_excluded_items_are_skipped(engine: GlyphEngine) -> None:
    first, second = engine.questions("seed", 2)
    assert engine.questions("seed", 1, {first.id})[0].id == second.id


def test_the_audit_is_blind_and_the_log_tells_how_it_went(
    engine: GlyphEngine, glyphs: tuple[np.ndarray, list[str]]
) -> None:
    truth = glyphs[1]
    play(engine, Labeller(truth, ALPHABET), 40, ("seed", "grid"))
    for k in range(12):
        item = engine.questions("audit")[0]
        member = item.members[0]
        assert (member.label, member.proposal, item.proposal) == (None, None, None)
        right = truth[member.row]
        engine.answer(item.answer(right if k else next(c for c in TEXT if c != right)))
    audit = engine.panel().audit
    assert (audit.source, audit.trials) == ("audit", 12)
    assert audit.value == pytest.approx(11 / 12)
    assert audit.low < 11 / 12 < audit.high
    engine.log.undo()
    assert engine.panel().audit.trials == 11
    engine.refresh()
    assert engine.panel().audit.trials == 11


def test_suspects_leave_the_queue_when_settled(
    engine: GlyphEngine, glyphs: tuple[np.ndarray, list[str]]
) -> None:
    play(engine, Labeller(glyphs[1], ALPHABET), 40, ("seed", "grid"))
    shape = engine._state.rows_of_shape[int(np.argmax(engine._state.look.size))]
    place = engine._state.places[int(shape[0])]
    wrong = next(c for c in TEXT if c != glyphs[1][int(shape[0])])
    engine.answer(replace(asked(Member(0, *place)).answer(wrong), expected_revision=None))
    engine.retrain()
    found = {item.members[0].target: item for item in engine.questions("suspects", 99)}
    assert found[place].proposal == glyphs[1][int(shape[0])]
    engine.answer(found[place].answer(wrong))  # the person insists
    engine.retrain()
    assert place not in {item.members[0].target for item in engine.questions("suspects", 99)}


def test_panel_says_what_to_do_and_when_to_stop(
    engine: GlyphEngine, glyphs: tuple[np.ndarray, list[str]]
) -> None:
    start = engine.panel()
    assert (start.stop, start.labelled, start.best_queue) == (False, 0, "seed")
    play(engine, Labeller(glyphs[1], ALPHABET), 99, ("seed", "uncertain", "grid"))
    end = engine.panel()
    assert end.labelled == end.total
    assert end.stop
    assert end.estimate.value > 0.999
    assert [p.labels for p in end.curve] == sorted(p.labels for p in end.curve)


def test_every_queue_s_worth_and_count_agree_with_its_items(
    engine: GlyphEngine, glyphs: tuple[np.ndarray, list[str]]
) -> None:
    play(engine, Labeller(glyphs[1], ALPHABET), 8, ("seed",))
    queues = {q.name: q for q in engine.queues()}
    assert tuple(queues) == GLYPH_QUEUES
    for name in ("seed", "grid", "suspects", "audit"):
        items = engine.questions(name, 1000)
        assert len(items) == queues[name].count
        assert not items or items[0].worth == pytest.approx(queues[name].worth)


def test_four_keys_are_enough_for_four_characters(
    engine: GlyphEngine, glyphs: tuple[np.ndarray, list[str]]
) -> None:
    curve = play(engine, Labeller(glyphs[1], ALPHABET), 8, ("seed", "uncertain", "grid"))
    keys = curve.keys_to(0.99)
    assert keys is not None
    assert keys <= 6


def test_slips_cost_accuracy_but_not_the_session(
    engine: GlyphEngine, glyphs: tuple[np.ndarray, list[str]]
) -> None:
    curve = play(engine, Labeller(glyphs[1], ALPHABET, 0.2), 60, ("seed", "uncertain", "grid"))
    assert curve.points[-1].keystrokes <= 60
    assert curve.points[-1].accuracy > 0.8
    with pytest.raises(UsageError, match="error-rate"):
        simulate(*glyphs, ALPHABET, error_rate=1.0)


def test_noisy_glyphs_get_a_reader() -> None:
    glyphs, truth = drawn(480, seed=3)
    noise = np.random.default_rng(0).random(glyphs.shape) < 0.04
    glyphs = np.where(noise, np.uint8(60), glyphs)
    config = LabelConfig(max_shapes=100, retrain_after=8)
    curve = simulate(glyphs, truth, ALPHABET, most_keys=24, queues=("seed", "uncertain"), config=config)
    assert curve.points[-1].accuracy > 0.97


def test_all_proposals_are_accepted_in_one_act_and_undone_in_one(
    engine: GlyphEngine, glyphs: tuple[np.ndarray, list[str]]
) -> None:
    assert engine.accept_rest(token="early") is None  # nothing was proposed yet
    play(engine, Labeller(glyphs[1], ALPHABET), 6, ("seed",))
    before, panel, proposed = engine.log.current(), engine.panel(), engine.best_labels()
    assert panel.waiting == panel.total - panel.labelled > 0
    assert 0.5 < panel.waiting_right <= 1.0
    outcome = engine.accept_rest(token="all", expected_revision=engine.log.revision)
    assert outcome is not None
    assert len(outcome.targets) == panel.waiting
    assert [engine.log.current()[p].value for p in engine._state.places] == proposed
    assert engine.panel().waiting == 0
    again = engine.accept_rest(token="all", expected_revision=outcome.revision - 1)  # the answer got lost
    assert again is not None
    assert again.act_id == outcome.act_id
    with pytest.raises(StaleRevisionError):
        engine.log.undo(expected_revision=outcome.revision - 1)
    engine.log.undo()
    assert {p: v.value for p, v in engine.log.current().items()} == {p: v.value for p, v in before.items()}


def test_the_curve_ends_where_the_estimate_stands(
    engine: GlyphEngine, glyphs: tuple[np.ndarray, list[str]]
) -> None:
    play(engine, Labeller(glyphs[1], ALPHABET), 12, ("seed", "uncertain"))
    panel = engine.panel()
    assert (panel.curve[-1].labels, panel.curve[-1].accuracy) == (panel.by_hand, panel.estimate.value)
    assert all(point.accuracy <= panel.estimate.value + 1e-9 for point in panel.curve)
    assert panel.target == LabelConfig().stop_at
