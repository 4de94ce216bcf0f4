"""Lists that strangers made: as large as they claim to be in none of the ways that they can be read."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from captcha_lab.collect.exchange import tables
from captcha_lab.collect.exchange.options import ImportOptions
from captcha_lab.collect.exchange.sources import find_items
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import write_image


def folder(root: Path, name: str, text: str) -> Path:
    write_image(root / "a.png", np.arange(200, dtype=np.uint8).reshape(10, 20))
    (root / name).write_text(text, encoding="utf-8")
    return root


RECORDS = [{"file": "a.png", f"k{k}": 1} for k in range(20_000)]
WIDE = {
    "labels.jsonl": "\n".join(map(json.dumps, RECORDS)),
    "labels.json": json.dumps(RECORDS),
    "label.json": json.dumps({f"r{k}": {f"k{k}": 1} for k in range(10_000)}),
    "labels.csv": "file,text" + ",x" * 5000 + "\na.png,AB" + ",y" * 5000 + "\n",
    "labels.tsv": ("a.png\tAB" + "\ty" * 3000 + "\n") * 50,
}


@pytest.mark.parametrize("name", WIDE)
def test_a_table_of_more_columns_than_any_is_refused_before_it_is_filled(name: str, tmp_path: Path) -> None:
    """Twenty thousand records with a key of their own each were four hundred million cells."""
    with pytest.raises(CaptchaLabError, match="more than 500 columns"):
        find_items(folder(tmp_path, name, WIDE[name]), ImportOptions())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.json", "[" + "[]," * 3000 + "[]]"),
        ("labels.jsonl", "{}\n" * 3000),
        ("labels.csv", "a.png,AB\n" * 3000),
        ("labels.csv", "\r" * 3000),
        ("labels.csv", "a.png" + ",AB" * 3000),
        ("labels.txt", "a.png AB\n" * 3000),
    ],
)
def test_what_becomes_an_object_is_counted_before_it_is_made(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty megabytes of `[],` were two gigabytes in memory."""
    monkeypatch.setattr(tables, "MAX_ROWS", 1000)
    monkeypatch.setattr(tables, "MAX_CELLS", 1000)
    monkeypatch.setattr(tables, "Sheet", lambda *parts: pytest.fail("it was made"))
    monkeypatch.setattr("json.loads", lambda *parts, **options: pytest.fail("it was parsed"))
    path = folder(tmp_path, name, text) / name
    with pytest.raises(CaptchaLabError, match="1,000 cells"):
        find_items(path, ImportOptions())


def test_the_ways_to_read_a_list_end(tmp_path: Path) -> None:
    """Five megabytes of objects in an object were half a million tables."""
    text = '{"version": 1, ' + ",".join(f'"{k}": {{"a": 1}}' for k in range(3000)) + "}"
    sheets, _ = tables.read_sheets(folder(tmp_path, "labels.json", text) / "labels.json")
    assert len(list(sheets)) == tables.MAX_WAYS


@pytest.mark.parametrize("depth", [30, 450, 5000])
def test_objects_in_objects_end(depth: int, tmp_path: Path) -> None:
    text = '{"a":{"b":1},"c":' * depth + "1" + "}" * depth
    with suppress(CaptchaLabError):
        find_items(folder(tmp_path, "labels.json", text), ImportOptions())


def test_a_name_that_no_file_can_have_is_a_row_that_names_nothing(tmp_path: Path) -> None:
    rows = '{"file": "\\ud800.png", "text": "XY"}\n{"file": "a.png", "text": "AB"}\n'
    items, _ = find_items(folder(tmp_path, "labels.jsonl", rows), ImportOptions())
    assert [(item.said.shown, bool(item.problem)) for item in items] == [("AB", False), ("", True)]
    for item in items:
        item.name.encode()  # can be shown and stored


def test_a_label_at_place_1_000_000_is_a_doubt(tmp_path: Path) -> None:
    row = json.dumps({"file": "a.png", "text": None, "labels": [None] * 1_000_000 + ["A"]})
    items, _ = find_items(folder(tmp_path, "labels.jsonl", row), ImportOptions())
    assert "1000001 places" in items[0].said.doubt


def test_names_that_are_shown_alike_are_two_pictures(tmp_path: Path) -> None:
    pixels = np.arange(200, dtype=np.uint8).reshape(10, 20)
    write_image(tmp_path / "a\x1b.png", pixels)
    write_image(tmp_path / "a\\x1b.png", 255 - pixels)
    items, _ = find_items(tmp_path, ImportOptions())
    assert len({item.name for item in items}) == 2
