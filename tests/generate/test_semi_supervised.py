"""The semi-supervised GAN: K + 1 classes in the critic, few labels, an unconditional generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from captcha_lab.datasets.batches import BatchOptions
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.generate.choose import Choice, choose
from captcha_lab.generate.networks import NetworkSpec, build_critic
from captcha_lab.generate.players.streams import ArrayStream, PackedStream
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.store.packed.packed import PackedSet, write_packed
from tests.generate.generator_tools import shrunk

NAMES = tuple("2A7K")


def glyphs(n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Four classes that are a dark quarter of the picture each."""
    rng = np.random.default_rng(0)
    images = rng.integers(200, 256, (n, 20, 20), dtype=np.uint8)
    labels = np.arange(n) % 4
    for k, label in enumerate(labels):
        y, x = divmod(int(label), 2)
        images[k, 10 * y : 10 * y + 10, 10 * x : 10 * x + 10] //= 4
    return images, labels


def test_the_score_is_the_log_odds_of_the_k_real_classes() -> None:
    spec = NetworkSpec("fc", (1, 4, 4), 3, 5, "semi-supervised", options={"critic": (6,)})
    judged = build_critic(spec, 0)(torch.rand(7, 1, 4, 4))
    assert judged.class_logits is not None
    with_fake = torch.cat([judged.class_logits, torch.zeros(7, 1)], dim=1)  # the K+1st logit is 0
    real = 1 - F.softmax(with_fake, dim=1)[:, -1]
    assert torch.allclose(torch.sigmoid(judged.score), real, atol=1e-6)
    with pytest.raises(UsageError, match="can't be semi-supervised"):
        build_critic(NetworkSpec("fast", (1, 20, 20), 8, 5, "semi-supervised"), 0)


def test_few_labels_among_many_images_are_learnt() -> None:
    images, labels = glyphs()
    known = np.where(np.arange(len(labels)) < 8, labels, -1)
    recipe = shrunk(get_recipe("cs231n-semi"), batch_size=16, learning_rate=3e-3)
    trainer = Trainer(recipe, ArrayStream(images, known, NAMES), 40, seed=0)
    for _ in range(40):
        trainer.iterate()
    assert trainer.players.critic is not None
    real = torch.from_numpy(images[:, None].astype(np.float32) / 127.5 - 1)
    logits = trainer.players.critic.eval()(real).class_logits
    assert logits is not None
    assert (logits.argmax(1).numpy() == labels).mean() > 0.9
    assert trainer.names == ()
    assert trainer.players.generate(trainer.draws.noise(), None).shape == (16, 1, 20, 20)


def test_a_stream_gives_unlabelled_images_too(tmp_path: Path) -> None:
    images, labels = glyphs(40)
    labels = np.where(np.arange(40) < 6, labels, -1).astype(np.int16)
    path = tmp_path / "packed.h5"
    write_packed(path, PackedSet(images, np.zeros(40, np.uint8), labels, classes=NAMES))
    with PackedStream(path, BatchOptions(condition="partial")) as stream:
        assert (len(stream), stream.names) == (40, NAMES)
        _, condition = stream.next(40)
        assert condition is not None
        assert sorted(condition.sum(1)) == [0.0] * 34 + [1.0] * 6
        drawn, named = stream.labelled(np.array([0.0, 0.5, 0.999]))
        assert np.array_equal(named.argmax(1), labels[[0, 3, 5]])
        assert np.array_equal(drawn, images[[0, 3, 5]])
    with pytest.raises(CaptchaLabError, match="No image has a label"):
        ArrayStream(images).labelled(np.zeros(1))


def test_it_needs_some_labels() -> None:
    recipe = get_recipe("cs231n-semi")
    assert (recipe.labelled, recipe.uses_labels) == (False, True)
    with pytest.raises(UsageError, match="needs labels and the data has none"):
        choose(Choice(recipe="cs231n-semi"), labelled=False)
    assert not choose(Choice(recipe="cs231n-semi", label=False), labelled=False).uses_labels
    assert choose(Choice(recipe="cs231n-semi", label=True)).auxiliary_weight == 0
