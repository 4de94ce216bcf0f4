"""Label lists beside pictures, as spreadsheets, scripts and pandas write them."""

import json
import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from captcha_lab.collect.exchange.options import ImportOptions
from captcha_lab.collect.exchange.sources import find_items
from captcha_lab.errors import CaptchaLabError, UsageError

TEXTS = {f"{k:04d}.png": text for k, text in enumerate(("AB23", "0042", "CD45", "XYZ7", "7KPQ", "0815"))}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    (folder / "images").mkdir(parents=True)
    for name in TEXTS:
        (folder / "images" / name).write_bytes(b"a picture")
    return folder


def labels(path: Path, **options: object) -> dict[str, str | None]:
    """Base name of each picture that can be imported -> its text."""
    items, _ = find_items(path, ImportOptions(**options))  # type: ignore[arg-type]
    return {Path(item.name).name: item.said.text for item in items if not item.problem}


def notes(path: Path, **options: object) -> str:
    return "\n".join(find_items(path, ImportOptions(**options))[1])  # type: ignore[arg-type]


def rows(separator: str, *, header: str = "", path: str = "images/") -> str:
    lines = [f"{path}{name}{separator}{text}" for name, text in TEXTS.items()]
    return "\r\n".join(([header] if header else []) + lines) + "\r\n"


def records(name: str = "file", text: str = "text") -> list[dict[str, str]]:
    return [{name: f"images/{file}", text: value} for file, value in TEXTS.items()]


ROWS = records()
COLUMNS = {key: {str(k): row[key] for k, row in enumerate(ROWS)} for key in ("file", "text")}
LISTS: dict[str, tuple[str, bytes]] = {
    "CSV": ("labels.csv", rows(",", header="file,text").encode()),
    "CSV without header": ("list.csv", rows(",").encode()),
    "CSV, unknown header": ("list.csv", rows(",", header="图片,文字").encode("gbk")),
    "BOM": ("labels.csv", rows(",", header="file,text").encode("utf-8-sig")),
    "semicolons": ("labels.csv", rows(";", header="Image;Label").encode()),
    "TSV": ("labels.tsv", rows("\t", header="filename\ttext").encode()),
    "UTF-16 of a spreadsheet": ("labels.txt", rows("\t", header="file\ttext").encode("utf-16")),
    "UTF-16 without BOM": ("labels.csv", rows(",", header="file,text").encode("utf-16-le")),
    "backslashes": ("labels.csv", rows(",", header="file,text", path="C:\\data\\images\\").encode()),
    "absolute paths of elsewhere": ("labels.csv", rows(",", path="/home/someone/data/images/").encode()),
    "no ending": ("labels.csv", rows(",", header="file,text", path="").replace(".png", "").encode()),
    "with other columns": (
        "labels.csv",
        "\n".join(
            ["id,image,width,label", *(f"{k},{n},80,{t}" for k, (n, t) in enumerate(TEXTS.items()))]
        ).encode(),
    ),
    "text, tab": ("gt.txt", rows("\t").encode()),
    "text, spaces": ("gt.txt", rows("  ").encode()),
    "one text a line": ("gt.txt", "\n".join(TEXTS.values()).encode()),
    "Excel's text": ("labels.csv", "\n".join(f'{n},"=""{t}"""' for n, t in TEXTS.items()).encode()),
    "Excel's separator": ("labels.csv", f"sep=;\r\n{rows(';', header='file;text')}".encode()),
    "old Macintosh": ("labels.txt", rows("  ").replace("\r\n", "\r").encode()),
    "numbers for names": ("labels.csv", "\n".join(f"{k},{t}" for k, t in enumerate(TEXTS.values())).encode()),
    "dict": ("labels.json", json.dumps(TEXTS).encode()),
    "dict of objects": (
        "labels.json",
        json.dumps({n: {"text": t, "width": 80} for n, t in TEXTS.items()}).encode(),
    ),
    "objects": ("labels.json", json.dumps(records("image", "label")).encode()),
    "objects inside": ("labels.json", json.dumps({"version": 1, "data": records()}).encode()),
    "lists": ("labels.json", json.dumps([list(pair) for pair in TEXTS.items()]).encode()),
    "pandas records": ("data.json", json.dumps(ROWS).encode()),
    "pandas columns": ("data.json", json.dumps(COLUMNS).encode()),
    "pandas index": ("data.json", json.dumps({str(k): row for k, row in enumerate(ROWS)}).encode()),
    "pandas index of names": (
        "data.json",
        json.dumps({row["file"]: {"text": row["text"]} for row in ROWS}).encode(),
    ),
    "pandas split": (
        "data.json",
        json.dumps(
            {"columns": ["file", "text"], "index": [*range(6)], "data": [list(row.values()) for row in ROWS]}
        ).encode(),
    ),
    "pandas values": ("data.json", json.dumps([list(row.values()) for row in ROWS]).encode()),
    "pandas table": (
        "data.json",
        json.dumps(
            {
                "schema": {"fields": [{"name": "index", "type": "integer"}], "primaryKey": ["index"]},
                "data": [{"index": k, **row} for k, row in enumerate(ROWS)],
            }
        ).encode(),
    ),
    "dict of lists": ("data.json", json.dumps({"file": [*TEXTS], "text": [*TEXTS.values()]}).encode()),
    "JSON lines": ("labels.jsonl", "\n".join(map(json.dumps, ROWS)).encode()),
    "JSON lines under another name": ("labels.json", "\n".join(map(json.dumps, ROWS)).encode()),
    "places": (
        "labels.jsonl",
        "\n".join(json.dumps({"file": n, "labels": [*t, "", ""]}) for n, t in TEXTS.items()).encode(),
    ),
}


@pytest.mark.parametrize("kind", LISTS)
def test_lists_are_found_and_taken(kind: str, raw: Path) -> None:
    name, data = LISTS[kind]
    (raw / name).write_bytes(data)
    assert labels(raw) == TEXTS
    assert labels(raw / name) == TEXTS
    assert f"Labels come from {name}: 6 for 6 images" in notes(raw)


def test_gbk_texts(raw: Path) -> None:
    (raw / "labels.csv").write_bytes("file,text\n0000.png,中国一二\n0001.png,山水\n".encode("gbk"))
    assert labels(raw) == {"0000.png": "中国一二", "0001.png": "山水"}
    assert "GB18030" in notes(raw)


def test_gbk_names_beside_a_gbk_list(tmp_path: Path) -> None:
    for name in ("中国_1.png", "山水_2.png"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name.encode("gbk"))).write_bytes(b"")
    (tmp_path / "labels.csv").write_bytes("中国_1.png,AB23\n山水_2.png,CD45\n".encode("gbk"))
    assert labels(tmp_path) == {"中国_1.png": "AB23", "山水_2.png": "CD45"}


def test_decomposed_names_and_texts_meet_composed_ones(tmp_path: Path) -> None:
    (tmp_path / "u\u0308.png").write_bytes(b"")
    (tmp_path / "labels.csv").write_text("ü.png,A\u0308BC\n", encoding="utf-8")
    assert labels(tmp_path / "labels.csv") == {"u\u0308.png": "ÄBC"}


def test_numbers_are_texts_and_lost_zeros_are_said(raw: Path) -> None:
    values = {"0000.png": 1234, "0001.png": 42, "0002.png": 5678.0, "0003.png": None, "0004.png": 9012}
    (raw / "labels.jsonl").write_text(
        "\n".join(json.dumps({"file": n, "text": v}) for n, v in values.items())
    )
    wanted = {"0000.png": "1234", "0001.png": "42", "0002.png": "5678", "0003.png": None, "0004.png": "9012"}
    assert labels(raw) == wanted
    assert "zeros in front of them may be lost" in notes(raw)


def test_what_is_no_name_or_no_text_is_listed(raw: Path) -> None:
    lines = [
        "file,text",
        "0\0.png,1234",
        "../images/0001.png,AB12",
        "gone.png,CD34",
        "0002.png,a b",
        "0003.png,OKAY",
    ]
    (raw / "labels.csv").write_text("\n".join(lines))
    items, _ = find_items(raw / "labels.csv", ImportOptions())
    problems = {item.name: item.problem for item in items if item.problem}
    assert [*problems] == ["0\\x00.png", "../images/0001.png", "gone.png"]
    for word, problem in zip(("NUL", "outside", "no such picture"), problems.values(), strict=True):
        assert word in problem
    doubts = {item.name: item.said.doubt for item in items if item.said.doubt}
    assert "not one visible character" in doubts["images/0002.png"]
    assert labels(raw / "labels.csv")["0003.png"] == "OKAY"


def test_columns_of_sizes_are_no_texts(tmp_path: Path) -> None:
    for k in range(20):
        (tmp_path / f"{k:04d}.png").write_bytes(b"")
    for header in ("file,bytes", "file,width,bytes", "file,prediction,confidence"):
        values = [f"{k:04d}.png,80,{1000 + 7919 * k % 8999}" for k in range(20)]
        lines = values if header.count(",") == 2 else [v.replace(",80", "") for v in values]
        (tmp_path / "sizes.csv").write_text("\n".join([header, *lines]))
        assert set(labels(tmp_path).values()) == {None}


def test_many_files_that_may_be_lists_are_not_all_named(tmp_path: Path) -> None:
    for k in range(30):
        (tmp_path / f"{k:04d}.png").write_bytes(b"")
        (tmp_path / f"{k:04d}.json").write_text(json.dumps({"image": f"{k:04d}.png", "width": 80}))
    assert set(labels(tmp_path).values()) == {None}
    assert len(notes(tmp_path).splitlines()) < 8


@pytest.mark.parametrize("seed", range(20))
def test_no_bytes_end_in_anything_but_our_errors(seed: int, raw: Path) -> None:
    draw = random.Random(seed)
    whole = [*LISTS.values()][seed % len(LISTS)][1]
    for name in ("labels.csv", "labels.json", "labels.jsonl", "labels.txt"):
        for data in (
            draw.randbytes(300),
            whole[: draw.randrange(len(whole))],
            whole.replace(b"0", draw.randbytes(1)),
        ):
            (raw / name).write_bytes(data)
            with suppress(CaptchaLabError):
                find_items(raw / name, ImportOptions())


def test_links_out_of_the_folder_are_not_followed_for_a_list(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"")
    (raw / "a.png").symlink_to(tmp_path / "secret.png")
    (raw / "labels.csv").write_text("a.png,AB12\n0000.png,CD34\n")
    assert labels(raw) == {"0000.png": "CD34"}


def test_two_texts_for_one_picture_give_it_none(raw: Path) -> None:
    (raw / "labels.csv").write_text("file,text\n0000.png,AB12\n0000.png,CD34\n0001.png,EF56\n0001.png,EF56\n")
    items, _ = find_items(raw, ImportOptions())
    assert [(i.said.text, bool(i.said.doubt)) for i in items] == [(None, True), ("EF56", False)]


def test_lists_in_several_folders_are_taken_together(tmp_path: Path) -> None:
    for folder, text in (("train", "AB12"), ("test", "CD34")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0.png").write_bytes(b"")
        (tmp_path / folder / "labels.txt").write_text(f"0.png {text}\n")
    items, _ = find_items(tmp_path, ImportOptions(split_from_folders=True))
    assert {(i.name, i.said.text, i.said.split) for i in items} == {
        ("train/0.png", "AB12", "train"),
        ("test/0.png", "CD34", "test"),
    }


def test_lists_that_contradict_each_other_are_not_taken(raw: Path) -> None:
    (raw / "mine.csv").write_text(rows(","))
    (raw / "theirs.csv").write_text(rows(",").replace("AB23", "AB28"))
    assert set(labels(raw).values()) == {None}
    assert "give different texts" in notes(raw)
    (raw / "labels.csv").write_text(rows(","))
    assert labels(raw) == TEXTS


def test_a_list_beside_the_folder_is_offered(raw: Path) -> None:
    (raw / "labels.csv").write_text(rows(","))
    assert set(labels(raw / "images").values()) == {None}
    assert f"captcha-lab import {raw / 'labels.csv'}" in notes(raw / "images")


@pytest.mark.parametrize("ending", [".txt", ".gt.txt"])
def test_a_text_file_for_each_picture(ending: str, raw: Path) -> None:
    for name, text in TEXTS.items():
        (raw / "images" / name).with_suffix(ending).write_text(f"{text}\n")
    assert labels(raw) == TEXTS
    assert "6 for 6 images" in notes(raw)
    for name in TEXTS:
        (raw / "images" / name).with_suffix(ending).write_text("A description of the picture.")
    assert set(labels(raw).values()) == {None}


def test_folders_named_by_texts(tmp_path: Path) -> None:
    for k, text in enumerate(TEXTS.values()):
        (tmp_path / text).mkdir()
        (tmp_path / text / f"{k:06d}.png").write_bytes(b"")
    (tmp_path / "_unlabelled").mkdir()
    (tmp_path / "_unlabelled" / "000017.png").write_bytes(b"")
    assert labels(tmp_path) == {f"{k:06d}.png": text for k, text in enumerate(TEXTS.values())} | {
        "000017.png": None
    }
    assert "The folders are named by the texts" in notes(tmp_path)
    for k in range(100, 140):
        (tmp_path / "AB23" / f"{k:06d}.png").write_bytes(b"")
    assert set(labels(tmp_path).values()) == {None}
    assert "--labels folder takes them" in notes(tmp_path)


def test_other_files_are_no_lists_and_are_counted(raw: Path) -> None:
    (raw / "notes.txt").write_text("Pictures of a website.\nAsk Ada before use.\n")
    (raw / "package.json").write_text('{"name": "captchas", "version": "1.0"}')
    (raw / "broken.json").write_text("{")
    (raw / "a.svg").write_text("<svg/>")
    assert set(labels(raw).values()) == {None}
    assert "4 other files were left alone: " in notes(raw)
    assert all(kind in notes(raw) for kind in ("2 .json", "1 .txt", "1 .svg"))


def test_lines_in_an_unclear_order_are_only_offered(tmp_path: Path) -> None:
    for k in range(12):
        (tmp_path / f"{k}.png").write_bytes(b"")
    texts = [f"AB{k:02d}" for k in range(12)]
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    assert set(labels(tmp_path).values()) == {None}
    assert "texts.txt may be a list of labels" in notes(tmp_path)
    assert labels(tmp_path / "texts.txt") == {f"{k}.png": text for k, text in enumerate(texts)}


def test_blank_places_inside_are_no_text(raw: Path) -> None:
    places = [["", "A", "B", ""], ["A", "", "B", None], ["A", "", "B"]]
    lines = [{"file": f"000{k}.png", "labels": own} for k, own in enumerate(places)]
    (raw / "labels.jsonl").write_text("\n".join(map(json.dumps, lines)))
    items, _ = find_items(raw, ImportOptions())
    said = [(item.said.text, item.said.places) for item in items]
    assert said == [("AB", ()), (None, ("A", "", "B", None)), (None, ("A", "", "B"))]


def test_our_own_list_says_which_texts_are_whole_and_which_unreadable(raw: Path) -> None:
    lines = [
        {"file": "0000.png", "text": None, "labels": ["A", "B", "C"], "unreadable": False},
        {"file": "0001.png", "text": None, "labels": [], "unreadable": True},
        {"file": "0002.png", "text": "ABC", "labels": ["A"], "unreadable": False},
        {"file": "0003.png", "text": None, "labels": [], "unreadable": False},
    ]
    (raw / "labels.jsonl").write_text("\n".join(map(json.dumps, lines)))
    items, _ = find_items(raw, ImportOptions())
    said = [(item.said.text, item.said.places) for item in items]
    assert said == [(None, ("A", "B", "C")), ("", ()), ("ABC", ()), (None, ())]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("labels.csv", 'file,text\n"0000.png', "labels.csv can't be read"),
        ("labels.csv", "file,text\n0000.png\n", "line 2"),
        ("labels.csv", "file,text,split\n0000.png,AB12,dev\n", "'dev'"),
        ("labels.csv", "", "names no images"),
        ("labels.csv", "a,b\nc,d\n", "names no images"),
        ("labels.jsonl", '{"file": "0000.png"\n', "line 1 is not JSON"),
        ("labels.jsonl", '{"file": "0000.png", "text": "A"}\n[1]\n', "line 2"),
        ("labels.json", "[" * 100_000, "nested too deeply"),
        ("labels.json", "7", "neither a list nor an object"),
    ],
)
@pytest.mark.parametrize("find", [lambda raw, name: raw / name, lambda raw, name: raw])
def test_damaged_lists_are_one_clear_line(
    name: str, text: str, message: str, find: Callable[[Path, str], Path], raw: Path
) -> None:
    (raw / name).write_text(text)
    with pytest.raises(CaptchaLabError, match=message) as error:
        find_items(find(raw, name), ImportOptions())
    assert "\n" not in str(error.value)
    assert labels(raw, labels="none") == dict.fromkeys(TEXTS)


def test_asking_for_a_list(raw: Path) -> None:
    with pytest.raises(UsageError, match="0 lists"):
        find_items(raw, ImportOptions(labels="list"))
    (raw / "mine.csv").write_text(rows(","))
    assert labels(raw, labels="list") == labels(raw, labels="csv") == TEXTS
