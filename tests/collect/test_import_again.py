"""Labels that are imported, corrected, kept and exported: half a text never leaves as a whole one."""

import sqlite3
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image

from captcha_lab.collect.exchange.exporter import export_dataset
from captcha_lab.collect.exchange.importer import ImportReport, import_path, plan_import
from captcha_lab.collect.exchange.options import FORMATS, ImportOptions
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
from captcha_lab.store.images import decode
from captcha_lab.store.workspace import DatasetFolder, WorkspaceConfig

TEXTS = ("A7KX", "22BC", "345", "WXYZ2", "9876")
ARRAYS = {"mat": "captchas.mat", "h5": "captchas.h5"}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Five captchas named by counters, and a list of their texts of three lengths."""
    rng = np.random.default_rng(3)
    (tmp_path / "raw").mkdir()
    for k in range(len(TEXTS)):
        pixels = rng.integers(0, 256, (8, 16 + k, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "raw" / f"{k}.png"), pixels, [cv2.IMWRITE_PNG_COMPRESSION, k % 10])
    write(tmp_path / "raw", TEXTS)
    return tmp_path / "raw"


@pytest.fixture
def dataset(tmp_path: Path) -> DatasetFolder:
    return DatasetFolder(tmp_path / "datasets" / "one")


def write(raw: Path, texts: tuple[str, ...]) -> None:
    lines = [f"{k}.png,{text}" for k, text in enumerate(texts)]
    (raw / "labels.csv").write_text("\n".join(["file,text", *lines]))


def run(source: Path, folder: DatasetFolder, **options: object) -> ImportReport:
    return import_path(source, folder, WorkspaceConfig(), ImportOptions(**options))  # type: ignore[arg-type]


def texts(folder: DatasetFolder) -> dict[int, str]:
    with Catalog(folder.catalog_path, create=False) as catalog:
        return {image_id: label.value for image_id, label in LabelLog(catalog).text_labels().items()}


def record(folder: DatasetFolder, *events: LabelEvent) -> None:
    with Catalog(folder.catalog_path, create=False) as catalog:
        LabelLog(catalog).record(events[0].source, events)


def changes(report: ImportReport) -> tuple[int, int, int, int]:
    return report.labelled, report.changed, len(report.kept), len(report.skipped)


def source_of(folder: Path, format: str) -> Path:
    return folder / ARRAYS[format] if format in ARRAYS else folder


def test_one_event_speaks_of_the_whole_text(raw: Path, dataset: DatasetFolder) -> None:
    report = run(raw, dataset)
    assert changes(report) == (5, 0, 0, 0)
    assert report.facts is not None
    assert report.facts.lengths == {3: 1, 4: 3, 5: 1}
    with Catalog(dataset.catalog_path) as catalog:
        events = [event for _, event in LabelLog(catalog).events("import")]
    assert [(e.position, e.value, e.source) for e in events] == [(None, text, "import") for text in TEXTS]


def test_imports_replace_imports_and_are_counted(raw: Path, dataset: DatasetFolder) -> None:
    run(raw, dataset)
    write(raw, ("A7KX", "22BD", "3456", "WXYZ2", ""))
    assert changes(run(raw, dataset)) == (0, 2, 0, 0)
    assert texts(dataset) == {1: "A7KX", 2: "22BD", 3: "3456", 4: "WXYZ2", 5: "9876"}
    assert changes(run(raw, dataset)) == (0, 0, 0, 0)


@pytest.mark.parametrize("format", FORMATS)
def test_our_own_exports_correct_imports(
    format: str, raw: Path, dataset: DatasetFolder, tmp_path: Path
) -> None:
    run(raw, dataset)
    target = export_dataset(dataset, tmp_path / "out", format).path
    write(raw, ("ZZZZ", "22BC", "345", "WXYZ2", "9876"))
    run(raw, dataset)
    labels = {"folders": "folder", "filenames": "filename"}.get(format, "auto")
    back = run(source_of(target, format), dataset, labels=labels)
    assert changes(back) == (0, 1, 0, 0)
    assert back.stored == 0
    assert list(texts(dataset).values()) == list(TEXTS)


def test_a_persons_labels_stay_unless_replaced(raw: Path, dataset: DatasetFolder) -> None:
    run(raw, dataset, labels="none")
    record(
        dataset,
        LabelEvent(1, None, "B8KX"),
        LabelEvent(2, 0, "Q"),
        LabelEvent(5, 0, "9"),
        LabelEvent(3, None, ""),
    )
    report = run(raw, dataset)
    assert changes(report) == (1, 1, 3, 0)
    assert "'B8KX' stays against 'A7KX'" in report.kept[0][1]
    assert texts(dataset) == {1: "B8KX", 3: "", 4: "WXYZ2", 5: "9876"}
    assert changes(run(raw, dataset, replace=True)) == (0, 3, 0, 0)
    assert list(texts(dataset).values()) == list(TEXTS)


def test_a_models_labels_give_way(raw: Path, dataset: DatasetFolder) -> None:
    run(raw, dataset, labels="none")
    record(dataset, LabelEvent(1, None, "A7KX", "model"), LabelEvent(2, None, "8888", "model"))
    assert changes(run(raw, dataset)) == (5, 0, 0, 0)
    with Catalog(dataset.catalog_path) as catalog:
        assert {label.source for label in LabelLog(catalog).text_labels().values()} == {"import"}


def test_the_same_picture_twice_with_two_texts_is_a_problem(raw: Path, dataset: DatasetFolder) -> None:
    (raw / "5.png").write_bytes((raw / "0.png").read_bytes())
    write(raw, (*TEXTS, "QQQQ"))
    report = run(raw, dataset)
    assert [name for name, _ in report.skipped] == ["5.png"]
    assert "0.png is the same image, labelled 'A7KX'" in report.skipped[0][1]
    assert texts(dataset)[1] == "A7KX"
    write(raw, (*TEXTS, "A7KX"))
    assert changes(run(raw, DatasetFolder(dataset.root.parent / "two"))) == (5, 0, 0, 0)


@pytest.fixture
def half_labelled(raw: Path, dataset: DatasetFolder) -> DatasetFolder:
    """Two of four places of captcha 1 labelled before cutting, captcha 2 unreadable, captcha 3 whole."""
    run(raw, dataset, labels="none")
    record(
        dataset,
        LabelEvent(1, 0, "A"),
        LabelEvent(1, 1, "B"),
        LabelEvent(2, None, ""),
        LabelEvent(3, None, "345"),
    )
    return dataset


@pytest.mark.parametrize("format", FORMATS)
def test_half_a_text_never_leaves_as_a_whole_one(
    format: str, half_labelled: DatasetFolder, tmp_path: Path
) -> None:
    report = export_dataset(half_labelled, tmp_path / "out", format)
    assert (report.captchas, report.labelled, report.unreadable) == (5, 1, 1)
    assert report.partial == (0 if format == "jsonl" else 1)
    other = DatasetFolder(tmp_path / "datasets" / "two")
    labels = {"folders": "folder", "filenames": "filename"}.get(format, "auto")
    assert run(source_of(report.path, format), other, labels=labels).skipped == []
    kept = {"filenames": {3: "345"}}.get(format, {2: "", 3: "345"})
    assert sorted(texts(other).values()) == sorted(kept.values())
    if format == "jsonl":
        with Catalog(other.catalog_path) as catalog:
            places = {place: label.value for place, label in LabelLog(catalog).current().items()}
        assert places == {(1, 0): "A", (1, 1): "B"}


def test_names_of_half_labelled_captchas_hold_no_text(half_labelled: DatasetFolder, tmp_path: Path) -> None:
    names = sorted(
        p.name for p in export_dataset(half_labelled, tmp_path / "out", "filenames").path.iterdir()
    )
    assert names == ["345_000003.png", "_000001.png", "_000002.png", "_000004.png", "_000005.png"]


def test_arrays_are_padded_and_say_their_lengths(raw: Path, dataset: DatasetFolder, tmp_path: Path) -> None:
    run(raw, dataset, labels="none")
    record(dataset, LabelEvent(1, None, "ABCDE"), LabelEvent(2, None, "23"), LabelEvent(3, None, ""))
    export_dataset(dataset, tmp_path / "h5", "h5")
    with h5py.File(tmp_path / "h5" / "captchas.h5") as file:
        alphabet = str(file.attrs["alphabet"])
        assert file["length"][()].tolist() == [5, 2, 0, -1, -1]
        rows = ["".join(alphabet[k] for k in row if k >= 0) for row in file["text"][()]]
        assert (file["text"][1, 2:] == -1).all()
    assert rows == ["ABCDE", "23", "", "", ""]
    export_dataset(dataset, tmp_path / "mat", "mat")
    values = scipy.io.loadmat(tmp_path / "mat" / "captchas.mat")
    assert values["length"].ravel().tolist() == [5, 2, 0, -1, -1]
    assert values["labels"][1].tolist() == [1, 2, 0, 0, 0]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("extension", "/../../../escaped"),
        ("extension", "exe"),
        ("sha256", "../../../escaped"),
        ("split", "../.."),
    ],
)
@pytest.mark.parametrize("format", ["filenames", "csv", "mat"])
def test_export_writes_only_below_its_target(
    column: str, value: str, format: str, raw: Path, dataset: DatasetFolder, tmp_path: Path
) -> None:
    run(raw, dataset)
    with sqlite3.connect(dataset.catalog_path) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE image SET {column} = ? WHERE id = 2", (value,))
    connection.close()
    before = set(tmp_path.rglob("*"))
    report = export_dataset(dataset, tmp_path / "a" / "b" / "out", format)
    assert [name for name, _ in report.skipped] == ["captcha 2"]
    assert report.captchas == 4
    new = set(tmp_path.rglob("*")) - before
    assert all(p.is_relative_to(tmp_path / "a") for p in new)
    assert not list((tmp_path / "a").glob("*.png"))


def test_a_damaged_picture_does_not_stop_an_export(raw: Path, dataset: DatasetFolder, tmp_path: Path) -> None:
    run(raw, dataset)
    next(dataset.blobs.rglob("*.png")).write_bytes(b"")
    report = export_dataset(dataset, tmp_path / "out", "jsonl")
    assert (report.captchas, len(report.skipped)) == (4, 1)


def test_pictures_set_aside_are_not_exported(raw: Path, dataset: DatasetFolder, tmp_path: Path) -> None:
    run(raw, dataset)
    with Catalog(dataset.catalog_path) as catalog:
        catalog.set_aside([2], "blank")
    assert export_dataset(dataset, tmp_path / "out", "filenames").captchas == 4


def test_a_plan_writes_nothing(raw: Path, dataset: DatasetFolder) -> None:
    (raw / "broken.png").write_bytes(b"no picture")
    write(raw, (*TEXTS[:4], "a b"))
    with (raw / "labels.csv").open("a") as file:
        file.write("\nbroken.png,AB12")
    before = sorted(raw.parent.rglob("*"))
    plan = plan_import(raw, WorkspaceConfig(), ImportOptions())
    assert sorted(raw.parent.rglob("*")) == before
    rows = {image.name: (image.text, image.why) for image in plan.images}
    assert rows["0.png"] == ("A7KX", "labels.csv, line 2")
    assert "not one visible character" in rows["4.png"][1]
    assert rows["broken.png"][1].startswith("not taken: not an image")


def animation(path: Path, frames: list[np.ndarray]) -> None:
    first, *rest = [Image.fromarray(frame) for frame in frames]
    first.save(path, save_all=True, append_images=rest, duration=80, loop=0)


@pytest.mark.parametrize("ending", [".gif", ".png", ".webp"])
def test_a_frame_of_an_animation_or_all_of_them(ending: str, tmp_path: Path, dataset: DatasetFolder) -> None:
    blank = np.full((20, 40, 3), 255, np.uint8)
    frames = [blank.copy() for _ in range(3)]
    for k, frame in enumerate(frames):
        frame[5:15, 4 + 12 * k : 12 + 12 * k] = 0
    (tmp_path / "raw").mkdir()
    animation(tmp_path / "raw" / f"ABC_1{ending}", frames)
    ((name, reason),) = run(tmp_path / "raw", dataset).skipped
    assert name == f"ABC_1{ending}"
    assert "is not taken: it has 3 frames" in reason
    assert "--frame 1" in reason
    assert "--frame merge" in reason

    def taken(frame: str) -> np.ndarray:
        folder = DatasetFolder(tmp_path / "datasets" / f"frame-{frame}")
        assert run(tmp_path / "raw", folder, frame=frame).skipped == []
        with Catalog(folder.catalog_path) as catalog:
            (row,) = catalog.images()
        return decode(BlobStore(folder.blobs).get(row.sha256, row.extension))

    def dark(pixels: np.ndarray) -> np.ndarray:
        return np.asarray(pixels.min(axis=-1) < 128)

    assert (dark(taken("2")) == dark(frames[1])).all()
    assert (dark(taken("merge")) == dark(np.minimum.reduce(frames))).all()
    ((_, reason),) = run(tmp_path / "raw", dataset, frame="4").skipped
    assert "no frame 4" in reason


@pytest.mark.parametrize("frame", ["0", "-1", "last", "1.5", ""])
def test_impossible_frames(frame: str) -> None:
    with pytest.raises(CaptchaLabError, match="--frame"):
        ImportOptions(frame=frame)


def test_every_ending_of_a_picture_is_taken(tmp_path: Path, dataset: DatasetFolder) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "raw").mkdir()
    endings = ("png", "jpg", "jfif", "webp", "avif", "tif", "tiff", "gif", "bmp")
    for k, ending in enumerate(endings):
        pixels = rng.integers(0, 256, (16, 48, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "raw" / f"AB{k}C_{k}.{ending}")
    report = run(tmp_path / "raw", dataset)
    assert report.skipped == []
    assert (report.stored, report.labelled) == (9, 9)
    with Catalog(dataset.catalog_path) as catalog:
        assert sorted(row.extension for row in catalog.images()) == sorted(
            ("png", "jpg", "jpg", "webp", "avif", "png", "png", "gif", "bmp")
        )
