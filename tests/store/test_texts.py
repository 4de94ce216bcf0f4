"""The text view: pictures of any sizes side by side, in a file of their size."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.packed.packed import new_hdf5
from captcha_lab.store.packed.texts import TextSet, read_texts, write_texts


def text_set(*shapes: tuple[int, ...]) -> TextSet:
    rng = np.random.default_rng(0)
    column, ids = np.zeros(len(shapes), np.uint8), np.arange(len(shapes), dtype=np.int64)
    images = [rng.integers(0, 256, shape, np.uint8) for shape in shapes]
    return TextSet(images, tuple("A" * k for k in range(len(shapes))), column, ids, column, {"a": 1})


@pytest.mark.parametrize("shapes", [(), ((4, 6),), ((4, 6), (6, 4, 3), (1, 9)), ((0, 0), (5, 5, 3))])
def test_pictures_come_back_as_they_were(shapes: tuple[tuple[int, ...], ...], tmp_path: Path) -> None:
    data = text_set(*shapes)
    write_texts(tmp_path / "texts.h5", data)
    again = read_texts(tmp_path / "texts.h5")
    assert again.texts == data.texts
    for one, other in zip(again.images, data.images, strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_long_picture_makes_the_others_no_longer(tmp_path: Path) -> None:
    """Padded to the largest, these hundred took 360 gigabytes."""
    shapes: list[tuple[int, ...]] = [(10, 60_000, 3), (60_000, 10), *[(20, 80)] * 98]
    write_texts(tmp_path / "texts.h5", text_set(*shapes))
    assert (tmp_path / "texts.h5").stat().st_size < 3_000_000


def test_a_padded_file_of_before_is_still_read(tmp_path: Path) -> None:
    data = text_set((4, 6), (6, 4, 3))
    padded = np.zeros((2, 6, 6, 3), np.uint8)
    padded[0, :4, :6] = data.images[0][..., None]
    padded[1, :6, :4] = data.images[1]
    columns = {
        "images": padded,
        "height": np.array([4, 6], np.int32),
        "width": np.array([6, 4], np.int32),
        "colour": np.array([0, 1], np.uint8),
        "text": np.array([[65, -1], [66, 67]], np.int32),
        "length": np.array([1, 2], np.int32),
        "split": data.split,
        "image": data.image_ids,
        "duplicate": data.duplicate,
    }
    with new_hdf5(tmp_path / "texts.h5") as file:
        file.attrs["schema_version"], file.attrs["info"] = 1, json.dumps({"a": 1})
        for name, column in columns.items():
            file.create_dataset(name, data=column)
    again = read_texts(tmp_path / "texts.h5")
    assert again.texts == ("A", "BC")
    for one, other in zip(again.images, data.images, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["height", "width", "colour"])
def test_sizes_that_do_not_make_the_pixels_are_one_error(name: str, tmp_path: Path) -> None:
    path = tmp_path / "texts.h5"
    write_texts(path, text_set((4, 6), (6, 4)))
    with new_hdf5(tmp_path / "other.h5") as file, h5py.File(path) as source:
        for each in source:
            file.create_dataset(each, data=source[each][()] + (each == name))
        file.attrs.update(source.attrs)
    with pytest.raises(CaptchaLabError, match="not of the sizes it says"):
        read_texts(tmp_path / "other.h5")
