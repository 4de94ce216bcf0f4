"""Practice captchas for the base reader: drawn from a seed alone, of many kinds, and trainable on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from captcha_lab.recognise.fit import FitConfig
from captcha_lab.recognise.sequence.reader import SequenceReader
from scripts.base import draw, pool, train
from scripts.base.draw import captcha
from scripts.base.fonts import Fonts

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def fonts() -> Fonts:
    return Fonts(train.font_folders([])[:1])


def test_captchas_depend_on_the_seed_alone_and_differ(fonts: Fonts) -> None:
    drawn = [captcha(fonts, np.random.default_rng(k)) for k in range(60)]
    again = [captcha(fonts, np.random.default_rng(k)) for k in range(60)]
    for (image, text), (same, same_text) in zip(drawn, again, strict=True):
        assert np.array_equal(image, same)
        assert text == same_text
        assert image.dtype == np.uint8
        assert image.ndim == 3
    assert len({len(text) for _, text in drawn}) > 4
    assert len({image.shape for image, _ in drawn}) > 40
    assert set("".join(text for _, text in drawn)) <= set(train.CLASSES)


def test_the_package_draws_some(fonts: Fonts, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own size and in others, as wide as the text asks for."""
    monkeypatch.setattr(draw, "PACKAGE", 1.0)
    rng = np.random.default_rng(0)
    drawn = [draw.captcha(fonts, rng) for _ in range(30)]
    own = [image.shape == (60, 40 * len(text), 3) for image, text in drawn if text]
    assert 5 < sum(own) < 25


def test_the_base_reader_is_trained_from_a_pool(
    fonts: Fonts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CHUNK", 12)
    monkeypatch.setattr(train, "CHUNKS", 1)
    monkeypatch.setattr(train, "BATCH", 4)
    monkeypatch.setattr(train, "PER_CHUNK", 3)
    pool.draw_chunk(tmp_path, 0, fonts, seed=7)
    heights = [train.PoolBatches(tmp_path, 7)(step).pictures.shape[2] for step in range(3)]
    assert heights == [48, 32, 48]
    before, after = tmp_path / "before.safetensors", tmp_path / "after.safetensors"
    train.main(tmp_path, before, FitConfig(steps=4, learning_rate=1e-3, schedule="one-cycle"))
    (tmp_path / "resume.pt").unlink()
    train.main(tmp_path, after, FitConfig(steps=1, learning_rate=1e-9), start=before)
    reader = SequenceReader.load(after)
    weights = SequenceReader.load(before).network.output.weight
    assert torch.equal(reader.network.output.weight, weights)
    assert reader.classes == train.CLASSES
    assert len(reader.read([np.zeros((30, 90, 3), np.uint8)])) == 1
