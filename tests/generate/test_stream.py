"""Batches from memory and disk, and the conditions that go with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.generate.conditioning import as_condition, one_hot, uniform_classes, wrong_condition
from captcha_lab.generate.players.streams import ArrayStream, PackedStream, Shuffler
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.parallel import Group
from captcha_lab.store.packed.packed import PackedSet, write_packed
from tests.generate.generator_tools import shrunk


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_shuffler_visits_everything_once_an_epoch_and_resumes() -> None:
    rows = Shuffler(7, seed=3)
    drawn = np.concatenate([rows.next(3) for _ in range(7)])
    for epoch in range(3):
        assert sorted(drawn[7 * epoch : 7 * epoch + 7]) == list(range(7))
    other = Shuffler(7, seed=3)
    for _ in range(4):
        other.next(3)
    resumed = Shuffler(7, seed=3)
    resumed.restore(other.state())
    assert np.array_equal(resumed.next(9), drawn[12:21])
    assert not np.array_equal(Shuffler(7, seed=4).next(7), drawn[:7])


def test_processes_share_a_batch() -> None:
    images = np.arange(12, dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(2, 2)
    whole = ArrayStream(images, seed=1).next(6)[0]
    parts = [ArrayStream(images, seed=1, group=Group(rank, 2)).next(3)[0] for rank in range(2)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_packed_batches_serve_classes_and_attributes(tmp_path: Path) -> None:
    from captcha_lab.datasets.batches import BatchOptions

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    packed = PackedSet(
        images, np.array([0] * 7 + [1, 2], np.uint8), labels=np.arange(9, dtype=np.int16) % 3,
        attributes=rng.integers(0, 2, (9, 2)).astype(np.int8), classes=("a", "b", "c"), attribute_names=("hat", "hair"),
    )  # fmt: skip
    write_packed(tmp_path / "packed.h5", packed)
    with PackedStream(tmp_path / "packed.h5", BatchOptions(condition="classes")) as batches:
        assert batches.exclusive
        got, condition = batches.next(4)
        assert condition is not None
        assert condition.shape == (4, 3)
        reference, _ = batches.reference(5)
        assert np.array_equal(reference, batches.reference(5)[0])
        before = batches.state()
        following = batches.next(2)[0]
        batches.restore(before)
        assert np.array_equal(batches.next(2)[0], following)
        assert got.shape == (4, 8, 8, 3)
    with PackedStream(tmp_path / "packed.h5", BatchOptions(condition="attributes")) as batches:
        assert not batches.exclusive
        assert batches.names == ("hat", "hair")
        recipe = shrunk(get_recipe("wgan-fc")).with_label()
        trainer = Trainer(recipe, batches, 2)
        assert all(torch.isfinite(value) for value in trainer.iterate().values())


def test_no_images_are_refused() -> None:
    with pytest.raises(CaptchaLabError, match="There are no images to train on"):
        ArrayStream(np.empty((0, 20, 20), np.uint8))


def test_wrong_conditions_are_wrong() -> None:
    condition = uniform_classes(500, 4, rng())
    wrong = wrong_condition(condition, True, torch.rand(500, generator=rng(1)))
    assert torch.equal(wrong.sum(1), torch.ones(500))
    assert not bool((wrong.argmax(1) == condition.argmax(1)).any())
    shift = (wrong.argmax(1) - condition.argmax(1)) % 4
    assert set(shift.tolist()) == {1, 2, 3}
    attributes = (torch.rand(200, 5, generator=rng(2)) > 0.5).float()
    flipped = wrong_condition(attributes, False, torch.rand(200, generator=rng(3)))
    assert torch.equal((flipped != attributes).sum(1), torch.ones(200, dtype=torch.int64))
    with pytest.raises(UsageError, match="at least two classes"):
        wrong_condition(torch.ones(2, 1), True, torch.rand(2))


def test_conditions_from_labels() -> None:
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(UsageError, match="Class 3 asked for, but there are 3"):
        one_hot(np.array([3]), 3)
    with pytest.raises(UsageError, match="trained without labels"):
        as_condition(np.array([0]), (), True)
    with pytest.raises(UsageError, match="say which classes"):
        as_condition(None, ("a",), True)
    with pytest.raises(UsageError, match=r"conditions \[N, 2\], not float64 \[3, 1\]"):
        as_condition(np.ones((3, 1)), ("a", "b"), False)
