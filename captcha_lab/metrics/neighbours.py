"""Nearest neighbours in bounded memory, and what they say: copies of the training set, or speckle."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import UsageError

# One block of distances stays near 64 MiB whatever the sizes of the two sets.
_BLOCK_BYTES = 64 * 2**20
# Squared distances below this share of the vectors' squared lengths are rounding, so equal vectors are at 0.
_ROUNDING = 1e-13


class Neighbours(NamedTuple):
    """For each query: distance float64 [N] to the nearest reference and its index int64 [N]."""

    distance: NDArray[np.float64]
    which: NDArray[np.int64]


def flatten(images: NDArray[np.generic]) -> NDArray[np.float64]:
    """Images uint8 [N, …] as float64 [N, pixels] in [0, 1]; float features pass unchanged."""
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    return np.asarray(images, dtype=np.float64).reshape(len(images), -1) / scale


def distance_blocks(
    queries: NDArray[np.generic], reference: NDArray[np.generic]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Euclidean distances of all pairs, a block of query rows at a time: (rows, float64 [rows, M])."""
    y = flatten(reference)
    y_square = np.einsum("md,md->m", y, y)
    step = max(1, _BLOCK_BYTES // (8 * max(len(y), 1) * 2))
    for start in range(0, len(queries), step):
        rows = slice(start, min(start + step, len(queries)))
        x = flatten(queries[rows])
        total = np.einsum("nd,nd->n", x, x)[:, None] + y_square[None]
        square = total - 2.0 * (x @ y.T)
        square[square < _ROUNDING * total] = 0.0
        yield rows, np.sqrt(square, out=square)


def nearest(queries: NDArray[np.generic], reference: NDArray[np.generic]) -> Neighbours:
    """The nearest reference of each query, by Euclidean distance over pixels in [0, 1] or features.

    Raises:
        UsageError: the reference is empty.
    """
    if not len(reference):
        raise UsageError("There is nothing to look for neighbours in: the reference set is empty.")
    distance, index = np.empty(len(queries)), np.empty(len(queries), dtype=np.int64)
    for rows, block in distance_blocks(queries, reference):
        index[rows] = block.argmin(axis=1)
        distance[rows] = block[np.arange(len(block)), index[rows]]
    return Neighbours(distance, index)


def kth_radius(points: NDArray[np.generic], k: int) -> NDArray[np.float64]:
    """Distance of each point to its k-th nearest other point of the same set: float64 [N].

    Raises:
        UsageError: fewer than k + 1 points.
    """
    if len(points) <= k:
        raise UsageError(
            f"{len(points)} samples are too few for the {k} nearest neighbours: give more samples."
        )
    radius = np.empty(len(points))
    for rows, block in distance_blocks(points, points):
        # A point is its own nearest; infinity there makes the k-th other one the k-th of the row.
        block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = np.inf
        radius[rows] = np.partition(block, k - 1, axis=1)[:, k - 1]
    return radius


def fingerprints(images: NDArray[np.uint8]) -> list[bytes]:
    """A 16-byte digest of each image's pixels: equal images have equal digests."""
    return [
        hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest() for image in images
    ]


def exact_copies(images: NDArray[np.uint8], reference: NDArray[np.uint8]) -> int:
    """How many images are pixel by pixel one of the reference images."""
    known = set(fingerprints(reference))
    return sum(digest in known for digest in fingerprints(images))


def distinct(images: NDArray[np.uint8]) -> int:
    """How many different images there are.

    >>> distinct(np.zeros((5, 20, 20), np.uint8))
    1
    """
    return len(set(fingerprints(images)))


class Memorisation(NamedTuple):
    """How near samples lie to training images, measured against held-out real images.

    `ratio` is the median nearest distance divided by the held-out median: well below 1 the generator has
    memorised, well above 1 its samples are speckled or blurred. `near_copies` is the share of samples nearer
    than the nearest 5 % of held-out images are: 0.05 is the floor.
    """

    ratio: float
    near_copies: float


def memorisation(distance: NDArray[np.float64], held_out: NDArray[np.float64]) -> Memorisation:
    """Compare the samples' nearest distances [N] with those of held-out real images [M] to the same set.

    Raises:
        UsageError: one of the two is empty.
    """
    if not len(distance) or not len(held_out):
        raise UsageError("Memorisation needs samples and held-out images.")
    usual = float(np.median(held_out))
    ratio = float(np.median(distance)) / usual if usual > 0 else float("nan")
    return Memorisation(ratio, float(np.mean(distance < np.quantile(held_out, 0.05))))
