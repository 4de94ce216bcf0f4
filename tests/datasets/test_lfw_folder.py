"""LFW and plain folders of pictures; the command `prepare`."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from captcha_lab.cli import app
from captcha_lab.datasets import celeba as celeba_module
from captcha_lab.datasets import folder, lfw, mnist
from captcha_lab.datasets.base import PrepareOptions, dataset_module, dataset_names, prepare
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.packed.packed import read_packed
from captcha_lab.store.workspace import DatasetFolder
from tests.datasets.datasets_helpers import face, write_jpeg
from tests.helpers import present


def test_lfw_persons_are_classes_and_stay_in_one_split(tmp_path: Path) -> None:
    root = tmp_path / "lfw_funneled"
    for person in range(12):
        for k in range(1, 4):
            pixels = face(10 * person + k, 250, 250)
            grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
            write_jpeg(
                root / f"Person_{person:02d}" / f"Person_{person:02d}_{k:04d}.jpg", grey if k == 2 else pixels
            )
    write_jpeg(root / "loose.jpg", face(1, 250, 250))
    report = prepare("lfw", root, DatasetFolder(tmp_path / "a"), PrepareOptions(size=64))
    data = read_packed(report.path)
    assert data.images.shape == (36, 64, 64, 3)
    assert len(data.classes) == 12
    assert data.labels is not None
    for label in range(12):
        assert len(set(data.split[data.labels == label])) == 1
    assert report.notes == ("12 grey pictures were converted.",)
    assert report.skipped == (("loose.jpg", "lies in no person's folder"),)


def test_lfw_cropped_to_the_faces_comes_as_pgm(tmp_path: Path) -> None:
    grey = cv2.cvtColor(face(1, 64, 64), cv2.COLOR_RGB2GRAY)
    folder = tmp_path / "faces" / "Person"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "a.pgm"), grey)
    cv2.imwrite(str(folder / "b.tif"), grey)
    cv2.imwrite(str(folder / "deep.tif"), grey.astype(np.float32))
    (folder / "cut.pgm").write_bytes((folder / "a.pgm").read_bytes()[:-9])
    (folder / "cut.tif").write_bytes((folder / "b.tif").read_bytes()[:-9])
    Image.fromarray(grey).save(folder / "odd.tif")
    data = bytearray((folder / "odd.tif").read_bytes())
    after = 8 + 2 + 12 * int.from_bytes(data[8:10], "little")  # where the next picture's directory is named
    data[after : after + 4] = data.index(b"\0\0").to_bytes(4, "little")  # and lies: it is empty
    (folder / "odd.tif").write_bytes(data)
    Image.fromarray(grey).save(
        folder / "moves.gif", save_all=True, append_images=[Image.fromarray(255 - grey)]
    )
    options = PrepareOptions(size=64, grey=True)
    report = prepare("lfw", tmp_path / "faces", DatasetFolder(tmp_path / "a"), options)
    packed = read_packed(report.path)
    assert len(packed) == 2
    assert (packed.images == grey).all()
    assert "must be one picture" in dict(report.skipped)["Person/odd.tif"]
    assert (
        dict(report.skipped)["Person/deep.tif"] == "a TIFF packed this way, or of such colours, is not taken"
    )
    assert dict(report.skipped)["Person/moves.gif"] == "an animated GIF is not taken: it must be one picture"


def test_lfw_embedded_faces(tmp_path: Path) -> None:
    report = prepare("lfw", None, DatasetFolder(tmp_path / "a"))
    data = read_packed(report.path)
    assert data.images.shape == (100, 64, 64, 3)
    assert report.splits == {"train": 80, "validation": 10, "test": 10}
    grey = prepare("lfw", None, DatasetFolder(tmp_path / "b"), PrepareOptions(size=25, grey=True))
    from skimage.data import lfw_subset

    assert np.array_equal(read_packed(grey.path).images, np.round(lfw_subset()[:100] * 255).astype(np.uint8))


def test_folders_name_classes(tmp_path: Path) -> None:
    for k in range(12):
        write_jpeg(tmp_path / "pets" / ("cat", "dog")[k % 2] / f"{k}.jpg", face(k, 40 + k, 50))
    cv2.imwrite(str(tmp_path / "pets" / "dog" / "x.png"), np.full((30, 30, 4), 128, np.uint8))
    cv2.imwrite(str(tmp_path / "pets" / "y.bmp"), np.zeros((30, 30), np.uint8))
    report = prepare("folder", tmp_path / "pets", DatasetFolder(tmp_path / "a"), PrepareOptions(size=16))
    data = read_packed(report.path)
    assert data.classes == ("cat", "dog")
    assert data.labels is not None
    assert data.labels.tolist() == [0] * 6 + [1] * 7 + [-1]


def test_folders_may_fix_the_split(tmp_path: Path) -> None:
    for split, count in (("train", 5), ("val", 2), ("test", 3)):
        for k in range(count):
            write_jpeg(tmp_path / "all" / split / "ab"[k % 2] / f"{k}.jpg", face(k, 30, 30))
    report = prepare("folder", tmp_path / "all", DatasetFolder(tmp_path / "a"), PrepareOptions(size=16))
    assert report.splits == {"train": 5, "validation": 2, "test": 3}
    assert read_packed(report.path).classes == ("a", "b")
    assert report.info["split"] == "by folder"


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    for k in range(12):
        write_jpeg(tmp_path / "all" / ("train", "plane")[k % 2] / f"{k}.jpg", face(k, 30, 30))
    (tmp_path / "all" / "list.html").write_text("")
    report = prepare("folder", tmp_path / "all", DatasetFolder(tmp_path / "a"), PrepareOptions(size=16))
    assert read_packed(report.path).classes == ("plane", "train")
    assert report.info["split"] == "by picture"
    assert "1 other file was left alone: 1 .html." in report.notes


def test_a_flat_folder_has_no_classes(tmp_path: Path) -> None:
    for k in range(10):
        write_jpeg(tmp_path / "flat" / f"{k}.jpg", face(k, 30, 60))
    report = prepare("folder", tmp_path / "flat", DatasetFolder(tmp_path / "a"), PrepareOptions(size=30))
    data = read_packed(report.path)
    assert data.labels is None
    picture = present(cv2.imread(str(tmp_path / "flat" / "0.jpg"), cv2.IMREAD_COLOR_RGB))
    assert np.array_equal(data.images[0], picture[15:45])


def test_a_picture_smaller_than_the_crop(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "p" / "a.jpg", face(1, 100, 200))
    write_jpeg(tmp_path / "p" / "b.jpg", face(1, 200, 200))
    report = prepare("folder", tmp_path / "p", DatasetFolder(tmp_path / "a"), PrepareOptions(crop="148"))
    assert report.skipped == (("a.jpg", "is 100x200 pixels, smaller than the crop of 148"),)


@pytest.mark.parametrize("options", [{"size": 4}, {"crop": "99"}, {"workers": 0}])
def test_impossible_options(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(options))}"):
        PrepareOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", dataset_names())
@pytest.mark.parametrize("option", [{"size": 32}, {"crop": "108"}, {"attributes": ("Male",)}, {"grey": True}])
@pytest.mark.parametrize("path", ["nowhere", None])
def test_an_option_is_followed_or_refused(
    name: str, option: dict[str, object], path: str | None, tmp_path: Path
) -> None:
    module, given = dataset_module(name), next(iter(option))
    source = tmp_path / path if path else None
    follows = given in (module.options if source else module.embedded_options)
    if source is None and module.embedded is None:
        expected = "needs a PATH"
    elif not follows:
        expected = f"--{given} has no meaning for `prepare {name}`"
    elif source is not None:
        expected = "does not exist"
    else:
        prepare(name, source, DatasetFolder(tmp_path / "a"), PrepareOptions(**option))  # type: ignore[arg-type]
        return
    with pytest.raises(CaptchaLabError, match=expected):
        prepare(name, source, DatasetFolder(tmp_path / "a"), PrepareOptions(**option))  # type: ignore[arg-type]


def test_help_tells_every_module_and_its_defaults() -> None:
    said = " ".join(CliRunner().invoke(app, ["prepare", "--help"]).stdout.split())
    assert f"One of {', '.join(dataset_names())}." in said
    assert lfw.SIZE == folder.SIZE
    assert f"celeba {celeba_module.SIZE}, lfw and folder {lfw.SIZE}, mnist {mnist.SIDE}" in said
    assert f"celeba {celeba_module.CROP}, lfw {lfw.CROP}" in said


def test_empty_folders(tmp_path: Path) -> None:
    for name in ("celeba", "folder", "lfw"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(CaptchaLabError, match="holds no"):
            prepare(name, tmp_path / "empty", DatasetFolder(tmp_path / "a"))
    assert not (tmp_path / "a").exists()


def test_the_command(celeba: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (celeba / "img_align_celeba" / "000001.jpg").write_text("no picture")
    runner = CliRunner()
    result = runner.invoke(
        app, ["prepare", "celeba", "celeba", "--size", "32", "--attributes", "Male, Young", "--json"]
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["pictures"] == 19
    assert report["attributes"] == ["Male", "Young"]
    assert "1 skipped (not an image of a known format): 000001.jpg" in result.stderr
    result = runner.invoke(app, ["prepare", "mnist", "--dataset", "digits"])
    assert result.exit_code == 0, result.output
    assert "1797 pictures of 28x28" in result.stdout
    assert Path("datasets/digits/packed.h5").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["imagenet"], 2, "choose one of"),
        (["celeba"], 2, "needs a PATH"),
        (["lfw", "--attributes", "Male"], 2, "which takes --size, --grey"),
        (["lfw", "celeba", "--attributes", "Male"], 2, "which takes --size, --crop, --grey"),
        (["mnist", "--crop", "108"], 2, "--crop has no meaning for `prepare mnist` without a PATH"),
        (["celeba", "nowhere"], 1, "does not exist"),
        (["celeba", "celeba", "--crop", "7"], 2, "--crop 7"),
        (["celeba", "celeba", "--attributes", "Smily"], 2, "did you mean Smiling?"),
        (["mnist", "celeba"], 1, "train-images-idx3-ubyte"),
    ],
)
def test_bad_requests_are_one_line(
    celeba: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["prepare", *arguments])
    assert result.exit_code == code
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not Path("datasets").exists()
