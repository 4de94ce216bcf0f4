"""The reader that comes with the program, and what every sequence reader keeps to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captcha.image import ImageCaptcha
from PIL import Image

from captcha_lab.collect.endpoint.image import painted
from captcha_lab.errors import CaptchaLabError
from captcha_lab.recognise.contract import CaptchaReader
from captcha_lab.recognise.sequence import adapt
from captcha_lab.recognise.sequence.adapt import adapted, self_taught
from captcha_lab.recognise.sequence.reader import SequenceFacts, SequenceReader, base_reader
from captcha_lab.store.images import decode, encode, write_image
from captcha_lab.store.runs import save_weights
from tests.recognise.captchas import draw_text, random_texts


def test_the_base_reader_reads_captchas_it_never_saw() -> None:
    texts = random_texts(60, "23456789", (3, 4, 5, 6))
    rng = np.random.default_rng(1)
    reader = base_reader()
    assert isinstance(reader, CaptchaReader)
    readings = reader.read([draw_text(text, rng) for text in texts])
    right = np.array([reading.text == text for reading, text in zip(readings, texts, strict=True)])
    assert right.mean() > 0.5
    confidence = np.array([reading.confidence for reading in readings])
    assert confidence[right].mean() > confidence[~right].mean() + 0.1 if not right.all() else True
    for reading in readings:
        assert len(reading.per_character) == len(reading.text)
        assert all(0 <= p <= 1 for p in (reading.confidence, *reading.per_character))


def test_pictures_in_any_form_read_the_same(tmp_path: Path) -> None:
    image = draw_text("2784", np.random.default_rng(0))
    write_image(tmp_path / "a.png", image)
    forms = [tmp_path / "a.png", encode(image), Image.fromarray(image), image / 255.0, image]
    texts = [reading.text for reading in base_reader().read(forms)]
    assert texts == texts[:1] * len(forms)
    with pytest.raises(CaptchaLabError, match="Picture 0: an array of shape"):
        base_reader().read([image[0, 0]])


def test_boxes_stand_where_the_characters_are() -> None:
    image = draw_text("2784", np.random.default_rng(0), height=80)
    reading = base_reader().restricted([4]).read([image])[0]
    assert reading.boxes is not None
    assert len(reading.boxes) == 4
    for k, (x0, y0, x1, y1) in enumerate(reading.boxes):
        middle = 2 * (6 + 19 * k + 10)  # of the character as it was drawn
        assert x0 < middle < x1
        assert (y0, y1) == (0, 80)
        assert x1 <= image.shape[1]


@pytest.mark.parametrize("shape", [(40, 120, 3), (40, 120), (30, 90, 3)])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_picture_reads_as_nothing(shape: tuple[int, ...], grey: int) -> None:
    reading = base_reader().read([np.full(shape, grey, np.uint8)])[0]
    assert reading.text == ""
    assert reading.boxes == ()
    assert reading.per_character == ()
    assert reading.confidence > 0.5


def test_pictures_of_any_size_are_read_and_do_not_disturb_each_other() -> None:
    rng = np.random.default_rng(3)
    images = [
        np.zeros((1, 1), np.uint8),
        np.zeros((300, 1, 3), np.uint8),
        rng.integers(0, 255, (2, 3000, 3)).astype(np.uint8),
        draw_text("52", rng),
        draw_text("5283947", rng, height=17),
        draw_text("528", rng)[..., 0],
    ]
    together = base_reader().read(images)
    alone = [base_reader().read([image])[0] for image in images]
    assert [r.text for r in together] == [r.text for r in alone]
    assert [r.confidence for r in together] == pytest.approx([r.confidence for r in alone], abs=0.02)
    assert base_reader().read([]) == []


def test_it_learns_length_and_alphabet_from_captchas_without_labels() -> None:
    rng = np.random.default_rng(4)
    texts = random_texts(50, "246789", (4,))
    images = [draw_text(text, rng) for text in texts]
    base = base_reader()
    reader = adapted(base, images)
    assert reader.facts.lengths == (4,)
    assert set("246789") <= set(reader.classes)
    assert len(reader.classes) < 20

    def right(reader: SequenceReader) -> int:
        return sum(reading.text == text for reading, text in zip(reader.read(images), texts, strict=True))

    assert right(reader) >= right(base)
    assert replace(adapted(base, images[:10]).facts, height=32) == base.facts


def test_texts_of_two_lengths_are_not_taken_for_one() -> None:
    rng = np.random.default_rng(4)
    texts = random_texts(40, "246789", (4, 4, 4, 5))
    reader = adapted(base_reader(), [draw_text(text, rng) for text in texts])
    assert {len(text) for text in texts} == {4, 5}
    assert reader.facts.lengths == ()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_strokes_taken_for_characters_do_not_hide_the_one_length_of_a_set(
    seed: int, shared_data: Path
) -> None:
    """Of the captchas read most surely up to three in ten have a stroke that is read as one more character."""
    paths = sorted((shared_data / "words5").glob("*.*g"))
    chosen = np.random.default_rng(seed).permutation(len(paths))[:250]
    reader = adapted(base_reader(), [decode(paths[k].read_bytes()) for k in chosen])
    assert reader.facts.lengths == (5,)


def test_captchas_of_several_lengths_on_equally_wide_paper_keep_them() -> None:
    """Longer texts are squeezed there, and characters lie on each other."""
    rng = np.random.default_rng(4)
    texts = random_texts(120, "23456789ABCDEFGH", (4, 4, 5, 6))
    painter = ImageCaptcha()
    images = [np.array(painted(painter, text, rng).convert("RGB")) for text in texts]
    assert adapted(base_reader(), images).facts.lengths == ()


def test_it_learns_from_what_it_reads_surely_and_from_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapt, "ENOUGH", 40)
    monkeypatch.setattr(adapt, "STEPS", 6)
    monkeypatch.setattr(adapt, "BATCH_SIZE", 8)
    rng = np.random.default_rng(4)
    images = [draw_text(text, rng) for text in random_texts(45, "246789", (4,))]
    base = base_reader()
    before = {name: values.clone() for name, values in base.network.state_dict().items()}
    steps: list[tuple[int, int]] = []
    taught = self_taught(base, images, lambda done, total: steps.append((done, total)))
    assert steps[-1] == (6, 6)
    assert taught.facts == replace(adapted(base, images).facts, height=48)
    assert not torch.equal(taught.network.output.weight, adapted(base, images).network.output.weight)
    assert all(torch.equal(values, before[name]) for name, values in base.network.state_dict().items())
    # What spoils the readings is not kept.
    monkeypatch.setattr(adapt, "RATE", 10.0)
    spoilt = self_taught(base, images)
    assert torch.equal(spoilt.network.output.weight, adapted(base, images).network.output.weight)
    # Few captchas are not trained on.
    monkeypatch.setattr(adapt, "ENOUGH", 46)
    steps.clear()
    self_taught(base, images, lambda done, total: steps.append((done, total)))
    assert not steps


def test_a_reader_is_rebuilt_from_its_file(tmp_path: Path) -> None:
    facts = SequenceFacts(("a", "b", "猫"), ("aA", "bB", "猫"), (4, 5), 1.5, 1.3, height=48)
    path = tmp_path / "weights.safetensors"
    save_weights(path, facts.network().state_dict(), facts.metadata())
    assert SequenceReader.load(path).facts == facts
    earlier = replace(facts, height=32)
    written = {key: value for key, value in earlier.metadata().items() if key != "height"}
    save_weights(path, facts.network().state_dict(), written)  # as before there were several heights
    assert SequenceReader.load(path).facts == earlier
    save_weights(path, facts.network().state_dict(), {**facts.metadata(), "architecture": "lenet"})
    with pytest.raises(CaptchaLabError, match="sequence reader"):
        SequenceReader.load(path)
