"""The audit: what each attack reads for its price, what helps, and what is said where nothing is known."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser
from typer.testing import CliRunner

from captcha_lab.cli import app
from captcha_lab.collect.endpoint.config import EndpointConfig
from captcha_lab.collect.endpoint.painter import Painter
from captcha_lab.collect.endpoint.traits import changes
from captcha_lab.collect.scrape.run import STYLE_KEY
from captcha_lab.errors import UsageError
from captcha_lab.evaluate.audit.advice import _guess, _remedy, _trait, grade
from captcha_lab.evaluate.audit.attack import (
    Answers,
    Attack,
    Attacker,
    EffortPoint,
    Milestone,
    milestones,
    spread_text,
    time_text,
)
from captcha_lab.evaluate.audit.audit import (
    Captchas,
    audit,
    character_uniformity,
    cut_facts,
    endpoint_facts,
    shape_facts,
)
from captcha_lab.evaluate.audit.config import AuditConfig
from captcha_lab.evaluate.audit.glyph_attacks import GuidedAttacker, TypedGlyphAttacker
from captcha_lab.evaluate.audit.html import write_audit
from captcha_lab.evaluate.audit.remedies import Remedy
from captcha_lab.evaluate.audit.result import Audit, ShownCaptcha
from captcha_lab.evaluate.audit.table_attack import TableAttacker
from captcha_lab.evaluate.audit.text_attacks import ReadyMadeAttacker
from captcha_lab.evaluate.audit.traits import Redrawn, TraitResult, guess_traits, measure_traits
from captcha_lab.evaluate.reading.glyphs import measure_glyphs
from captcha_lab.metrics.intervals import share_of, wilson
from captcha_lab.pipeline.auditing import _redrawn, _why_no_cells, _with_answers
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.classifier import Classifier
from captcha_lab.recognise.contract import Reading
from captcha_lab.recognise.registry import CaptchaViews, ReaderKind, ReaderReport
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.packed.packed import PackedSet
from captcha_lab.store.packed.texts import TextSet
from captcha_lab.store.runs import Run
from captcha_lab.store.workspace import Workspace
from tests.cli.test_json import KEYS, SOMETIMES, compare
from tests.evaluate.page_checks import check_page
from tests.helpers import present

FLAGS = {k: ["", "", "seam", "fragment"] if k % 2 else [""] * 4 for k in range(375)}


def captchas(world: PackedSet, **facts: int) -> Captchas:
    return Captchas("drawn", 375, 4, world, flags=FLAGS, **facts)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found(world: PackedSet, recogniser: Classifier) -> Audit:
    config = AuditConfig(first=60, epochs=3, remedy_epochs=2)
    reading = measure_glyphs(recogniser, world)
    attackers: list[Attacker] = [TableAttacker(world), TypedGlyphAttacker(world)]
    return audit(captchas(world, received=400, repeats=25), attackers, recogniser, reading, config)


def test_endpoint_by_the_birthday_estimate() -> None:
    assert endpoint_facts(0, 0) is None
    assert present(endpoint_facts(100, 0)).population is None
    assert present(endpoint_facts(100, 10)).population == pytest.approx(495)


def test_shapes_ignore_the_inks_grey() -> None:
    glyphs = np.full((4, 5, 5), 255, np.uint8)
    glyphs[0, 1, 1], glyphs[1, 1, 1], glyphs[2, 2, 2] = 10, 90, 10
    shapes = shape_facts(glyphs)
    assert (shapes.distinct, shapes.unseen_chance) == (3, 0.5)


def test_cuts_and_characters() -> None:
    clean, tally = cut_facts({1: ["", ""], 2: ["seam", "fragment seam"]})
    assert present(clean).value == 0.5
    assert tally == {"seam": 2, "fragment": 1}
    assert character_uniformity(np.arange(100) % 4, 4) == pytest.approx(1)
    assert character_uniformity(np.zeros(100, int), 4) < 1e-6


def test_milestones_count_keystrokes() -> None:
    points = [EffortPoint(n, 5 * n, wilson(right, 100)) for n, right in ((10, 30), (20, 60), (40, 92))]
    reached = milestones(points, AuditConfig(seconds_per_keystroke=0.6))
    assert [(m.keystrokes, m.minutes) for m in reached] == [(100, 1.0), (200, 2.0), (None, None)]
    assert reached[1].effort == "200 keystrokes, 2 minutes of typing"
    assert reached[2].effort == "not reached"
    assert spread_text(reached[1]) == ""
    assert spread_text(Milestone(0.5, 20, 0.2, 20, 20)) == "the same for every labeller"
    assert spread_text(Milestone(0.5, 20, 0.2, 16, None)) == "16 to more than was tried, by labeller"


def test_times_as_people_say_them() -> None:
    assert [time_text(m) for m in (0.0, 0.37, 0.99, 1.0, 1.4, 1.6, 4.2)] == [
        "under a minute", "under a minute", "under a minute", "a minute", "a minute", "2 minutes", "4 minutes"
    ]  # fmt: skip


def test_the_guided_curve_is_a_mean_of_labellers_with_its_spread(world: PackedSet) -> None:
    train = world.part("train")
    assert train.labels is not None
    guess = np.random.default_rng(0).permutation(train.labels)
    right = train.labels.astype(np.int64)
    # Two labellers give the right classes from 20 keys on, the third one only with its 41st.
    labellers = [[(10, guess), (20 + k, right), (40 + k, right)] for k in range(2)]
    labellers += [[(10, guess), (20, guess), (41, right)]]
    config, answers = AuditConfig(epochs=12, seconds_per_keystroke=1.2), Answers.of(world, None)
    attack = GuidedAttacker(world, labellers).attack(answers, config, no_progress)
    assert isinstance(attack, Attack)
    points = attack.points
    assert [p.captchas for p in points] == [210] * 3
    assert points[0].keystrokes == 10
    for point in points:
        assert point.low is not None
        assert point.high is not None
        assert point.low <= point.accuracy.value <= point.high
        assert point.accuracy.trials == 120
    assert (points[1].high or 0) - (points[1].low or 0) > 0.3
    half = attack.milestones[0]
    assert (half.keystrokes, half.low, half.high) == (20, 20, 41)
    assert half.effort == "20 keystrokes, under a minute of typing"
    alone = GuidedAttacker(world, labellers[:1]).attack(answers, config, no_progress)
    assert isinstance(alone, Attack)
    assert alone.points[0].low is None
    assert "No guided labelling" in str(GuidedAttacker(world, []).attack(answers, config, no_progress))


def test_more_labels_read_more(found: Audit) -> None:
    typed = next(attack for attack in found.attacks if attack.name == "glyph reader, typed")
    accuracies = [point.accuracy.value for point in typed.points]
    assert [point.captchas for point in typed.points] == [60, 120, 210]
    assert accuracies[-1] > accuracies[0]
    assert typed.points[0].keystrokes == 300


def test_a_full_audit_says_what_helps(found: Audit, tmp_path: Path) -> None:
    assert found.clean is not None
    assert found.clean.value == pytest.approx(188 / 375)
    assert len(found.remedies) == 4
    assert all(share.value < 1 for _, share in found.resisting)
    assert any("25 of 400 captchas came a second time" in line.text for line in found.advice)
    for remedy in found.remedies:
        line = next(line for line in found.advice if line.text.lower().startswith(remedy.name))
        assert line.helps == (max(remedy.unprepared.value, remedy.prepared.value) < 0.5)
    gains = [line.gain for line in found.advice if line.gain is not None]
    assert gains == sorted(gains, reverse=True)
    json_path, html_path = write_audit(found, tmp_path)
    stored = json.loads(json_path.read_text())
    assert stored["verdict"] == found.verdict
    assert {attack["name"] for attack in stored["attacks"]} == {"look-up table", "glyph reader, typed"}
    page = html_path.read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    for part in ("Grade ", "<h3>Helps</h3>", "<h3>Does not help</h3>", "What reading it costs"):
        assert part in page


@pytest.mark.browser
def test_a_browser_shows_the_audit_on_a_phone_a_desk_and_paper(
    found: Audit, chromium: Browser, tmp_path: Path
) -> None:
    picture = np.full((20, 80, 3), 200, np.uint8)
    shown = [ShownCaptcha(picture, "AB12", {"look-up table": "AB12", "glyph reader, typed": "<8"})]
    scraped = replace(found, shown=shown, url="http://127.0.0.1/captcha", date="2026-01-02")
    _, html = write_audit(scraped, tmp_path)
    check_page(chromium, html)
    tab = chromium.new_page()
    tab.goto(f"file://{html}")
    assert "http://127.0.0.1/captcha, 2026-01-02" in tab.inner_text(".facts")
    assert "✗ glyph reader, typed: <8" in tab.inner_text(".captcha")
    tab.close()


class Blind:
    """Reads the first class everywhere."""

    size = 20

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes

    def probabilities(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.eye(len(self.classes), dtype=np.float32)[np.zeros(len(glyphs), int)]

    def features(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.probabilities(glyphs)

    def examine(self, glyphs: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        return self.features(glyphs), np.zeros(len(glyphs), np.int64)


def test_where_nothing_is_read_no_remedy_is_praised(world: PackedSet) -> None:
    blind = Blind(world.classes)
    config = AuditConfig(first=210, epochs=1)
    attackers = [TypedGlyphAttacker(world)]
    found = audit(captchas(world), attackers, blind, measure_glyphs(blind, world), config)
    assert found.remedies == []
    assert "hardly reads" in found.notes[0]
    assert "withstands every attack" in found.verdict
    assert found.grade is not None
    assert found.grade.letter == "A"


def attack_with(name: str, *points: tuple[int, int]) -> Attack:
    curve = [EffortPoint(keys, keys, wilson(right, 100)) for keys, right in points]
    return Attack(name, "", curve, milestones(curve, AuditConfig()))


@pytest.mark.parametrize(
    ("attacks", "letter"),
    [
        ([attack_with("glyph reader", (50, 20), (400, 49))], "A"),
        ([attack_with("glyph reader", (50, 20), (1400, 60))], "B"),
        ([attack_with("glyph reader", (50, 20), (400, 60))], "C"),
        ([attack_with("glyph reader", (50, 60)), attack_with("sequence reader", (400, 99))], "D"),
        ([attack_with("ready-made reader", (0, 55)), attack_with("glyph reader", (50, 60))], "F"),
        ([attack_with("look-up table", (10, 100))], "F"),
    ],
)
def test_the_grade_is_that_of_the_cheapest_attack(attacks: list[Attack], letter: str) -> None:
    found = grade(attacks)
    assert found is not None
    assert found.letter == letter


class Oracle:
    """Reads every captcha as one text, without a label."""

    kind, classes = "oracle", ("A",)

    def read(self, images: Iterable[Any]) -> list[Reading]:
        return [Reading("AA", 0.9) for _ in images]


def test_a_ready_made_reader_needs_no_key() -> None:
    pictures = {k: np.zeros((4, 4), np.uint8) for k in range(4)}
    answers = Answers({0: "AA", 1: "AA", 2: "AA", 3: "B"}, pictures)
    attack = ReadyMadeAttacker(Oracle()).attack(answers, AuditConfig(), no_progress)
    assert isinstance(attack, Attack)
    assert attack.best.value == 0.75
    assert attack.milestones[0].effort == "no keystroke"
    assert attack.readings[3] == "AA"


def test_a_captcha_of_another_length_than_its_cells_is_not_read(world: PackedSet) -> None:
    answers = Answers.of(world, None)
    longer = Answers({number: text + "A" for number, text in answers.texts.items()})
    attack = TableAttacker(world).attack(longer, AuditConfig(), no_progress)
    assert isinstance(attack, Attack)
    assert attack.best.value == 0


@pytest.fixture
def plain_captchas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The weakest captcha there is, imported: one font, no noise, every glyph the same each time."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    digits = [np.full((20, 20), 255, np.uint8) for _ in range(10)]
    for digit, picture in enumerate(digits):
        cv2.putText(picture, str(digit), (3, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0, 2)
    for number, text in enumerate(np.random.default_rng(0).integers(0, 10, (150, 4))):
        name = "".join(map(str, text)) + f"_{number}.png"
        cv2.imwrite(str(folder / name), np.hstack([digits[k] for k in text]))
    monkeypatch.chdir(tmp_path)
    quick = partial(AuditConfig, keystrokes=(24,), labellers=1, typed=(25,), typed_steps=5, first=200)
    monkeypatch.setattr("captcha_lab.cli.audit.AuditConfig", quick)  # each reader once, shortly

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, (result.output, result.stderr, result.exception)
        return result.stdout

    call("import", "pictures", "--labels", "filename")
    call("segment", "--glyphs", "4")
    return call


def test_the_weakest_captcha_is_read_from_a_table(plain_captchas: Callable[..., str]) -> None:
    plain_captchas("train", "--reader", "glyph", "--epochs", "4", "--name", "mine")
    said = json.loads(plain_captchas("audit", "--no-remedies", "--model", "mine", "--json"))
    compare(said, KEYS["audit"])
    mine = next(attack for attack in said["attacks"] if attack["name"] == "reader mine")
    assert mine["points"][0]["keystrokes"] == 5 * said["learned"] == 5 * mine["points"][0]["captchas"]
    table = next(attack for attack in said["attacks"] if attack["name"] == "look-up table")
    assert table["points"][-1]["keystrokes"] < 40  # ten digits, some cut with a neighbour's edge
    assert table["points"][-1]["accuracy"]["value"] == 1
    assert said["grade"]["letter"] == "F"
    assert "look-up table" in said["verdict"]
    assert said["milestones"][-1]["keystrokes"] <= table["milestones"][-1]["keystrokes"]
    assert said["reading"]["glyphs_distinct"]["trials"] == 0
    assert 0 < len(said["shown"]) <= 12
    assert all(one["readings"]["look-up table"] == one["truth"] for one in said["shown"])
    assert all(len(one["readings"]) == len(said["attacks"]) for one in said["shown"])
    report = json.loads(plain_captchas("eval", "--json"))
    sometimes = {key: kind for key, kind in SOMETIMES["eval"].items() if key in report}
    assert {"texts", "recogniser"} <= set(sometimes)
    compare(report, KEYS["eval"] | sometimes)
    assert "a look-up table reads this captcha" in report["verdict"]
    assert "a table of them reads these captchas" in " ".join(report["notes"])
    assert report["texts"]["captchas"]["value"] == 1


def styles() -> list[Redrawn]:
    """A style of the built-in endpoint, and the same with a stroke of its trait's value."""
    config = EndpointConfig("variable", length="2-3", alphabet="01", seed=0)
    found = [Redrawn("", "as they are", False, Painter(config).draw)]
    return found + [
        Redrawn(change.trait, change.text, change.added, Painter(config, change.traits).draw)
        for change in changes(config.traits)[:2]
    ]


class Constant:
    """A kind of reader that reads every captcha as the first one it was shown, and keeps what it was given."""

    def __init__(self) -> None:
        self.settings: list[dict[str, Any]] = []

    def train(
        self,
        views: CaptchaViews,
        models: Path,
        settings: dict[str, Any],
        name: str | None,
        progress: PhaseProgress,
    ) -> ReaderReport:
        self.settings.append(settings)
        text, test = views.texts.part("train").texts[0], views.texts.part("test")
        right = share_of([text == own for own in test.texts])
        return ReaderReport(Run(models), "constant", 0.0, None, None, right)


def test_traits_are_measured_alike_for_each_style() -> None:
    constant = Constant()
    kind = ReaderKind("constant", "", (), lambda path: Oracle(), constant.train, lambda views: None)
    config = AuditConfig(trait_captchas=5, trait_tests=40, trait_steps=3)
    results = measure_traits(styles(), kind, lambda pictures: Oracle(), config)
    assert [(r.trait, r.added, r.learned.trials) for r in results] == [
        ("length", False, 40),
        ("touching", True, 40),
    ]
    assert all(settings == constant.settings[0] for settings in constant.settings)
    assert present(results[0].unlabelled).value == 0
    lines = [_trait(result) for result in results]
    assert "The length of the captchas: with always 2 characters instead" in lines[0].text
    assert lines[1].text.startswith("Touching characters: a reader trained on 5 such captchas reads")


@pytest.mark.parametrize(
    ("added", "own", "after", "helps", "gain"),
    [
        (True, 95, 30, True, 0.65),
        (True, 95, 90, False, 0.05),
        (False, 30, 90, True, 0.6),
        (False, 90, 99, False, 0.09),
        (False, 55, 93, True, 0.38),
        (True, 55, 44, False, 0.11),  # within chance
    ],
)
def test_a_trait_helps_where_it_keeps_a_trained_reader_out(
    added: bool, own: int, after: int, helps: bool, gain: float
) -> None:
    result = TraitResult("strokes", "no strokes", added, None, wilson(after, 100), 100, wilson(own, 100))
    line = _trait(result)
    assert line.helps == helps
    assert line.gain == pytest.approx(gain)


def test_elsewhere_traits_are_guessed_from_the_captchas_themselves() -> None:
    texts = {k: "AB" if k % 2 else "ABCD" for k in range(80)}
    readings = {k: text if len(text) == 2 else "" for k, text in texts.items()}
    guesses = guess_traits(Answers(texts), readings, {k: ["seam" if k < 10 else ""] for k in texts})
    (guess,) = guesses  # too few captchas do not cut cleanly, and there are no pictures
    assert (guess.trait, guess.having.value, guess.others.value) == ("length", 0, 1)
    line = _guess(guess)
    assert line.helps
    assert "a guess" in line.text


def test_the_endpoints_style_is_drawn_again_and_a_strange_one_is_not(tmp_path: Path) -> None:
    folder = Workspace(tmp_path).dataset("captcha")
    with Catalog(folder.catalog_path) as catalog:
        assert _redrawn(folder, AuditConfig())[0] == []
        for told in ("[]", "no JSON", '{"style": "variable", "alphabet": "AB", "traits": {}}'):
            catalog.set_meta(STYLE_KEY, told)
            assert _redrawn(folder, AuditConfig())[0] == []
        catalog.set_meta(STYLE_KEY, json.dumps(EndpointConfig("inverse", alphabet="AB").description()))
    redrawn, why = _redrawn(folder, AuditConfig())
    assert (len(redrawn), why) == (8, "")
    assert set(redrawn[3].draw(0)[0]) <= set("AB")


def test_an_answer_labels_cells_only_where_there_is_one_for_each_character(tmp_path: Path) -> None:
    folder = Workspace(tmp_path).dataset("captcha")
    answers = ["ABAB", "ABABA", "AB"]
    with Catalog(folder.catalog_path) as catalog:
        ids = [catalog.add_image(f"{k:064x}", "png", 8, 8, 9)[0] for k in range(3)]
        for image_id, text in zip(ids, answers, strict=True):
            catalog.add_fetch("http://127.0.0.1/captcha", "stored", image_id=image_id, note=f"answer={text}")
    rows = np.repeat(ids, 4)
    glyphs = PackedSet(
        np.zeros((12, 4, 4), np.uint8), np.zeros(12, np.uint8), np.full(12, -1), classes=("A", "B"),
        image=rows, position=np.tile(np.arange(4), 3),
    )  # fmt: skip
    nothing = np.zeros(3, np.uint8)
    texts = TextSet([np.zeros((8, 8), np.uint8)] * 3, ("", "", ""), nothing, np.array(ids), nothing)
    known, told = _with_answers(folder, glyphs, texts, lambda message: None)
    assert known.labels is not None
    assert known.labels.tolist() == [0, 1, 0, 1] + [-1] * 8
    assert told.texts == tuple(answers)
    why = _why_no_cells(Captchas("drawn", 3, 4, known, told))
    assert "no cell has a character of its own" in why
    assert _why_no_cells(Captchas("drawn", 3, 4, None, told)).startswith(
        "The captchas were not read glyph by glyph"
    )


def test_a_change_that_does_nothing_is_said_as_such() -> None:
    still = _remedy(Remedy("blur", 1.0, "pixels", wilson(97, 100), wilson(95, 100)))
    assert not still.helps
    assert still.text == "Blur of 1 (pixels): the reader as it is still reads 97 % of the glyphs."


def test_without_labels_it_says_what_it_can(world: PackedSet) -> None:
    some = world.take(np.arange(40))
    found = audit(captchas(some), [TableAttacker(some)], None, None, AuditConfig())
    assert (found.reading, found.attacks, found.grade) == (None, [], None)
    assert "None of the 375 captchas is labelled" in found.verdict
    assert "captcha-lab label" in found.notes[0]


@pytest.mark.parametrize("field", ["first", "epochs", "remedy_epochs", "labellers", "seconds_per_keystroke"])
def test_impossible_settings_are_refused(field: str) -> None:
    with pytest.raises(UsageError):
        AuditConfig(**{field: 0})  # type: ignore[arg-type]
