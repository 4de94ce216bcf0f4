"""Look-alikes kept beside the catalog: read when they are of these glyphs, made again when not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captcha_lab.alphabet import Alphabet
from captcha_lab.label.proposals import kept
from captcha_lab.label.proposals.lookalikes import LookAlikes, find_look_alikes
from captcha_lab.label.questions.glyphs.opening import open_engine
from tests.label import page_data
from tests.label.test_label_engine import drawn


def look_alikes(
    folder: Path, glyphs: np.ndarray, progress: Callable[[int, int], None] = lambda done, total: None
) -> LookAlikes:
    positions = np.arange(len(glyphs)) % 4
    return kept.kept_look_alikes(folder, glyphs, positions, max_shapes=1200, seed=0, progress=progress)


def same(a: LookAlikes, b: LookAlikes) -> bool:
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(LookAlikes))


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many glyphs each comparison had."""
    calls, plain = [], find_look_alikes

    def counted(glyphs: Any, *args: Any, **options: Any) -> Any:
        calls.append(len(glyphs))
        return plain(glyphs, *args, **options)

    monkeypatch.setattr(kept, "find_look_alikes", counted)
    return calls


def test_the_second_time_nothing_is_compared(tmp_path: Path, compared: list[int]) -> None:
    glyphs, _ = drawn(80)
    told: list[int] = []
    first = look_alikes(tmp_path, glyphs, lambda done, total: told.append(done))
    assert told == sorted(told)
    assert len(set(told)) > 10  # it moves while shapes are compared
    assert told[-1] == 100
    assert same(look_alikes(tmp_path, glyphs), first)
    assert compared == [80]
    (tmp_path / kept.FILE).unlink()  # safe at any time
    assert same(look_alikes(tmp_path, glyphs), first)
    assert [p.name for p in tmp_path.iterdir()] == [kept.FILE]


def test_other_glyphs_are_compared_anew(tmp_path: Path, compared: list[int]) -> None:
    glyphs, _ = drawn(80)
    look_alikes(tmp_path, glyphs)
    glyphs[3, 10, 10] ^= 255
    look_alikes(tmp_path, glyphs)
    look_alikes(tmp_path, glyphs[:76])
    assert compared == [80, 80, 76]


@pytest.mark.parametrize("harm", ["cut short", "nonsense", "empty", "pickle"])
def test_a_damaged_file_costs_the_comparison_only(tmp_path: Path, compared: list[int], harm: str) -> None:
    glyphs, _ = drawn(40)
    first = look_alikes(tmp_path, glyphs)
    path = tmp_path / kept.FILE
    data = path.read_bytes()
    if harm == "pickle":
        with path.open("wb") as file:
            np.savez(file, key=np.array([object()], dtype=object))
    else:
        path.write_bytes({"cut short": data[: len(data) // 2], "nonsense": b"x" * 99, "empty": b""}[harm])
    assert same(look_alikes(tmp_path, glyphs), first)
    assert compared == [40, 40]
    assert same(look_alikes(tmp_path, glyphs), first)
    assert compared == [40, 40]


def test_a_folder_that_can_not_be_written_is_no_hindrance(tmp_path: Path) -> None:
    glyphs, _ = drawn(40)
    (tmp_path / "file").write_text("not a folder")
    assert look_alikes(tmp_path / "file", glyphs).size.sum() == 40


def test_the_engine_of_a_dataset_opens_with_them(tmp_path: Path, compared: list[int]) -> None:
    from captcha_lab.datasets.cutting import segment_dataset
    from captcha_lab.segment import Segmenter

    folder, _ = page_data.make_dataset(tmp_path, captchas=10)
    segment_dataset(folder, Segmenter(), only_new=True)
    told: list[int] = []
    for _ in range(2):
        open_engine(folder, Alphabet(page_data.CHARACTERS), lambda done, total: told.append(done))
    assert compared == [40]
    assert (folder.root / kept.FILE).is_file()
    assert 100 in told
