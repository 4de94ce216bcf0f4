"""CelebA: the official layout in all its shapes, and everything that may be wrong with it."""

import io
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from captcha_lab.datasets.base import PrepareOptions, PrepareReport, prepare
from captcha_lab.datasets.packing import summarise_skipped
from captcha_lab.datasets.pictures import Framing, frame
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.packed.packed import PackedSet, read_packed
from captcha_lab.store.workspace import DatasetFolder
from tests.datasets.datasets_helpers import attribute_rows, face, write_jpeg
from tests.helpers import present


def pack(source: Path, tmp_path: Path, **options: object) -> tuple[PrepareReport, PackedSet]:
    report = prepare("celeba", source, DatasetFolder(tmp_path / "out"), PrepareOptions(**options))  # type: ignore[arg-type]
    return report, read_packed(report.path)


def zipped(root: Path, path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(root.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(root.parent))
    return path


def reasons(report: PrepareReport) -> dict[str, str]:
    return {Path(name).name: reason for name, reason in report.skipped}


def test_pictures_attributes_and_official_partition(celeba: Path, tmp_path: Path) -> None:
    report, data = pack(celeba, tmp_path)
    assert data.images.shape == (20, 128, 128, 3)
    assert report.splits == {"train": 14, "validation": 3, "test": 3}
    assert report.skipped == ()
    assert report.notes == ()
    assert data.attribute_names == ("Smiling", "Male", "Young")
    assert np.array_equal(present(data.attributes), (np.array(attribute_rows()) > 0).astype(np.int8))
    assert data.source is not None
    assert data.source.tolist() == list(range(1, 21))
    decoded = present(cv2.imread(str(celeba / "img_align_celeba" / "000003.jpg"), cv2.IMREAD_COLOR_RGB))
    expected = cv2.resize(decoded[35:183, 15:163], (128, 128), interpolation=cv2.INTER_AREA)
    assert np.array_equal(data.images[2], expected)


@pytest.mark.parametrize(("crop", "size"), [("108", 64), ("none", 64), ("148", 148), ("108", 128)])
def test_crops_and_sizes(celeba: Path, tmp_path: Path, crop: str, size: int) -> None:
    _, data = pack(celeba, tmp_path, crop=crop, size=size)
    picture = present(cv2.imread(str(celeba / "img_align_celeba" / "000005.jpg"), cv2.IMREAD_COLOR_RGB))
    if crop != "none":
        side = int(crop)
        top, left = (218 - side) // 2, (178 - side) // 2
        picture = picture[top : top + side, left : left + side]
    how = cv2.INTER_AREA if min(picture.shape[:2]) >= size else cv2.INTER_CUBIC
    assert np.array_equal(data.images[4], cv2.resize(picture, (size, size), interpolation=how))


def test_grey(celeba: Path, tmp_path: Path) -> None:
    assert pack(celeba, tmp_path, size=64, grey=True)[1].images.shape == (20, 64, 64)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("layout", ["all in one", "official", "pictures only"])
def test_layouts_give_the_same(celeba: Path, tmp_path: Path, layout: str, method: int) -> None:
    _, expected = pack(celeba, tmp_path / "a", size=32)
    if layout == "all in one":
        source = zipped(celeba, tmp_path / "celeba.zip", method)
    elif layout == "official":
        source = tmp_path / "CelebA"
        for name, file in (
            ("Anno", "list_attr_celeba.txt"),
            ("Eval", "list_eval_partition.txt"),
            ("Anno", "identity_CelebA.txt"),
        ):
            (source / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(celeba / file, source / name)
        (source / "Img").mkdir()
        zipped(celeba / "img_align_celeba", source / "Img" / "img_align_celeba.zip", method)
    else:
        source = celeba / "img_align_celeba"
    _, data = pack(source, tmp_path / "b", size=32)
    for name in ("images", "attributes", "split", "source", "duplicate"):
        assert np.array_equal(getattr(data, name), getattr(expected, name)), name


def test_chosen_attributes(celeba: Path, tmp_path: Path) -> None:
    _, data = pack(celeba, tmp_path, size=32, attributes=("male", "Smiling"))
    assert data.attribute_names == ("Male", "Smiling")
    assert np.array_equal(
        present(data.attributes), (np.array(attribute_rows())[:, [1, 0]] > 0).astype(np.int8)
    )
    assert pack(celeba, tmp_path / "once", size=32, attributes=("Young", "young"))[0].attributes == ("Young",)
    with pytest.raises(UsageError, match="Smilling"):
        pack(celeba, tmp_path / "other", attributes=("Smilling",))
    assert not (tmp_path / "other" / "out").exists()


def test_missing_tables(celeba: Path, tmp_path: Path) -> None:
    (celeba / "list_attr_celeba.txt").unlink()
    (celeba / "list_eval_partition.txt").unlink()
    report, data = pack(celeba, tmp_path, size=32)
    assert data.attributes is None
    assert data.info["split"] == "by person"
    person = (np.asarray(data.source) - 1) // 2
    assert all(len(set(data.split[person == p])) == 1 for p in set(person))
    assert len(report.notes) == 2
    with pytest.raises(UsageError, match="--attributes"):
        pack(celeba, tmp_path / "other", attributes=("Male",))
    (celeba / "identity_CelebA.txt").unlink()
    assert pack(celeba, tmp_path / "third", size=32)[1].info["split"] == "by picture"


def test_pictures_that_do_not_fit_are_reported_and_skipped(celeba: Path, tmp_path: Path) -> None:
    pictures = celeba / "img_align_celeba"
    whole = (pictures / "000001.jpg").read_bytes()
    (pictures / "000001.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    (pictures / "000002.jpg").write_text("this is no picture")
    (pictures / "000003.jpg").write_bytes(b"")
    write_jpeg(pictures / "000004.jpg", face(4, 200, 218))
    write_jpeg(pictures / "000021.jpg", face(21))
    (pictures / "000005.jpg").write_bytes(whole[:40])
    report, data = pack(celeba, tmp_path, size=32)
    said = reasons(report)
    assert said["000001.jpg"] == "the image is damaged or cut short"
    assert said["000002.jpg"] == "not an image of a known format"
    assert said["000003.jpg"] == "the file is empty"
    assert said["000004.jpg"] == "is 200x218 pixels, not 178x218"
    assert said["000005.jpg"] == "the image is damaged or cut short"
    assert said["000021.jpg"] == "has no row in list_attr_celeba.txt"
    assert len(said) == 6
    assert report.pictures == len(data) == 15
    assert data.source is not None
    assert data.source.tolist() == list(range(6, 21))
    assert np.array_equal(present(data.attributes), (np.array(attribute_rows())[5:] > 0).astype(np.int8))
    assert report.splits["train"] == 9
    lines = summarise_skipped(report.skipped)
    assert any("2 skipped (the image is damaged or cut short): " in line for line in lines)
    clean, expected = pack_clean(celeba, tmp_path, range(6, 21))
    assert clean.pictures == 15
    assert np.array_equal(data.images, expected.images)


def pack_clean(celeba: Path, tmp_path: Path, keep: range) -> tuple[PrepareReport, PackedSet]:
    for path in (celeba / "img_align_celeba").iterdir():
        if int(path.stem) not in keep:
            path.unlink()
    return pack(celeba, tmp_path / "clean", size=32)


def test_a_jpeg_with_a_preview_inside_is_still_seen_to_be_cut(celeba: Path, tmp_path: Path) -> None:
    path = celeba / "img_align_celeba" / "000001.jpg"
    whole = path.read_bytes()
    preview = b"Exif\0\0" + whole  # an end marker inside a header
    with_preview = whole[:2] + b"\xff\xe1" + (len(preview) + 2).to_bytes(2, "big") + preview + whole[2:]
    path.write_bytes(with_preview)
    assert pack(celeba, tmp_path / "a", size=32)[0].skipped == ()
    path.write_bytes(with_preview[:-20])
    assert reasons(pack(celeba, tmp_path / "b", size=32)[0]) == {
        "000001.jpg": "the image is damaged or cut short"
    }


def test_jpegs_that_decoders_would_fill_with_grey_are_skipped(
    celeba: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pictures = celeba / "img_align_celeba"
    colour = (pictures / "000001.jpg").read_bytes()
    Image.fromarray(face(6)).convert("CMYK").save(pictures / "000006.jpg")
    cmyk = (pictures / "000006.jpg").read_bytes()
    scan = len(colour) * 2 // 3
    noise = np.random.default_rng(0).integers(0, 256, 200, np.uint8).tobytes()
    damaged = {
        "000001.jpg": colour[:scan] + b"\xff\xd9",
        "000002.jpg": colour[:scan] + b"\xff\xd9" + colour[scan + 2 :],
        "000003.jpg": colour[:scan] + noise + colour[scan + 200 :],
        "000004.jpg": colour[:scan] + bytes(200) + colour[scan + 200 :],
        "000005.jpg": colour[:-2],
        "000006.jpg": cmyk[: len(cmyk) * 2 // 3] + b"\xff\xd9",
    }
    for name, data in damaged.items():
        (pictures / name).write_bytes(data)
    report, _ = pack(celeba, tmp_path, size=32)
    said = reasons(report)
    assert said.keys() == damaged.keys()
    assert all(reason.startswith("the image is damaged") for reason in said.values())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("orientation", range(10))
def test_pictures_are_turned_as_their_exif_header_says(orientation: int) -> None:
    exif, file = Image.Exif(), io.BytesIO()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Orientation] = "Maker", orientation
    Image.fromarray(face(1, 40, 24)).save(file, "JPEG", exif=exif)
    data = file.getvalue()
    turned = present(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB))
    out = np.empty((24, 24, 3), np.uint8)
    assert frame(data, Framing(24, 24), out) == "rgb"
    top, left = (turned.shape[0] - 24) // 2, (turned.shape[1] - 24) // 2
    # Another build of the decoder may round a colour otherwise.
    assert np.abs(out.astype(int) - turned[top : top + 24, left : left + 24]).max() <= 2


def test_grey_and_cmyk_jpegs_are_converted_and_said(celeba: Path, tmp_path: Path) -> None:
    pictures = celeba / "img_align_celeba"
    write_jpeg(pictures / "000001.jpg", cv2.cvtColor(face(1), cv2.COLOR_RGB2GRAY))
    Image.fromarray(face(2)).convert("CMYK").save(pictures / "000002.jpg", quality=95)
    report, data = pack(celeba, tmp_path, size=64)
    assert report.skipped == ()
    assert set(report.notes) == {"1 grey pictures were converted.", "1 cmyk pictures were converted."}
    assert (data.images[0] == data.images[0][..., :1]).all()
    expected = cv2.resize(face(2)[35:183, 15:163], (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(data.images[1].astype(int) - expected).mean() < 8


@pytest.mark.parametrize(
    ("change", "note", "skipped"),
    [
        (lambda rows: ["202599", *rows[1:]], "promises 202599 rows and has 20", {}),
        (lambda rows: [*rows, rows[4], rows[4]], "names 1 pictures more than once", {}),
        (
            lambda rows: [*rows[:2], rows[2].rsplit(" ", 1)[0] + " 2", *rows[3:]],
            None,
            {"000001.jpg": "neither 1 nor -1"},
        ),
        (lambda rows: [*rows[:2], rows[2] + " 1", *rows[3:]], None, {"000001.jpg": "has 4 values, not 3"}),
        (lambda rows: rows[:-1], "promises 20 rows and has 19", {"000020.jpg": "has no row"}),
    ],
)
def test_attribute_files_with_faults(
    celeba: Path, tmp_path: Path, change: object, note: str | None, skipped: dict[str, str]
) -> None:
    path = celeba / "list_attr_celeba.txt"
    path.write_text("\n".join(change(path.read_text().splitlines())))  # type: ignore[operator]
    report, data = pack(celeba, tmp_path, size=32)
    if note is not None:
        assert any(note in line for line in report.notes)
    said = reasons(report)
    assert said.keys() == skipped.keys()
    assert all(skipped[name] in said[name] for name in said)
    assert len(data) == 20 - len(said)


def test_an_attribute_file_of_another_kind(celeba: Path, tmp_path: Path) -> None:
    (celeba / "list_attr_celeba.txt").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(CaptchaLabError, match="no text file"):
        pack(celeba, tmp_path)
    (celeba / "list_attr_celeba.txt").write_text("one line")
    with pytest.raises(CaptchaLabError, match="no line of attribute names"):
        pack(celeba, tmp_path)
    (celeba / "list_attr_celeba.txt").write_text("1\nA A B\n000001.jpg 1 1 1\n")
    with pytest.raises(CaptchaLabError, match="names A more than once"):
        pack(celeba, tmp_path)


def test_bad_archives_are_refused_whole(celeba: Path, tmp_path: Path) -> None:
    path = zipped(celeba, tmp_path / "celeba.zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CaptchaLabError, match="no whole zip archive"):
        pack(path, tmp_path)
    for name in ("../../evil.jpg", "/etc/evil.jpg", "a/../../evil.jpg", "..\\evil.jpg", "C:\\evil.jpg"):
        path.write_bytes(whole)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, b"x")
        with pytest.raises(CaptchaLabError, match="outside of itself"):
            pack(path, tmp_path)
    with zipfile.ZipFile(path, "w"):
        pass
    with pytest.raises(CaptchaLabError, match="empty archive"):
        pack(path, tmp_path)
    with pytest.raises(CaptchaLabError, match="does not exist"):
        pack(tmp_path / "nothing", tmp_path)
    path.write_bytes(whole[: len(whole) // 3] + whole[len(whole) // 3 + 5000 :])
    with pytest.raises(CaptchaLabError, match=r"no whole zip archive .bytes are missing"):
        pack(path, tmp_path)
    path.write_bytes(b"\x1f\x8b a tape")
    for other in (path, Path("/dev/null")):
        with pytest.raises(CaptchaLabError, match=f"{other} is neither a folder nor a zip"):
            pack(other, tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_flipped_byte_in_a_table_names_it(celeba: Path, tmp_path: Path) -> None:
    path = zipped(celeba, tmp_path / "celeba.zip", zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.index(b"Smiling")] ^= 0x20
    path.write_bytes(data)
    with pytest.raises(
        CaptchaLabError, match=r"celeba\.zip/.*list_attr_celeba\.txt can't be read .*checksum"
    ):
        pack(path, tmp_path)


def test_a_flipped_byte_in_an_archive_is_one_skipped_picture(celeba: Path, tmp_path: Path) -> None:
    path = zipped(celeba, tmp_path / "celeba.zip", zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("celeba/img_align_celeba/000007.jpg")
    data[info.header_offset + 200] ^= 0xFF
    path.write_bytes(data)
    assert "damaged" in reasons(pack(path, tmp_path, size=32)[0])["000007.jpg"]


def test_same_bytes_twice_are_marked_in_the_later_split(celeba: Path, tmp_path: Path) -> None:
    pictures = celeba / "img_align_celeba"
    shutil.copy(pictures / "000003.jpg", pictures / "000020.jpg")
    data = pack(celeba, tmp_path, size=32)[1]
    assert data.duplicate is not None
    assert data.duplicate.tolist() == [0] * 19 + [1]


def test_the_subset_of_real_faces(shared_data: Path, tmp_path: Path) -> None:
    source = tmp_path / "celeba"
    (source / "img_align_celeba").mkdir(parents=True)
    for path in sorted((shared_data / "celeba" / "img_align_celeba").iterdir())[:50]:
        (source / "img_align_celeba" / path.name).symlink_to(path)
    shutil.copy(shared_data / "celeba" / "list_attr_celeba.malformed.txt", source / "list_attr_celeba.txt")
    report, data = pack(source, tmp_path, size=64)
    assert report.notes[0] == "list_attr_celeba.txt promises 202599 rows and has 198."
    assert len(report.attributes) == 40
    assert len(data) + len(report.skipped) == 50
