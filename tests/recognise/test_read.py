from pathlib import Path

import numpy as np
import pytest

import captcha_lab
from captcha_lab.errors import CaptchaLabError
from captcha_lab.recognise.config import TrainConfig
from captcha_lab.recognise.read import Recogniser, read_files
from captcha_lab.recognise.train import train_recogniser
from captcha_lab.store.images import encode, write_image
from captcha_lab.store.packed.packed import PackedSet
from captcha_lab.store.runs import load_weights, save_weights


@pytest.fixture(scope="module")
def run(drawn_set: PackedSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = TrainConfig(epochs=25, batch_size=32)
    return train_recogniser(drawn_set, tmp_path_factory.mktemp("models"), config).run.root


def test_three_lines_read_images(run: Path, drawn) -> None:
    recogniser = captcha_lab.load_recogniser(run)
    readings = recogniser.read(drawn[1])
    assert np.mean([r.text == text for r, text in zip(readings, drawn[0], strict=True)]) > 0.9
    assert all(0 <= c <= 1 for r in readings for c in r.confidences)
    assert readings[0].confidence == pytest.approx(np.prod(readings[0].confidences))


def test_the_model_file_is_enough(run: Path, drawn, tmp_path: Path) -> None:
    lone = tmp_path / "anything.safetensors"
    lone.write_bytes((run / "weights.safetensors").read_bytes())
    assert Recogniser.load(lone).read(drawn[1]) == Recogniser.load(run).read(drawn[1])


def test_bytes_and_pixels_read_the_same(run: Path, drawn) -> None:
    recogniser = Recogniser.load(run)
    assert recogniser.read_bytes([encode(image) for image in drawn[1][:9]]) == recogniser.read(drawn[1][:9])
    assert recogniser.read([]) == []


def test_one_by_one_reads_as_in_a_batch(run: Path, drawn) -> None:
    recogniser = Recogniser.load(run)
    assert [recogniser.read([image])[0].text for image in drawn[1][:9]] == [
        reading.text for reading in recogniser.read(drawn[1][:9])
    ]


def test_probabilities_and_features(run: Path, drawn_set: PackedSet) -> None:
    recogniser = Recogniser.load(run)
    probabilities = recogniser.probabilities(drawn_set.images)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    features, classes = recogniser.examine(drawn_set.images)
    assert features.shape == (len(drawn_set), 500)
    np.testing.assert_array_equal(features, recogniser.features(drawn_set.images))
    np.testing.assert_array_equal(classes, probabilities.argmax(1))
    assert [part.shape for part in recogniser.examine(drawn_set.images[:0])] == [(0, 500), (0,)]
    with pytest.raises(CaptchaLabError, match="20x20 pixels, not 28x28"):
        recogniser.probabilities(np.zeros((1, 28, 28), np.uint8))


def test_folders_are_read_and_bad_files_named(run: Path, drawn, tmp_path: Path) -> None:
    for text, image in zip(drawn[0][:5], drawn[1], strict=False):
        write_image(tmp_path / "in" / f"{text}.png", image)
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG junk")
    (tmp_path / "in" / ".hidden").write_bytes(b"")
    report = read_files(Recogniser.load(run), [tmp_path / "in"], batch=2)
    assert len(report.readings) == len({*drawn[0][:5]})
    assert len(report.unreadable) == 1
    assert "broken.png" in report.unreadable[0]
    with pytest.raises(CaptchaLabError, match="does not exist"):
        read_files(Recogniser.load(run), [tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaptchaLabError, match="holds no files"):
        read_files(Recogniser.load(run), [tmp_path / "empty"])


def test_other_models_are_refused(run: Path, tmp_path: Path) -> None:
    tensors, metadata = load_weights(run)
    path = tmp_path / "weights.safetensors"
    save_weights(path, tensors, {**metadata, "architecture": "dcgan"})
    with pytest.raises(CaptchaLabError, match="holds a dcgan"):
        Recogniser.load(path)
    save_weights(path, tensors, {**metadata, "classes": ["A"]})
    with pytest.raises(CaptchaLabError, match="does not fit its own description"):
        Recogniser.load(path)
    save_weights(path, tensors, {**metadata, "segmenter": None})
    with pytest.raises(CaptchaLabError, match="cannot cut captchas"):
        Recogniser.load(path).read([np.zeros((20, 80), np.uint8)])
