"""Accuracy of readings: per glyph, per captcha, per class, and where the errors go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import UsageError
from captcha_lab.metrics.intervals import Share, share_of, wilson

IntArray = NDArray[np.integer] | Sequence[int]
UNLABELLED = -1


def confusion_matrix(labels: IntArray, readings: IntArray, classes: int) -> NDArray[np.int64]:
    """Count of (asked or true class, class read): int64 [K, K], rows are the true classes.

    Raises:
        UsageError: lengths differ or a class number is outside 0 … classes-1.

    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2)
    array([[1, 1],
           [0, 1]])
    """
    truth, read = np.asarray(labels, dtype=np.int64), np.asarray(readings, dtype=np.int64)
    if truth.shape != read.shape:
        raise UsageError(f"{truth.size} labels do not match {read.size} readings.")
    if truth.size and not (min(truth.min(), read.min()) >= 0 and max(truth.max(), read.max()) < classes):
        raise UsageError(f"A class number lies outside 0 to {classes - 1}.")
    return np.bincount(truth * classes + read, minlength=classes * classes).reshape(classes, classes)


def per_class(confusion: NDArray[np.int64]) -> list[Share]:
    """Share of each class that was read as itself (recall), one Wilson interval a class."""
    return [wilson(int(row[k]), int(row.sum())) for k, row in enumerate(confusion)]


def glyph_accuracy(labels: IntArray, readings: IntArray) -> Share:
    """Share of glyphs read right; labels and readings int [N]."""
    return share_of(np.asarray(labels) == np.asarray(readings))


def captcha_accuracy(labels: IntArray, readings: IntArray, source: IntArray) -> Share:
    """Share of captchas whose glyphs are all read right.

    A captcha of which any glyph is unlabelled has no text to compare with: it is left out, not read whole by the
    part that is labelled. Give all of its glyphs therefore, not the labelled ones alone.

    Args:
        labels: int [N], true class of each glyph, -1 where it is unlabelled.
        readings: int [N], class read.
        source: int [N], number of the captcha each glyph was cut from.

    >>> captcha_accuracy([1, 2, 1, 2, 1, -1], [1, 2, 1, 1, 1, 1], [7, 7, 8, 8, 9, 9])[3:]  # right, wrong, unknown
    (1, 2)
    """
    truth = np.asarray(labels)
    captchas, which = np.unique(np.asarray(source), return_inverse=True)
    wrong = np.bincount(which, weights=truth != np.asarray(readings), minlength=len(captchas))
    unknown = np.bincount(which, weights=truth == UNLABELLED, minlength=len(captchas))
    return share_of((wrong == 0)[unknown == 0])


def class_histogram(readings: IntArray, classes: int) -> NDArray[np.float64]:
    """Relative frequency of each class: float64 [K], sums to 1 (all 0 for no readings)."""
    counts = np.bincount(np.asarray(readings, dtype=np.int64), minlength=classes).astype(np.float64)
    return np.asarray(counts / max(counts.sum(), 1.0))


def total_variation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Half the summed absolute difference of two distributions: 0 the same, 1 disjoint.

    >>> total_variation(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    0.5
    """
    return float(0.5 * np.abs(first - second).sum())


def worst_confusions(confusion: NDArray[np.int64], count: int = 5) -> list[tuple[int, int, int]]:
    """The most frequent errors as (true class, class read, how often), most frequent first.

    >>> worst_confusions(np.array([[5, 2], [3, 5]]))
    [(1, 0, 3), (0, 1, 2)]
    """
    errors = confusion.copy()
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, errors.shape)
    return [(int(r), int(c), int(errors[r, c])) for r, c in zip(rows, columns, strict=True) if errors[r, c]]
