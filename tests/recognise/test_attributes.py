"""The attribute network: it learns what can be seen, is rebuilt from its file, and refuses what it doesn't know."""

from pathlib import Path

import numpy as np
import pytest

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.recognise.attributes import reader as attributes
from captcha_lab.recognise.attributes.config import AttributeConfig
from captcha_lab.recognise.attributes.reader import AttributeReader
from captcha_lab.recognise.attributes.train import ensure_attributes, train_attributes
from captcha_lab.store.packed.packed import PackedSet, write_packed

CONFIG = AttributeConfig(epochs=6, batch_size=32)


def visible(count: int, seed: int, side: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Noise whose upper half is brighter with the first attribute, and redder with the second."""
    rng = np.random.default_rng(seed)
    wanted = rng.integers(0, 2, (count, 2)).astype(np.int8)
    images = rng.integers(60, 160, (count, side, side, 3))
    images[:, : side // 2] += 50 * wanted[:, 0, None, None, None]
    images[..., 0] += 40 * wanted[:, 1, None, None]
    return images.astype(np.uint8), wanted


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faces") / "packed.h5"
    images, wanted = visible(340, 1)
    split = np.repeat([0, 1, 2], [240, 40, 60]).astype(np.uint8)
    write_packed(path, PackedSet(images, split, attributes=wanted, attribute_names=("Bright", "Red")))
    return path


@pytest.fixture(scope="module")
def models(packed: Path) -> Path:
    folder = packed.parent / "models"
    report = train_attributes(packed, folder, CONFIG)
    assert report.accuracy > 0.9
    assert report.majority < 0.7
    assert all(score.balanced is not None and score.balanced > 0.9 for score in report.scores)
    assert report.scores[0].accuracy.trials == 60
    return folder


def test_it_is_rebuilt_and_reads_new_pictures(packed: Path, models: Path) -> None:
    reader, run = ensure_attributes(packed, models)
    assert len(list(models.iterdir())) == 1  # the stored one was taken
    assert [line for line in run.history() if line.get("summary")]
    images, wanted = visible(100, 2)
    assert reader.names == ("Bright", "Red")
    assert ((reader.probabilities(images) > 0.5) == wanted).mean() > 0.9
    features = reader.features(images)
    assert features.shape == (100, attributes.FEATURES)
    assert features.dtype == np.float32
    assert np.abs(features).max() <= 1


def test_agreement_with_what_was_asked(models: Path) -> None:
    reader = AttributeReader.load(next(models.iterdir()))
    images, wanted = visible(100, 3)
    shares = reader.agreement(images, wanted[:, ::-1], ("Red", "Bright"))
    assert list(shares) == ["Red", "Bright"]
    assert min(share.value for share in shares.values()) > 0.9
    wrong = reader.agreement(images, 1 - wanted, ("Bright", "Red"))
    assert max(share.value for share in wrong.values()) < 0.1
    with pytest.raises(UsageError, match="Smiling"):
        reader.agreement(images, wanted, ("Bright", "Smiling"))


def test_other_sizes_are_scaled_and_grey_is_refused(models: Path) -> None:
    reader = AttributeReader.load(next(models.iterdir()))
    for side in (24, 64, 128):
        images, wanted = visible(60, 4, side)
        assert ((reader.probabilities(images) > 0.5) == wanted).mean() > 0.75
    with pytest.raises(UsageError, match="3 channels"):
        reader.features(images[..., 0])
    assert reader.features(images[:0]).shape == (0, attributes.FEATURES)


def test_the_same_seed_gives_the_same_network(packed: Path, tmp_path: Path) -> None:
    config = AttributeConfig(epochs=1, batch_size=64, seed=5)
    images, _ = visible(10, 6)
    first, second = (
        AttributeReader.load(train_attributes(packed, tmp_path, config).run.weights).features(images)
        for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_new_data_gets_a_new_network(packed: Path, models: Path, tmp_path: Path) -> None:
    images, wanted = visible(60, 7)
    split = np.repeat([0, 2], [40, 20]).astype(np.uint8)
    path = tmp_path / "packed.h5"
    write_packed(path, PackedSet(images, split, attributes=wanted, attribute_names=("Bright", "Red")))
    before = set(models.iterdir())
    _, run = ensure_attributes(path, models, AttributeConfig(epochs=1))
    assert run.root not in before


def test_sets_that_teach_nothing(tmp_path: Path) -> None:
    images, wanted = visible(20, 8)
    path = tmp_path / "packed.h5"
    write_packed(path, PackedSet(images, np.repeat([0, 2], 10).astype(np.uint8)))
    with pytest.raises(UsageError, match="no attributes"):
        train_attributes(path, tmp_path / "models")
    write_packed(
        path, PackedSet(images, np.zeros(20, np.uint8), attributes=wanted, attribute_names=("a", "b"))
    )
    with pytest.raises(CaptchaLabError, match="nothing out for a test"):
        train_attributes(path, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_another_kind_of_model_is_refused(models: Path, tmp_path: Path) -> None:
    with pytest.raises(CaptchaLabError, match="no model"):
        AttributeReader.load(tmp_path)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"damaged")
    with pytest.raises(CaptchaLabError, match="can't be read"):
        AttributeReader.load(path)
