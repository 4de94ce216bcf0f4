import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import captcha_lab
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.recognise.classifier import Classifier
from captcha_lab.recognise.config import ClassifierConfig
from captcha_lab.recognise.contract import CaptchaReader
from captcha_lab.recognise.files import files_in, read_files
from captcha_lab.recognise.glyph.reader import GlyphReader
from captcha_lab.recognise.glyph.train import train_glyph_reader
from captcha_lab.recognise.registry import load_reader, reader_kind, reader_kinds
from captcha_lab.store.images import encode, write_image
from captcha_lab.store.packed.packed import PackedSet
from captcha_lab.store.runs import load_weights, save_weights


@pytest.fixture(scope="module")
def run(drawn_set: PackedSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = ClassifierConfig(epochs=25, batch_size=32)
    return train_glyph_reader(drawn_set, tmp_path_factory.mktemp("models"), config).run.root


def test_three_lines_read_images(run: Path, drawn: tuple[list[str], list[np.ndarray]]) -> None:
    recogniser = captcha_lab.load_recogniser(run)
    readings = recogniser.read(drawn[1])
    assert np.mean([r.text == text for r, text in zip(readings, drawn[0], strict=True)]) > 0.9
    assert all(0 <= c <= 1 for r in readings for c in r.per_character)
    assert readings[0].confidence == pytest.approx(np.prod(readings[0].per_character))


def test_the_model_file_is_enough(
    run: Path, drawn: tuple[list[str], list[np.ndarray]], tmp_path: Path
) -> None:
    lone = tmp_path / "anything.safetensors"
    lone.write_bytes((run / "weights.safetensors").read_bytes())
    assert GlyphReader.load(lone).read(drawn[1]) == GlyphReader.load(run).read(drawn[1])


def test_what_has_no_ink_reads_as_nothing(run: Path, drawn: tuple[list[str], list[np.ndarray]]) -> None:
    reader = GlyphReader.load(run)
    blank, tiny = np.full((20, 80), 230, np.uint8), np.zeros((1, 1), np.uint8)
    for reading in reader.read([blank, tiny, np.zeros((20, 80, 3), np.uint8)]):
        assert (reading.text, reading.per_character, reading.boxes) == ("", (), ())
    short = drawn[1][0].copy()
    short[:, 60:] = 255  # three characters on four cells
    reading = reader.read([short])[0]
    assert reading.text == reader.read(drawn[1][:1])[0].text[:3]
    assert reading.boxes == ((0, 0, 20, 20), (20, 0, 40, 20), (40, 0, 60, 20))


def test_every_kind_of_reader_keeps_the_contract(run: Path) -> None:
    kinds = reader_kinds()
    assert "glyph" in kinds
    assert all(name == kind.name for name, kind in kinds.items())
    reader = load_reader(run)
    assert isinstance(reader, CaptchaReader)
    assert (reader.kind, len(reader.classes)) == ("glyph", 4)
    with pytest.raises(UsageError, match="choose one of glyph"):
        reader_kind("crystal ball")


def test_doubtful_readings_are_marked(
    run: Path, drawn: tuple[list[str], list[np.ndarray]], tmp_path: Path
) -> None:
    for k in range(4):
        write_image(tmp_path / f"{k}.png", drawn[1][k])
    write_image(tmp_path / "noise.png", np.random.default_rng(0).integers(0, 255, (20, 80), np.uint8))
    reader = GlyphReader.load(run)
    sure = {Path(r.file).name: r.confidence for r in read_files(reader, [tmp_path]).readings}
    limit = sorted(sure.values())[2]
    report = read_files(reader, [tmp_path], min_confidence=limit)
    assert {Path(r.file).name for r in report.readings if not r.trusted} == {
        name for name, confidence in sure.items() if confidence < limit
    }


def test_bytes_and_pixels_read_the_same(run: Path, drawn: tuple[list[str], list[np.ndarray]]) -> None:
    recogniser = GlyphReader.load(run)
    assert recogniser.read_bytes([encode(image) for image in drawn[1][:9]]) == recogniser.read(drawn[1][:9])
    assert recogniser.read([]) == []


def test_pictures_in_any_form_read_the_same(
    run: Path, drawn: tuple[list[str], list[np.ndarray]], tmp_path: Path
) -> None:
    reader = GlyphReader.load(run)
    image = drawn[1][0]
    write_image(tmp_path / "a.png", image)
    rgb = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    rgba = np.concatenate([rgb, np.full((*rgb.shape[:2], 1), 255, np.uint8)], axis=2)
    forms = [
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        encode(image),
        Image.fromarray(image),
        rgba,
        rgb / 255.0,
    ]
    (wanted,) = reader.read([image])
    assert [reading.text for reading in reader.read(forms)] == [wanted.text] * len(forms)
    with pytest.raises(CaptchaLabError, match="Picture 1: an array of shape"):
        reader.read([image, image[0]])
    with pytest.raises(CaptchaLabError, match="list of pictures"):
        reader.read(encode(image))


def test_one_by_one_reads_as_in_a_batch(run: Path, drawn: tuple[list[str], list[np.ndarray]]) -> None:
    recogniser = GlyphReader.load(run)
    assert [recogniser.read([image])[0].text for image in drawn[1][:9]] == [
        reading.text for reading in recogniser.read(drawn[1][:9])
    ]


def test_probabilities_and_features(run: Path, drawn_set: PackedSet) -> None:
    recogniser = Classifier.load(run)
    probabilities = recogniser.probabilities(drawn_set.images)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    features, classes = recogniser.examine(drawn_set.images)
    assert features.shape == (len(drawn_set), 500)
    np.testing.assert_array_equal(features, recogniser.features(drawn_set.images))
    np.testing.assert_array_equal(classes, probabilities.argmax(1))
    assert [part.shape for part in recogniser.examine(drawn_set.images[:0])] == [(0, 500), (0,)]
    with pytest.raises(CaptchaLabError, match="20x20 pixels, not 28x28"):
        recogniser.probabilities(np.zeros((1, 28, 28), np.uint8))


def test_folders_are_read_and_bad_files_named(
    run: Path, drawn: tuple[list[str], list[np.ndarray]], tmp_path: Path
) -> None:
    for text, image in zip(drawn[0][:5], drawn[1], strict=False):
        write_image(tmp_path / "in" / f"{text}.png", image)
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG junk")
    (tmp_path / "in" / ".hidden").write_bytes(b"")
    report = read_files(GlyphReader.load(run), [tmp_path / "in"], batch=2)
    assert len(report.readings) == len({*drawn[0][:5]})
    assert len(report.unreadable) == 1
    assert "broken.png" in report.unreadable[0]
    with pytest.raises(CaptchaLabError, match="does not exist"):
        read_files(GlyphReader.load(run), [tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaptchaLabError, match="holds no files"):
        read_files(GlyphReader.load(run), [tmp_path / "empty"])


def test_other_models_are_refused(run: Path, tmp_path: Path) -> None:
    tensors, metadata = load_weights(run)
    path = tmp_path / "weights.safetensors"
    save_weights(path, tensors, {**metadata, "architecture": "dcgan"})
    with pytest.raises(CaptchaLabError, match="holds a dcgan"):
        GlyphReader.load(path)
    save_weights(path, tensors, {**metadata, "classes": ["A"]})
    with pytest.raises(CaptchaLabError, match="does not fit its own description"):
        GlyphReader.load(path)
    save_weights(path, tensors, {**metadata, "segmenter": None})
    with pytest.raises(CaptchaLabError, match="cannot cut captchas"):
        GlyphReader.load(path).read([np.zeros((20, 80), np.uint8)])


def test_a_model_made_before_is_read(
    run: Path, drawn: tuple[list[str], list[np.ndarray]], tmp_path: Path
) -> None:
    """Before, a model had no temperature, and its segmenter no method."""
    tensors, metadata = load_weights(run / "weights.safetensors")
    before = {key: value for key, value in metadata.items() if key != "temperature"}
    before["segmenter"] = {"glyphs": 4, "threshold": "otsu", "binary": False, "size": 20, "fit": "pad"}
    save_weights(tmp_path / "before.safetensors", tensors, before)
    texts = [reading.text for reading in load_reader(tmp_path / "before.safetensors").read(drawn[1])]
    assert texts == [reading.text for reading in load_reader(run).read(drawn[1])]


def test_a_folder_that_cannot_be_read_is_named_and_none_is_left_out_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a.png").write_bytes(b"x")
    (tmp_path / "locked").mkdir()
    (tmp_path / "circle").symlink_to(tmp_path, target_is_directory=True)
    assert files_in(tmp_path) == [tmp_path / "open" / "a.png"]
    scan = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CaptchaLabError, match="locked can't be read: Permission denied"):
        files_in(tmp_path)
