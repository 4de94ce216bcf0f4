"""Training the sequence reader: it learns, it goes on where it was killed, and odd data get a clear line."""

import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.recognise.sequence import parts
from captcha_lab.recognise.sequence import train as training
from captcha_lab.recognise.sequence.config import SequenceConfig
from captcha_lab.recognise.sequence.reader import SequenceReader, base_reader
from captcha_lab.recognise.sequence.start import facts_of, start_from
from captcha_lab.recognise.sequence.train import train
from captcha_lab.store.packed.texts import TextSet
from captcha_lab.store.runs import load_weights
from tests.recognise.captchas import draw_set, draw_text, random_texts

QUICK = SequenceConfig(steps=25, batch_size=8, unlabelled=False)


def test_a_few_labels_teach_it_captchas_of_any_length(tmp_path: Path) -> None:
    data = draw_set(random_texts(50, "2345678", (3, 4, 5)))
    seen: list[tuple[int, int]] = []
    report = train(
        data, tmp_path, QUICK, progress=lambda phase, done, total, note="": seen.append((done, total))
    )
    assert seen[-1] == (25, 25)
    assert report.test is not None
    assert report.test.value > 0.8
    assert not any("narrow" in line for line in report.warnings)
    reader = SequenceReader.load(report.run.root)
    assert reader.classes == tuple("2345678")
    assert reader.facts.lengths == ()
    assert not list(report.run.root.glob("resume*"))
    assert (report.run.root / "curves.png").is_file()
    lines = report.run.history()
    assert {"step", "seconds", "train_loss", "validation_accuracy", "validation_loss"} <= set(lines[0])
    blank = reader.read([np.full((40, 100, 3), 230, np.uint8)])[0]
    assert blank.text == ""


def test_folded_labels_stand_for_both_cases(tmp_path: Path) -> None:
    facts = facts_of([np.zeros((40, 100), np.uint8)] * 3, ["abcd", "efgh", "k2mn"], base_reader())
    assert "a" in facts.classes
    assert "A" not in facts.classes
    assert facts.forms[facts.classes.index("a")] == "aA"
    reader = SequenceReader(start_from(base_reader(), facts), facts)
    rng = np.random.default_rng(0)
    images = [draw_text(text, rng) for text in ("HERD", "ABLE", "herd", "able")]
    assert all(reading.text == reading.text.lower() for reading in reader.read(images))


def test_labels_in_both_cases_stay_apart() -> None:
    facts = facts_of([np.zeros((40, 100), np.uint8)] * 2, ["aAbB", "cCdD"])
    assert facts.forms == facts.classes == tuple("ABCDabcd")


def test_many_labels_rule_out_characters_that_they_never_showed() -> None:
    image = np.zeros((40, 100), np.uint8)
    known = base_reader()
    few, many = ["2345"] * 2, random_texts(200, "2345", (4,))
    assert set("0123456789") == set(facts_of([image] * 2, few, known).classes)
    assert set("2345") == set(facts_of([image] * 200, many, known).classes)
    assert facts_of([image] * 200, many, known).lengths == (4,)


def test_characters_the_base_reader_does_not_know_are_learned(tmp_path: Path) -> None:
    texts = random_texts(40, "2345", (3,))
    data = draw_set(texts)
    renamed = replace(data, texts=tuple(text.translate(str.maketrans("2345", "猫犬鳥魚")) for text in texts))
    report = train(renamed, tmp_path, replace(QUICK, steps=50))
    assert report.test is not None
    assert report.test.value > 0.5
    assert SequenceReader.load(report.run.root).classes == tuple(sorted("猫犬鳥魚"))


def weights_of(report_root: Path) -> dict[str, torch.Tensor]:
    return load_weights(report_root)[0]


KILLED = """
import sys
from pathlib import Path
from captcha_lab.recognise import fit as fit_module
from captcha_lab.recognise.sequence import parts
from captcha_lab.recognise.sequence import train as training
from captcha_lab.recognise.sequence.config import SequenceConfig
from captcha_lab.recognise.sequence.train import train
from tests.recognise.captchas import draw_set, random_texts
fit_module.SAVE_EVERY = 0.0
data = draw_set(random_texts(30, "2345", (3,)))
config = SequenceConfig(steps=8, batch_size=4, unlabelled=False)
train(data, Path(sys.argv[1]), config, "run", lambda phase, done, total, note: print(done, flush=True))
"""


def test_a_killed_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    data = draw_set(random_texts(30, "2345", (3,)))
    config = SequenceConfig(steps=8, batch_size=4, unlabelled=False)
    whole = train(data, tmp_path / "whole", config, "run")
    killed = tmp_path / "killed"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(killed)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 5:
                process.send_signal(signal.SIGKILL)
    assert (killed / "run" / "resume-labelled.pt").is_file()
    assert not (killed / "run" / "weights.safetensors").exists()
    steps: list[int] = []
    again = train(data, killed, config, "run", lambda phase, done, total, note="": steps.append(done))
    assert steps[0] > 4
    first, second = weights_of(whole.run.root), weights_of(again.run.root)
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(CaptchaLabError, match="exists"):
        train(data, killed, config, "run")


def test_a_time_limit_ends_training_in_time(tmp_path: Path) -> None:
    data = draw_set(random_texts(20, "2345", (3,)))
    started = time.monotonic()
    report = train(data, tmp_path, SequenceConfig(steps=100_000, batch_size=4, time_limit=1.5))
    steps = report.run.history()[-2]["step"]
    assert 1 <= steps < 1000
    assert time.monotonic() - started < 60


def tiny(texts: tuple[str, ...], images: list[np.ndarray]) -> TextSet:
    count = len(texts)
    return TextSet(images, texts, np.zeros(count, np.uint8), np.arange(count), np.zeros(count, np.uint8))


def test_texts_longer_than_their_pictures_have_columns_widen_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texts = random_texts(6, "2345", (9,))
    images = [np.asarray(draw_text(text, rng)[:, ::6].copy()) for text in texts]  # 32 pixels: eight columns
    report = train(tiny(tuple(texts), images), tmp_path, replace(QUICK, steps=2))
    assert not any("narrow" in line for line in report.warnings)
    assert SequenceReader.load(report.run.root).facts.stretch > 1.3


def test_a_picture_too_narrow_for_its_text_is_left_out_and_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texts = [*random_texts(120, "2345", (3,)), "23452345"]
    images = [*(draw_text(text, rng) for text in texts[:-1]), np.zeros((200, 1), np.uint8)]
    report = train(tiny(tuple(texts), images), tmp_path, replace(QUICK, steps=2))
    assert any("1 captcha" in line and "narrow" in line for line in report.warnings)


def test_one_class_and_no_validation_are_enough_to_train(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texts = ("7",) * 4
    report = train(tiny(texts, [draw_text("7", rng) for _ in texts]), tmp_path, replace(QUICK, steps=3))
    assert report.validation is report.test is None
    assert SequenceReader.load(report.run.root).read([draw_text("7", rng)])[0].text in ("", "7")


def test_captchas_of_very_different_sizes_are_learned_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texts = ("23", "4523", "52", "345")
    heights = (12, 300, 40, 25)
    images = [draw_text(text, rng, height) for text, height in zip(texts, heights, strict=True)]
    images[2] = images[2][..., 0]  # and a grey one
    report = train(tiny(texts, images), tmp_path, replace(QUICK, steps=2))
    assert not any("narrow" in line for line in report.warnings)
    assert len(SequenceReader.load(report.run.root).read(images)) == 4


def test_a_character_that_only_a_test_captcha_has_is_read_wrong_and_no_error(tmp_path: Path) -> None:
    data = draw_set(["X3", *random_texts(9, "2345", (2,))])
    assert data.part("test").texts[0] == "X3"
    report = train(data, tmp_path, replace(QUICK, steps=2, from_base=False))
    assert "X" not in SequenceReader.load(report.run.root).classes
    assert report.test is not None
    assert report.test.value < 1


@pytest.mark.parametrize(("wrong", "guessed"), [(0, True), (10, False)])
def test_captchas_without_a_label_are_learned_as_read_where_labels_show_that_it_reads_well(
    wrong: int, guessed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "LEAST_SURE", 10)
    rng = np.random.default_rng(2)
    texts = random_texts(40, "2478", (4,))
    images = [draw_text(text, rng) for text in texts]
    given = [text[::-1] if k < wrong else text for k, text in enumerate(texts[:10])] + [""] * 30
    taken: list[tuple[str, ...]] = []

    def kept(part: TextSet, *rest: Any) -> TextSet:
        taken.append(parts.as_read(part, *rest).texts)
        return parts.as_read(part, *rest)

    monkeypatch.setattr(training, "as_read", kept)
    monkeypatch.setattr(training._Training, "on_unlabelled", lambda self: None)
    train(tiny(tuple(given), images), tmp_path, replace(QUICK, steps=2, unlabelled=True))
    assert bool(taken) == guessed
    if guessed:
        assert len(set(taken[0]) & set(texts[10:])) >= 10


@pytest.mark.parametrize(
    ("loss", "factor", "taken_back"),
    [(1.0, 0.9, False), (1.0, 1.2, False), (1.0, 2.0, True), (0.001, 0.9, False)],
)
def test_a_second_cycle_always_follows_and_is_taken_back_where_it_spoils_the_reader(
    loss: float, factor: float, taken_back: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a few captchas more or fewer are read right decides nothing, nor that all of them are."""
    monkeypatch.setattr(training, "BASE_STEPS", 4)
    monkeypatch.setattr(training, "PASSES", 0)
    monkeypatch.setattr(training, "MIN_VALIDATION", 2)
    calls = itertools.count()

    def measured(reader: SequenceReader, part: TextSet) -> dict[str, float]:
        step = next(calls)
        return {"validation_accuracy": (0.5, 1.0)[step % 2], "validation_loss": loss * factor**step}

    monkeypatch.setattr(training, "evaluation", measured)
    data = draw_set(random_texts(10, "2345", (2,)))
    first = 4 + 2 * len(data.part("train")) // 2
    one = train(data, tmp_path, SequenceConfig(steps=first, batch_size=2, unlabelled=False), "one")
    calls = itertools.count()
    report = train(data, tmp_path, SequenceConfig(batch_size=2, unlabelled=False), "all")
    steps = [line["step"] for line in report.run.history() if "step" in line]
    assert steps[-1] == 3 * first
    before, after = weights_of(one.run.root), weights_of(report.run.root)
    same = all(torch.equal(before[name], after[name]) for name in before)
    assert same == taken_back


@pytest.mark.parametrize(("many", "steps"), [(100, 30), (4, 20)])
def test_every_captcha_is_seen_several_times_in_a_cycle_unless_there_are_many(
    many: int, steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "BASE_STEPS", 1)
    monkeypatch.setattr(training, "MANY", many)
    data = draw_set(random_texts(10, "2345", (2,)))
    assert len(data.part("train")) == 6
    report = train(data, tmp_path, SequenceConfig(batch_size=2, unlabelled=False))
    assert [line["step"] for line in report.run.history() if "step" in line][-1] == steps


@pytest.mark.parametrize(("height", "learned"), [(40, 48), (32, 32)])
def test_captchas_high_enough_are_read_and_learned_finer(
    height: int, learned: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those without a label, too, which are read beforehand."""
    monkeypatch.setattr(training, "LEAST_SURE", 5)
    heights: list[int] = []

    def kept(reader: SequenceReader, images: Any) -> Any:
        heights.append(reader.facts.height)
        return read(reader, images)

    read = SequenceReader.read
    monkeypatch.setattr(SequenceReader, "read", kept)
    texts = random_texts(20, "2478", (4,))
    rng = np.random.default_rng(0)
    images = [draw_text(text, rng, height) for text in texts]
    given = tuple(text if k < 10 else "" for k, text in enumerate(texts))
    report = train(tiny(given, images), tmp_path, replace(QUICK, steps=2, unlabelled=True))
    assert SequenceReader.load(report.run.root).facts.height == learned
    assert set(heights) == {learned}


def test_too_few_labels_say_how_to_give_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(CaptchaLabError, match="captcha-lab label"):
        train(tiny(("", "22"), [draw_text("22", rng)] * 2), tmp_path, QUICK)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options", [{"steps": -1}, {"batch_size": 0}, {"time_limit": -1}, {"learning_rate": -1e-3}]
)
def test_impossible_settings(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="--"):
        SequenceConfig(**options)  # type: ignore[arg-type]


def test_a_trained_reader_is_extended_by_new_characters_and_lengths(tmp_path: Path) -> None:
    quick = replace(QUICK, steps=3)
    first = train(draw_set(random_texts(20, "2345", (4,))), tmp_path, quick, "first").run
    more = replace(quick, start=str(first.root))
    second = train(draw_set(random_texts(20, "67A", (5,))), tmp_path, more, "second").run
    reader, before = SequenceReader.load(second.root), SequenceReader.load(first.root)
    assert set(reader.classes) >= {*before.classes, *"67A"}
    assert reader.facts.lengths == (4, 5)
    assert len(reader.classes) == len(set(reader.classes)) == len(reader.facts.forms)
