"""MNIST: 28x28 grey handwritten digits, light ink on black (Y. LeCun, C. Cortes, C. Burges)."""

from __future__ import annotations

import gzip
import io
import time
import zlib
from pathlib import Path

import cv2
import numpy as np

from captcha_lab.datasets.base import (
    PrepareOptions,
    PrepareReport,
    Progress,
    count_splits,
    random_split,
)
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.files import read_file
from captcha_lab.store.packed.packed import PackedSet, mark_duplicates, write_packed

MAX_BYTES = 256 << 20  # of an idx file, unpacked; MNIST's largest has 47 MB
SIDE = 28
VALIDATION = 5000  # of the 60,000 official training digits; the official test digits stay test
DIGITS = tuple("0123456789")


class Mnist:
    """The four official idx files, or scikit-learn's 1,797 digits (8x8) enlarged."""

    name = "mnist"
    summary = "folder with the four idx files of MNIST, .gz or unpacked"
    embedded: str | None = "scikit-learn's 1,797 digits (8x8), enlarged to 28x28"
    options: tuple[str, ...] = ("size", "grey")  # digits are always grey
    embedded_options: tuple[str, ...] = ("size", "grey")

    def prepare(
        self, source: Path | None, target: Path, options: PrepareOptions, progress: Progress
    ) -> PrepareReport:
        """See `DatasetModule.prepare`."""
        started = time.perf_counter()
        images, labels, split = _embedded(options.seed) if source is None else _official(source, options.seed)
        images = resize(images, options.size or SIDE)
        data = PackedSet(
            images,
            split,
            labels=labels,
            source=np.arange(len(images), dtype=np.int64),
            duplicate=mark_duplicates(images, split),
            classes=DIGITS,
            info={"dataset": self.name, "embedded": source is None, "split_seed": options.seed},
        )
        write_packed(target, data)
        progress(len(images), len(images))
        notes = () if source is not None else (f"No PATH given: packed {self.embedded}.",)
        return PrepareReport(
            target,
            self.name,
            len(images),
            images.shape[1:],
            count_splits(split),
            classes=len(DIGITS),
            notes=notes,
            seconds=time.perf_counter() - started,
        )


def resize(images: np.ndarray, side: int) -> np.ndarray:
    """Uint8 [N, H, W] to [N, side, side]: by area when smaller, cubic when larger."""
    if images.shape[1:] == (side, side):
        return images
    how = cv2.INTER_AREA if side < images.shape[1] else cv2.INTER_CUBIC
    return np.stack([cv2.resize(image, (side, side), interpolation=how) for image in images])


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The uint8 array in an idx file, plain or gzipped.

    Raises:
        CaptchaLabError: the file is absent, damaged, or holds something else.
    """
    try:
        data = read_file(path, MAX_BYTES)
        if data[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise CaptchaLabError(f"it unpacks to more than {MAX_BYTES >> 20} MB")
    except (CaptchaLabError, OSError, EOFError, zlib.error) as error:
        raise CaptchaLabError(f"{path} can't be read ({error}): download it again.") from error
    header = 4 + 4 * dimensions
    if len(data) < header or data[:4] != bytes([0, 0, 8, dimensions]):
        raise CaptchaLabError(
            f"{path} is not an idx file of {dimensions}-dimensional bytes: give MNIST's own files."
        )
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", dimensions, 4))
    if len(data) - header != np.prod(shape, dtype=np.int64):
        raise CaptchaLabError(
            f"{path} promises {' x '.join(map(str, shape))} bytes and holds {len(data) - header}: download it again."
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _official(folder: Path, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if not folder.is_dir():
        raise CaptchaLabError(f"{folder} is no folder: give the {Mnist.summary}.")
    pairs = [_pair(folder, prefix) for prefix in ("train", "t10k")]
    sizes = {images.shape[1:] for images, _ in pairs}
    if len(sizes) > 1:
        raise CaptchaLabError(
            f"{folder}: training and test images differ in size ({sizes}): they are not one set."
        )
    n_train = len(pairs[0][0])
    split = np.full(n_train + len(pairs[1][0]), 2, np.uint8)
    split[:n_train] = random_split(n_train, seed, min(VALIDATION / n_train, 0.1), 0.0)
    images = np.concatenate([images for images, _ in pairs])
    return images, np.concatenate([labels for _, labels in pairs]).astype(np.int16), split


def _pair(folder: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    images = read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"), 3)
    path = _find(folder, f"{prefix}-labels-idx1-ubyte")
    labels = read_idx(path, 1)
    if len(images) != len(labels) or (len(labels) and labels.max() > 9):
        raise CaptchaLabError(f"{path} does not label the {len(images)} digits beside it with 0 to 9.")
    if not len(images):
        raise CaptchaLabError(f"{path} is empty: it labels no digits. Give MNIST's own files.")
    return images, labels


def _find(folder: Path, stem: str) -> Path:
    for name in (f"{stem}.gz", stem, stem.replace("-idx", ".idx"), f"{stem.replace('-idx', '.idx')}.gz"):
        if (folder / name).is_file():
            return folder / name
    raise CaptchaLabError(f"{folder} holds no {stem}.gz: give the {Mnist.summary}.")


def _embedded(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)  # 17 grey levels
    return resize(images, SIDE), digits.target.astype(np.int16), random_split(len(images), seed)


DATASET = Mnist()
