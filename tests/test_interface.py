"""captcha_lab from Python: data for numpy and torch, whole steps, our errors for wrong arguments, short texts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

import captcha_lab
from captcha_lab.collect.endpoint.classic import render
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.recognise.sequence.reader import base_reader
from captcha_lab.store.images import read_image, write_image
from captcha_lab.store.packed.packed import PackedSet, write_packed
from tests.cli.conftest import invoke

CHARACTERS = "ACEH37"
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with 60 labelled captchas, and 60 glyphs of two classes."""
    folder = tmp_path_factory.mktemp("interface")
    random = np.random.default_rng(0)
    for number in range(60):
        text = "".join(random.choice(list(CHARACTERS), 4))
        write_image(folder / "pictures" / f"{text}_{number:03d}.png", render(text, random))
    assert invoke(folder, "import", "pictures").exit_code == 0
    images = random.integers(0, 256, (60, 20, 20), dtype=np.uint8)
    labels = (np.arange(60) % 3).astype(np.int16) - 1
    data = PackedSet(images, (np.arange(60) % 3 == 0).astype(np.uint8), labels, classes=("A", "B"))
    write_packed(folder / "datasets" / "glyphs" / "packed.h5", data)
    return folder


def test_importing_the_package_loads_no_library() -> None:
    code = "import captcha_lab, sys; print('torch' in sys.modules, 'numpy' in sys.modules, captcha_lab.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", captcha_lab.__version__]
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        _ = captcha_lab.nosuch
    for name in captcha_lab.__all__:
        assert getattr(captcha_lab, name).__doc__


def test_glyphs_for_numpy_and_torch(root: Path) -> None:
    data = captcha_lab.load_dataset("glyphs", workspace=root)
    assert repr(data) == "ImageSet(glyphs: 60 pictures of 20x20, 40 labelled, 2 classes)"
    assert np.asarray(data).shape == (60, 20, 20)
    train = data.part("train", labelled=True)
    assert set(np.asarray(train.labels)) == {0, 1}
    assert len(train) == 40
    images, labels = next(iter(DataLoader(train, batch_size=8)))  # type: ignore[arg-type]
    assert (tuple(images.shape), tuple(labels.shape)) == ((8, 20, 20), (8,))
    assert np.array_equal(images[0].numpy(), train.images[0])
    with pytest.raises(UsageError, match="no split 'all'"):
        data.part("all")
    assert repr(train.plot(count=2)) == "Plot(A, B)"
    assert data.plot(count=3)._repr_png_().startswith(PNG)
    with pytest.raises(UsageError, match="at least 1 picture"):
        data.plot(count=0)


def test_whole_captchas_with_their_texts(root: Path) -> None:
    data = captcha_lab.load_dataset(texts=True, workspace=root)
    assert len(data) == 60
    assert set("".join(map(str, data.labels))) == set(CHARACTERS)
    image, text = data[3]
    assert image.shape == (20, 80, 3)
    assert isinstance(text, str)
    images, texts = next(iter(DataLoader(data, batch_size=4)))  # type: ignore[arg-type]
    assert tuple(images.shape) == (4, 20, 80, 3)
    assert list(texts) == list(data.labels[:4])
    html = data._repr_html_()
    assert html.count("<img") == 32
    assert str(data.labels[0]) in html
    with pytest.raises(CaptchaLabError):
        captcha_lab.load_dataset("nosuch", texts=True, workspace=root)


def test_pictures_of_several_sizes_are_padded_with_white(tmp_path: Path) -> None:
    for text, shape in (("AA", (20, 30)), ("BB", (24, 50)), ("CC", (10, 50, 3))):
        picture = np.full(shape, ord(text[0]), np.uint8)
        picture[2:6, 3:8] = 0
        write_image(tmp_path / "pictures" / f"{text}.png", picture)
    assert invoke(tmp_path, "import", "pictures", "--labels", "filename").exit_code == 0
    data = captcha_lab.load_dataset(texts=True, workspace=tmp_path)
    assert data.images.shape == (3, 24, 50, 3)
    first = data.images[data.labels.index("AA") if isinstance(data.labels, tuple) else 0]
    assert (first[8:20, :30] == ord("A")).all()
    assert (first[20:] == 255).all()
    assert (first[:, 30:] == 255).all()


def test_the_reader_of_whole_captchas_takes_pictures_of_any_form(root: Path) -> None:
    path = min((root / "pictures").iterdir())
    reader = base_reader()
    assert repr(reader) == f"SequenceReader({len(reader.classes)} classes)"
    image = read_image(path)
    forms = [path, str(path), path.read_bytes(), Image.open(path), image / 255.0]
    (wanted,) = reader.read([image])
    assert [reading.text for reading in reader.read(forms)] == [wanted.text] * len(forms)
    with pytest.raises(CaptchaLabError, match="list of pictures"):
        reader.read(path.read_bytes())


def test_whole_steps(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    untrained = captcha_lab.read([min((root / "pictures").iterdir())], workspace=root)
    assert [type(one.text) for one in untrained] == [str]
    report = captcha_lab.train_recogniser(reader="glyph", epochs=1, name="reader", workspace=root)
    assert repr(report).startswith("ReaderReport(reader, glyph reader: validation ")
    assert "validation captchas" in report._repr_html_()
    assert repr(report.plot()) == "Plot(Loss, Accuracy)"
    reader = captcha_lab.load_recogniser(report.run.root)
    pictures = sorted((root / "pictures").iterdir())[:3]
    readings = reader.read(pictures)
    assert [len(reading.text) for reading in readings] == [4, 4, 4]
    assert captcha_lab.read(pictures, workspace=root) == readings
    assert repr(readings[0]) == f"Reading({readings[0].text!r}, {readings[0].confidence:.3f})"
    assert repr(reader).startswith("GlyphReader(")
    assert len(repr(reader)) < 80
    made = captcha_lab.train_generator("glyphs", recipe="draft", iterations=2, name="made", workspace=root)
    generator = captcha_lab.load_generator(made.run)
    assert repr(generator) == "Generator(draft: pictures of 20x20, 2 classes)"
    assert generator._repr_html_().count("<img") == 2
    assert repr(generator.plot(count=3)) == "Plot(A, B, A)"
    with pytest.raises(UsageError, match="at least 1 picture"):
        generator.plot(count=0)
    assert repr(made).startswith("GeneratorReport(made, draft: 2 iterations. ")
    assert made.verdict in made._repr_html_()
    assert made.plot()._repr_png_().startswith(PNG)
    by_name = generator.sample(labels=["A", "B", "A"], seed=1)
    assert np.array_equal(by_name, generator.sample(labels=[0, 1, 0], seed=1))
    for wrong, said in (
        (["C"], "no class 'C': choose from A, B"),
        ([7], "Class 7"),
        ([0.5], "Give class names"),
        (np.zeros((2, 5)), "Give class names"),
    ):
        with pytest.raises(UsageError, match=said):
            generator.sample(labels=wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no setting nosuch"):
        captcha_lab.train_generator("glyphs", workspace=root, nosuch=1)
    with pytest.raises(CaptchaLabError, match="no model nosuch"):
        captcha_lab.read(pictures, model="nosuch", workspace=root)
    monkeypatch.setattr("captcha_lab.extras.find_spec", lambda name: None)
    for one in (report, made):
        with pytest.raises(CaptchaLabError, match=r"needs matplotlib.*captcha-lab\[report\]"):
            one.plot()


def test_evaluation_in_a_notebook(root: Path, tmp_path: Path) -> None:
    captcha_lab.train_recogniser(reader="glyph", epochs=1, name="judging", workspace=root)
    done = captcha_lab.evaluate_models("judging", workspace=root)
    assert repr(done) == f"Evaluated({done.report.verdict} Report: {done.html_path})"
    assert done.report.verdict.split(":")[0] in done._repr_html_()
    assert done.plot().save(tmp_path / "evaluation.svg").read_text(encoding="utf-8").count("read right") >= 2
