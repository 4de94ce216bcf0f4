"""Captchas as arrays in one file: MATLAB's .mat and plain HDF5, written and read side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

from captcha_lab.collect.exchange.item import Item, Said, split_name, text_of
from captcha_lab.collect.exchange.mat import MAX_BYTES as MAT_LIMIT
from captcha_lab.collect.exchange.mat import read_mat
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import check_size, encode
from captcha_lab.store.packed.packed import new_hdf5
from captcha_lab.store.packed.safe import open_hdf5, read_strings

NO_TEXT = -1  # the length of a captcha without a label; 0 is one that no person can read


@dataclass(frozen=True)
class CaptchaArrays:
    """Captchas in memory.

    Attributes:
        images: uint8 [H, W] or [H, W, 3] each; sizes may differ.
        texts: the text of each, None where it has none, empty where no person can read it.
        splits: train, validation, test or "" for each.
        alphabet: the characters of the texts, in the order of their numbers.
        originals: SHA-256 of the file that each was decoded from, in hex; "" where it is unknown.
    """

    images: Sequence[np.ndarray]
    texts: Sequence[str | None]
    splits: Sequence[str]
    alphabet: str
    originals: Sequence[str]

    @property
    def lengths(self) -> np.ndarray:
        """int32 [N]: characters of each text; `NO_TEXT` where there is none."""
        return np.array([NO_TEXT if text is None else len(text) for text in self.texts], np.int32)

    @property
    def labels(self) -> np.ndarray:
        """int32 [N, L]: places of the texts' characters in the alphabet from 0, filled up with -1."""
        labels = np.full((len(self.texts), max(0, *self.lengths)), -1, np.int32)
        for row, text in enumerate(self.texts):
            labels[row, : len(text or "")] = [self.alphabet.index(c) for c in text or ""]
        return labels


def write_mat(path: Path, data: CaptchaArrays) -> None:
    """Variables `images` (uint8 N x H x W (x 3), or a cell array where sizes differ), `texts`, `splits` and `sha256`
    (cell arrays), `labels` (N x L, positions in `alphabet` from 1 as MATLAB counts, filled up with 0), `length`
    (N x 1, see `NO_TEXT`) and `alphabet`.

    Raises:
        CaptchaLabError: more pixels than the format holds.
    """
    if sum(image.nbytes for image in data.images) > MAT_LIMIT:
        raise CaptchaLabError("The captchas are more than a .mat file holds (2 GB): export with --format h5.")
    values = {
        "images": _stack(data.images),
        "texts": _cells([text or "" for text in data.texts]),
        "splits": _cells(data.splits),
        "sha256": _cells(data.originals),
        "labels": data.labels + 1,
        "length": data.lengths[:, None],
        "alphabet": data.alphabet,
    }
    scipy.io.savemat(path, values, do_compression=True)


def write_h5(path: Path, data: CaptchaArrays) -> None:
    """Datasets `texts`, `splits` and `sha256` (strings), `text` int32 [N, L] (places in `alphabet` from 0, filled up
    with -1), `length` int32 [N] (see `NO_TEXT`) and `images` uint8 [N, H, W(, 3)], or a group `images` of one dataset
    each where sizes differ; attribute `alphabet`."""
    with new_hdf5(path) as file:
        file.attrs["alphabet"] = data.alphabet
        strings = {
            "texts": [text or "" for text in data.texts],
            "splits": data.splits,
            "sha256": data.originals,
        }
        for name, texts in strings.items():
            file.create_dataset(name, data=list(texts), dtype=h5py.string_dtype(), shape=(len(texts),))
        file.create_dataset("text", data=data.labels)
        file.create_dataset("length", data=data.lengths)
        stacked = _stack(data.images)
        if stacked.dtype == np.uint8:
            file.create_dataset("images", data=stacked, compression="gzip")
        else:
            group = file.create_group("images")
            for k, image in enumerate(data.images):
                group.create_dataset(f"{k:09d}", data=image, compression="gzip")


def read_arrays(path: Path) -> list[Item]:
    """The captchas of a .mat or .h5 file as `write_mat` and `write_h5` lay them out; pixels become PNG.

    Raises:
        CaptchaLabError: the file is damaged or laid out otherwise.
    """
    read: Callable[[Path], CaptchaArrays] = _read_mat if path.suffix.lower() == ".mat" else _read_h5
    try:
        data = read(path)
        columns = (data.images, data.texts, data.splits, data.originals)
        if len({len(column) for column in columns}) > 1:
            raise ValueError("images, texts, splits and sha256 are not as many")
        splits = [split_name(split) for split in data.splits]
        rows = list(zip(data.images, data.texts, splits, data.originals, strict=True))
    except Exception as error:  # a damaged .mat makes scipy raise nearly anything
        raise CaptchaLabError(
            f"{path} can't be read as an export of captchas ({error or type(error).__name__}): it needs images "
            "(uint8), texts and splits as `captcha-lab export` writes them."
        ) from error
    items = []
    for k, (image, text, split, original) in enumerate(rows):
        try:
            said = Said(text and text_of(text), split=split, why=f"{path.name}, row {k}")
        except CaptchaLabError as error:
            said = Said(split=split, doubt=str(error))
        items.append(Item(f"{path.name}#{k}", partial(_png, image), said, original=original))
    return items


def _png(image: np.ndarray) -> bytes:
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise CaptchaLabError(f"{image.dtype} {list(image.shape)} is not an image of bytes")
    check_size(image.shape[1], image.shape[0])
    return encode(np.ascontiguousarray(image))


def _read_mat(path: Path) -> CaptchaArrays:
    values = read_mat(path, ("images", "texts", "splits", "sha256", "length", "alphabet"))
    array = values["images"]
    images = list(array.ravel() if array.dtype == object else array)
    texts = _known(_strings(values["texts"]), values.get("length"))
    originals = _strings(values["sha256"]) if "sha256" in values else [""] * len(texts)
    alphabet = "".join(values["alphabet"].ravel())
    return CaptchaArrays(images, texts, _strings(values["splits"]), alphabet, originals)


def _read_h5(path: Path) -> CaptchaArrays:
    with open_hdf5(path) as file:
        images: Any = file["images"]
        pixels = [images[k][()] for k in sorted(images)] if isinstance(images, h5py.Group) else images[()]
        texts, splits = read_strings(file["texts"]), read_strings(file["splits"])
        lengths = file["length"][()] if "length" in file else None
        originals = read_strings(file["sha256"]) if "sha256" in file else [""] * len(texts)
        return CaptchaArrays(pixels, _known(texts, lengths), splits, str(file.attrs["alphabet"]), originals)


def _known(texts: Sequence[str], lengths: np.ndarray | None) -> list[str | None]:
    """Texts with None where there is none; files made before say no lengths, and an empty text meant none."""
    told = [NO_TEXT] * len(texts) if lengths is None else lengths.ravel().tolist()
    return [text or ("" if length == 0 else None) for text, length in zip(texts, told, strict=True)]


def _stack(images: Sequence[np.ndarray]) -> np.ndarray:
    """Uint8 [N, H, W(, 3)] where all are alike, else an object array [N] (a cell array to MATLAB)."""
    if len({image.shape for image in images}) == 1:
        return np.stack(images)
    cells = np.empty(len(images), object)
    for k, image in enumerate(images):
        cells[k] = image
    return cells


def _cells(texts: Sequence[str]) -> np.ndarray:
    cells = np.empty(len(texts), object)
    cells[:] = list(texts)
    return cells


def _strings(cells: np.ndarray) -> list[str]:
    """Strings of a cell array; MATLAB's empty string is an empty array."""
    return ["".join(cell.ravel()) for cell in cells.ravel()]
