"""Import and export: every format survives a round trip; bad files are listed and the rest goes on."""

import csv
import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import scipy.io

from captcha_lab.collect.exchange import exporter
from captcha_lab.collect.exchange.exporter import export_dataset
from captcha_lab.collect.exchange.importer import ImportReport, import_path
from captcha_lab.collect.exchange.options import FORMATS, ImportOptions
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
from captcha_lab.store.images import decode
from captcha_lab.store.workspace import DatasetFolder, WorkspaceConfig

RNG = np.random.default_rng(5)


def picture(path: Path, *, rgb: bool = True, width: int = 16) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (8, width, 3) if rgb else (8, width)
    cv2.imwrite(str(path), RNG.integers(0, 256, shape, np.uint8))
    return path


def run(source: Path, folder: DatasetFolder, alphabet: str = "", **options: object) -> ImportReport:
    config = WorkspaceConfig(alphabet=alphabet)
    return import_path(source, folder, config, ImportOptions(**options))  # type: ignore[arg-type]


def content(folder: DatasetFolder) -> dict[bytes, tuple[str, str | None]]:
    """Pixels -> (text, split)."""
    blobs = BlobStore(folder.blobs)
    with Catalog(folder.catalog_path, create=False) as catalog:
        texts = LabelLog(catalog).texts()
        return {
            decode(blobs.get(i.sha256, i.extension)).tobytes(): (texts.get(i.id, ""), i.split)
            for i in catalog.images()
        }


@pytest.fixture
def dataset(tmp_path: Path) -> DatasetFolder:
    return DatasetFolder(tmp_path / "datasets" / "one")


@pytest.fixture
def folder_of_captchas(tmp_path: Path) -> Path:
    root = tmp_path / "raw"
    for k, text in enumerate(("A7KX", "22BC", "A7KX", "WXYZ")):
        picture(root / "train" / f"{text}_{k:04d}.png", rgb=k % 2 == 0)
    picture(root / "test" / "9876_0009.jpg")
    picture(root / "_0001.png")
    return root


def test_file_names_are_labels_and_folders_splits(folder_of_captchas: Path, dataset: DatasetFolder) -> None:
    before = {p: p.read_bytes() for p in folder_of_captchas.rglob("*") if p.is_file()}
    report = run(folder_of_captchas, dataset, split_from_folders=True)
    assert (report.found, report.stored, report.labelled, report.skipped) == (6, 6, 5, [])
    assert report.splits == {"train": 4, "test": 1}
    texts = sorted(content(dataset).values(), key=str)
    assert texts == sorted(
        [
            ("A7KX", "train"),
            ("22BC", "train"),
            ("A7KX", "train"),
            ("WXYZ", "train"),
            ("9876", "test"),
            ("", None),
        ],
        key=str,
    )
    assert {p: p.read_bytes() for p in folder_of_captchas.rglob("*") if p.is_file()} == before
    with Catalog(dataset.catalog_path) as catalog:
        sources = {label.source for label in LabelLog(catalog).text_labels().values()}
        assert sources == {"import"}
        assert catalog.count_fetches() == {"stored": 6}


def test_again_adds_nothing(folder_of_captchas: Path, dataset: DatasetFolder) -> None:
    run(folder_of_captchas, dataset)
    with Catalog(dataset.catalog_path) as catalog:
        revision = LabelLog(catalog).revision
    report = run(folder_of_captchas, dataset)
    assert (report.stored, report.duplicates, report.labelled, report.skipped) == (0, 6, 0, [])
    with Catalog(dataset.catalog_path) as catalog:
        assert LabelLog(catalog).revision == revision


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("sizes", ["alike", "differing"])
def test_round_trip(format: str, sizes: str, tmp_path: Path, dataset: DatasetFolder) -> None:
    raw = tmp_path / "raw"
    for k, text in enumerate(("A7_x", "..%/", "A7_x", "ÄöZ-")):
        name = "".join(f"%{b:02X}" for b in text.encode())
        split = ("train", "test")[k % 2]
        picture(raw / split / f"{name}_{k}.png", width=16 + (k if sizes == "differing" else 0))
    picture(raw / "_7.png")
    assert run(raw, dataset, split_from_folders=True).skipped == []
    report = export_dataset(dataset, tmp_path / "out", format)
    assert (report.captchas, report.labelled, report.partial) == (5, 4, 0)
    source = tmp_path / "out"
    if format in ("mat", "h5"):
        source /= f"captchas.{format}"
    labels = {"folders": "folder", "filenames": "filename"}.get(format, "auto")
    other = DatasetFolder(tmp_path / "datasets" / "two")
    imported = run(source, other, labels=labels, split_from_folders=True)
    assert imported.skipped == []
    assert content(other) == content(dataset)
    assert len(content(other)) == 5


def test_bytes_survive_where_the_format_keeps_files(
    folder_of_captchas: Path, dataset: DatasetFolder, tmp_path: Path
) -> None:
    run(folder_of_captchas, dataset)
    originals = sorted(p.read_bytes() for p in folder_of_captchas.rglob("*") if p.is_file())
    for format in ("folders", "filenames", "csv", "jsonl"):
        export_dataset(dataset, tmp_path / format, format)
        files = (p for p in (tmp_path / format).rglob("*") if p.suffix in (".png", ".jpg"))
        assert sorted(p.read_bytes() for p in files) == originals


def test_jsonl_keeps_incomplete_labels(
    folder_of_captchas: Path, dataset: DatasetFolder, tmp_path: Path
) -> None:
    run(folder_of_captchas, dataset, labels="none")
    with Catalog(dataset.catalog_path) as catalog:
        LabelLog(catalog).record(
            "human", [LabelEvent(1, 0, "A"), LabelEvent(1, 2, ""), LabelEvent(1, 3, "K")]
        )
        current = {place: label.value for place, label in LabelLog(catalog).current().items()}
    assert export_dataset(dataset, tmp_path / "csv", "csv").partial == 1
    assert export_dataset(dataset, tmp_path / "out", "jsonl").partial == 0
    other = DatasetFolder(tmp_path / "datasets" / "two")
    run(tmp_path / "out", other)
    with Catalog(other.catalog_path) as catalog:
        assert {place: label.value for place, label in LabelLog(catalog).current().items()} == current


def test_matlab_file_counts_from_one(
    folder_of_captchas: Path, dataset: DatasetFolder, tmp_path: Path
) -> None:
    run(folder_of_captchas, dataset)
    export_dataset(dataset, tmp_path / "out", "mat")
    values = scipy.io.loadmat(tmp_path / "out" / "captchas.mat", squeeze_me=True)
    for text, labels in zip(values["texts"], values["labels"], strict=True):
        assert "".join(str(values["alphabet"])[k - 1] for k in labels if k) == ("" if not len(text) else text)


def test_bad_files_are_listed_and_the_rest_goes_on(folder_of_captchas: Path, dataset: DatasetFolder) -> None:
    root = folder_of_captchas / "train"
    (root / "ABCD_1.png").write_bytes(b"")
    (root / "ABCD_2.jpg").write_text("a text file")
    good = (root / "A7KX_0000.png").read_bytes()
    (root / "ABCD_3.png").write_bytes(good[: len(good) // 2])
    (root / "ABCD_4.png").mkdir()
    picture(root / "ABCDE_5.png")
    (root / "notes.txt").write_text("left alone")
    report = run(folder_of_captchas, dataset)
    reasons = {Path(name).name: reason for name, reason in report.skipped}
    assert set(reasons) == {"ABCD_1.png", "ABCD_2.jpg", "ABCD_3.png"}
    assert "empty" in reasons["ABCD_1.png"]
    assert report.stored == 7
    assert any("1 other file was left alone: 1 .txt" in note for note in report.notes)
    assert report.facts is not None
    assert report.facts.lengths == {4: 5, 5: 1}


def test_configured_alphabet_is_a_law_and_folds_case(
    folder_of_captchas: Path, dataset: DatasetFolder
) -> None:
    picture(folder_of_captchas / "a7kx_0020.png")
    report = run(folder_of_captchas, dataset, alphabet="23456789ABCKXYZ")
    assert len(report.skipped) == 1
    assert "'W', which is not in the configured alphabet" in report.skipped[0][1]
    assert report.stored == 7
    assert [text for text, _ in content(dataset).values()].count("A7KX") == 3


def test_patterns(tmp_path: Path, dataset: DatasetFolder) -> None:
    picture(tmp_path / "raw" / "captcha-17-ab12.png")
    picture(tmp_path / "raw" / "other.png")
    report = run(tmp_path / "raw", dataset, pattern=r"-(?P<text>\w{4})\.png")
    assert [text for text, _ in content(dataset).values()] == ["ab12"]
    assert report.skipped == [
        ("other.png", "its name doesn't match the pattern '-(?P<text>\\\\w{4})\\\\.png'")
    ]
    with pytest.raises(UsageError, match="regular expression"):
        ImportOptions(pattern="(")


def test_csv_without_header_and_outside_paths(tmp_path: Path, dataset: DatasetFolder) -> None:
    picture(tmp_path / "raw" / "one.png")
    picture(tmp_path / "two.png")
    with (tmp_path / "raw" / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("one.png", "AB12"), ("../two.png", "CD34"), ("gone.png", "EF56")])
    report = run(tmp_path / "raw" / "list.csv", dataset)
    assert [text for text, _ in content(dataset).values()] == ["AB12"]
    assert [name for name, _ in report.skipped] == ["../two.png", "gone.png"]
    assert "outside" in report.skipped[0][1]


@pytest.mark.parametrize("name", ["captchas.mat", "captchas.h5"])
def test_damaged_arrays_are_one_clear_line(name: str, tmp_path: Path, dataset: DatasetFolder) -> None:
    (tmp_path / name).write_text("MATLAB 5.0 MAT-file but no")
    with pytest.raises(CaptchaLabError, match=f"{name} can't be read") as error:
        run(tmp_path / name, dataset)
    assert "\n" not in str(error.value)
    assert not dataset.root.exists()


def test_lengths_alphabet_and_case_are_learned(tmp_path: Path, dataset: DatasetFolder) -> None:
    for text in ("abcde", "fgh", "Hijk9", "zz77", "qwert", "mnb"):
        picture(tmp_path / "raw" / f"{text}.png")
    report = run(tmp_path / "raw", dataset)
    assert report.labelled == 6
    assert report.facts is not None
    assert report.facts.lengths == {3: 2, 4: 1, 5: 3}
    assert report.facts.case_sensitive
    assert set(report.facts.alphabet) == set("abcdefghHijk9zz77qwertmnb")
    assert not any("length" in note for note in report.notes)


def test_export_leaves_nothing_half_written(
    folder_of_captchas: Path, dataset: DatasetFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder_of_captchas, dataset)
    written = []

    def full(path: Path, data: bytes) -> None:
        written.append(path)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    monkeypatch.setattr(exporter, "_write", full)
    before = set(tmp_path.iterdir())
    with pytest.raises(CaptchaLabError, match="No space left"):
        export_dataset(dataset, tmp_path / "out", "folders")
    assert set(tmp_path.iterdir()) == before


def test_export_refuses_what_it_would_overwrite(
    folder_of_captchas: Path, dataset: DatasetFolder, tmp_path: Path
) -> None:
    run(folder_of_captchas, dataset)
    with pytest.raises(CaptchaLabError, match="not an empty folder"):
        export_dataset(dataset, folder_of_captchas, "csv")
    with pytest.raises(UsageError, match="choose one of folders"):
        export_dataset(dataset, tmp_path / "out", "xml")
    with pytest.raises(CaptchaLabError, match="no dataset"):
        export_dataset(DatasetFolder(tmp_path / "none"), tmp_path / "out", "csv")


@pytest.mark.parametrize("format", ["folders", "filenames"])
def test_a_text_too_long_for_a_name_is_listed_and_the_rest_is_written(
    format: str, folder_of_captchas: Path, dataset: DatasetFolder, tmp_path: Path
) -> None:
    """Thirty Chinese characters in a name are 270 bytes; one such label made every export fail."""
    run(folder_of_captchas, dataset)
    with Catalog(dataset.catalog_path) as catalog:
        LabelLog(catalog).record("given", [LabelEvent(1, None, "猫" * 30, "human")])
    report = export_dataset(dataset, tmp_path / "out", format)
    assert [name for name, why in report.skipped if "--format csv" in why] == ["captcha 1"]
    assert sum(path.is_file() for path in (tmp_path / "out").rglob("*")) == report.captchas > 0


def test_h5_export_is_plain(folder_of_captchas: Path, dataset: DatasetFolder, tmp_path: Path) -> None:
    run(folder_of_captchas, dataset)
    export_dataset(dataset, tmp_path / "out", "h5")
    with h5py.File(tmp_path / "out" / "captchas.h5") as file:
        assert len(file["texts"]) == 6
    lines = export_dataset(dataset, tmp_path / "lines", "jsonl").path / "labels.jsonl"
    assert len([json.loads(line) for line in lines.read_text().splitlines()]) == 6


@pytest.mark.parametrize(
    ("name", "found", "length"),
    [
        ("ustc/test", 250, 4),
        pytest.param("words5", 1040, 5, marks=pytest.mark.slow),
        pytest.param("ustc", 1253, 4, marks=pytest.mark.slow),
        pytest.param("digits4", 2500, 4, marks=pytest.mark.slow),
        pytest.param("seu", 1000, 4, marks=pytest.mark.slow),
    ],
)
def test_real_sets(name: str, found: int, length: int, shared_data: Path, dataset: DatasetFolder) -> None:
    report = run(shared_data / name, dataset, split_from_folders=True)
    assert report.facts is not None
    assert report.facts.lengths == {length: found}
    assert (report.found, report.labelled, report.skipped) == (found, found, [])
    assert report.splits == {"ustc/test": {"test": 250}, "ustc": {"train": 1000, "test": 250}}.get(name, {})
