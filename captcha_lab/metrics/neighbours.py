"""Nearest neighbours in bounded memory."""

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

    >>> nearest(np.array([[0.0], [7.0]]), np.array([[1.0], [9.0]]))
    Neighbours(distance=array([1., 2.]), which=array([0, 1]))
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

    >>> kth_radius(np.array([[0.0], [1.0], [3.0]]), 1)
    array([1., 1., 2.])
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
