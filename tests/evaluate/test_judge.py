"""The judge and the counter-reader: what they learn from, that they are stored, that no training asks them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from captcha_lab.cli import app
from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.glyphs import captcha_of
from captcha_lab.evaluate.judging.halves import two_halves
from captcha_lab.evaluate.judging.judge import (
    COUNTER,
    JUDGE,
    SEED,
    Role,
    SecondReader,
    ensure_second,
    load_second,
    stored_second,
    train_second,
    what_each_saw,
)
from captcha_lab.evaluate.real import RealData
from captcha_lab.recognise.classifier import Classifier
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.recognise.glyph.train import train_glyph_reader
from captcha_lab.store import runs
from captcha_lab.store.packed.packed import PackedSet, write_packed
from tests.evaluate.drawn_world import CLASSES, quicker
from tests.helpers import present


@pytest.fixture(scope="module")
def repeating(world: PackedSet) -> PackedSet:
    """The drawn world with 60 pictures only, so that every captcha shares pictures with others."""
    which = np.random.default_rng(4).integers(0, 60, len(world))
    return replace(world, images=world.images[which], labels=present(world.labels)[which])


def test_the_halves_share_neither_a_captcha_nor_a_picture(repeating: PackedSet) -> None:
    one, other = two_halves(repeating, SEED)
    assert not (one & other).any()
    captchas, train = captcha_of(repeating), repeating.split == 0
    assert not set(captchas[one]) & set(captchas[other])
    pictures = [{image.tobytes() for image in repeating.images[half]} for half in (one, other)]
    assert not pictures[0] & pictures[1]
    # A deal by captchas alone would share them: there are few, and all are kept in one half or the other.
    assert len(pictures[0] | pictures[1]) == len({image.tobytes() for image in repeating.images[train]}) <= 60
    # The half that has more of a picture keeps it, so less than half of the rows are lost.
    assert (one | other).sum() > 0.5 * train.sum()
    assert abs(int(one.sum()) - int(other.sum())) < 0.2 * train.sum()


def test_the_halves_are_of_labelled_training_glyphs_and_the_same_for_the_same_seed(world: PackedSet) -> None:
    labels = np.where(np.arange(len(world)) % 3 == 0, -1, present(world.labels)).astype(np.int16)
    some = replace(world, labels=labels)
    one, other = two_halves(some, SEED)
    assert not (one | other)[(some.split != 0) | (labels < 0)].any()
    np.testing.assert_array_equal(one, two_halves(some, SEED)[0])
    assert (one != two_halves(some, SEED + 1)[0]).any()


def test_images_that_stand_alone_are_parted_by_their_pixels(world: PackedSet) -> None:
    digits = replace(
        world, images=world.images[np.arange(len(world)) % 40], image=None, info={"kind": "digits"}
    )
    halves = [{digits.images[k].tobytes() for k in np.flatnonzero(h)} for h in two_halves(digits, SEED)]
    assert len(halves[0]) + len(halves[1]) == 40
    assert not halves[0] & halves[1]


def test_the_judge_is_another_architecture_and_the_counter_reader_is_not(
    judge: SecondReader, counter: SecondReader, recogniser: Classifier, real: RealData
) -> None:
    assert type(judge.network) is not type(recogniser.network)
    assert type(counter.network) is type(recogniser.network)
    assert JUDGE.training.seed != COUNTER.training.seed != ClassifierConfig().seed
    for reader, features in ((judge, 128), (counter, 500)):
        assert reader.accuracy.value > 0.8
        assert reader.classes == CLASSES
        np.testing.assert_allclose(reader.probabilities(real.held).sum(axis=1), 1, rtol=1e-5)
        assert reader.features(real.held[:3]).shape == (3, features)


def test_the_report_says_who_saw_what(judge: SecondReader, counter: SecondReader, world: PackedSet) -> None:
    said = what_each_saw(judge, counter)
    one, other = two_halves(world, SEED)
    assert f"{one.sum()} glyphs of {len(set(captcha_of(world)[one]))} captchas" in said
    assert f"{other.sum()} glyphs of {len(set(captcha_of(world)[other]))} others" in said
    assert said.count(".") == 1


@pytest.mark.parametrize("role", [JUDGE, COUNTER], ids=lambda role: role.kind)
def test_the_same_for_the_same_glyphs_and_stored_once(role: Role, world: PackedSet, tmp_path: Path) -> None:
    role, few = quicker(role, 1), world.images[:5]
    first, second = (train_second(role, world) for _ in range(2))
    np.testing.assert_array_equal(first.probabilities(few), second.probabilities(few))
    trained, run = ensure_second(role, world, tmp_path)
    again, same = ensure_second(role, world, tmp_path)
    assert same.root == run.root
    np.testing.assert_array_equal(trained.probabilities(few), again.probabilities(few))
    stored = load_second(role, run.root)
    assert (stored.accuracy, stored.captchas, stored.glyphs) == (
        trained.accuracy, trained.captchas, trained.glyphs
    )  # fmt: skip
    # By content: another label, or another pixel, makes another reader; another name or revision does not.
    labels, images = present(world.labels).copy(), world.images.copy()
    labels[0] = (labels[0] + 1) % len(CLASSES)
    images[0, 0, 0] ^= 1
    assert stored_second(role, replace(world, labels=labels), tmp_path) is None
    assert stored_second(role, replace(world, images=images), tmp_path) is None
    assert stored_second(role, replace(world, info={**world.info, "label_revision": 9}), tmp_path) == run
    with pytest.raises(CaptchaLabError, match="holds a"):
        load_second(COUNTER if role.kind == "judge" else JUDGE, run.root)


def test_too_few_labels_for_a_judge(world: PackedSet) -> None:
    with pytest.raises(CaptchaLabError, match="--no-judge"):
        train_second(JUDGE, world.take(present(world.labels) == 2))


def test_no_training_and_no_choice_of_a_checkpoint_opens_them(
    world: PackedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    models = tmp_path / "models"
    write_packed(tmp_path / "datasets" / "captcha" / "packed.h5", world)
    train_glyph_reader(world, models, ClassifierConfig(epochs=1), "reader")
    # Both are newer than the recogniser: whoever takes the newest of anything would get them.
    kept_away = [ensure_second(quicker(role, 1), world, models)[1].root for role in (JUDGE, COUNTER)]
    opened: list[Path] = []
    real_open = runs.load_weights

    def watched(path: Path) -> Any:
        opened.append(Path(path).resolve())
        return real_open(path)

    monkeypatch.setattr(runs, "load_weights", watched)
    monkeypatch.setattr("captcha_lab.recognise.restore.load_weights", watched)
    for arguments in (
        ["train-gen", "--recipe", "gan-fc", "--iterations", "2", "--name", "plain"],
        ["train-gen", "--recipe", "fast", "--iterations", "2", "--name", "chosen"],
        ["train-gen", "--recipe", "fast", "--iterations", "2", "--seeds", "2"],
        ["train"],
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
    assert any(path.is_relative_to(models / "reader") for path in opened)  # the watch works
    assert not [path for path in opened for root in kept_away if path.is_relative_to(root)]
