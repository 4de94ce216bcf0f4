"""The real images an evaluation compares with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.subject import Images
from captcha_lab.metrics.neighbours import fingerprints
from captcha_lab.store.packed.packed import SPLITS, UNLABELLED, PackedSet
from captcha_lab.store.packed.rows import RowReader

FEW_HELD_OUT = 50  # test images; with fewer, the validation images join them
MOST_BYTES = 256 * 2**20  # of real images taken into memory from a set without classes
MOST_HELD = 0.25  # of which held out


@dataclass(frozen=True)
class RealData:
    """The real images an evaluation compares with; pixel-by-pixel duplicates are removed.

    Attributes:
        train: images generators and recognisers were trained on.
        held: images held out from all training: the baseline.
        train_conditions: class numbers int [N], attributes int8 [N, A], or None.
        held_conditions: the same of the held-out images.
        classes: names of the classes; empty where there are none or no labels.
        held_source: captcha number of each held-out image, or None where images stand alone.
        attribute_names: of the columns of the conditions, where these are attributes.
    """

    train: Images
    held: Images
    train_conditions: NDArray[np.integer] | None = None
    held_conditions: NDArray[np.integer] | None = None
    classes: tuple[str, ...] = ()
    held_source: NDArray[np.integer] | None = None
    info: dict[str, Any] = field(default_factory=dict)
    attribute_names: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W) or (H, W, 3)."""
        return tuple(self.train.shape[1:])

    @property
    def labelled(self) -> bool:
        """Whether the images have classes."""
        return bool(self.classes)

    @cached_property
    def class_shares(self) -> NDArray[np.float64]:
        """Relative frequency of each class among the training images: float64 [K]."""
        if not self.labelled or self.train_conditions is None:
            return np.empty(0)
        counts = np.bincount(self.train_conditions, minlength=len(self.classes))
        return np.asarray(counts / counts.sum(), dtype=np.float64)

    def some_conditions(self, count: int) -> NDArray[np.integer] | None:
        """Conditions of `count` training images in turn, or None where there are none."""
        known = self.train_conditions
        return None if known is None else known[np.arange(count) % len(known)]

    def attributes(
        self, conditions: NDArray[np.integer] | None, names: tuple[str, ...]
    ) -> NDArray[np.integer]:
        """The named columns of rows of attributes [N, A], as 1 or 0 (unknown counts as 0): [N, K].

        Raises:
            CaptchaLabError: an attribute the data has not.
        """
        unknown = [name for name in names if name not in self.attribute_names]
        if conditions is None or unknown:
            raise CaptchaLabError(
                f"The data has no attribute {', '.join(unknown or names)}: choose the dataset the generator was "
                "trained on with --dataset."
            )
        columns = [self.attribute_names.index(name) for name in names]
        return np.asarray(np.clip(conditions[:, columns], 0, 1))

    @classmethod
    def from_file(cls, path: Path, seed: int = 0, most_bytes: int = MOST_BYTES) -> RealData:
        """A random sample of a packed set's rows, no more than fits into so many bytes, however large the set.

        For sets without classes, such as faces: these have no rows that must not be missed.

        Raises:
            CaptchaLabError: the file can't be read, nothing to train on or nothing held out.
        """
        with RowReader(path) as reader:
            facts = reader.facts
            room = max(1, most_bytes // reader.row_bytes)
            rng = np.random.default_rng((seed, 3))
            rows = np.flatnonzero(facts.split == SPLITS.index("train"))
            others = np.flatnonzero(facts.split != SPLITS.index("train"))
            held = rng.permutation(others)[: max(1, int(MOST_HELD * room))]
            train = rng.permutation(rows)[: max(1, room - len(held))]
            chosen = np.sort(np.concatenate([train, held]))
            repeats = np.zeros(len(chosen), np.uint8)
            part = replace(facts.take_columns(chosen, repeats), images=reader.read(chosen))
        return cls.from_packed(part)

    @classmethod
    def from_packed(cls, data: PackedSet) -> RealData:
        """Training and held-out rows of a packed set in memory.

        Where a set has classes, only labelled rows count, unless hardly any row is labelled.

        Raises:
            CaptchaLabError: nothing to train on or nothing held out.
        """
        labelled = data.labels is not None and bool(data.classes) and _enough(data)
        usable = _usable(data, labelled)
        train = data.take(usable & (data.split == SPLITS.index("train")))
        held = data.take(usable & (data.split == SPLITS.index("test")))
        if len(held) < FEW_HELD_OUT:
            held = data.take(usable & (data.split != SPLITS.index("train")))
        if len(train) and not len(held) and (usable.sum() < len(data) and (data.split != 0).any()):
            raise CaptchaLabError(
                f"Every held-out image repeats one of the {len(train)} different training images, pixel by pixel: a "
                "table of them reads these captchas, and there is nothing to measure generators against."
            )
        if not len(train) or not len(held):
            raise CaptchaLabError(
                f"The packed set has {len(train)} training and {len(held)} held-out images: "
                "an evaluation needs both. Scrape or import more captchas."
            )

        def conditions(part: PackedSet) -> NDArray[np.integer] | None:
            return np.asarray(part.labels, np.int64) if labelled else part.attributes

        return cls(
            train.images, held.images, conditions(train), conditions(held),
            data.classes if labelled else (), held.image, data.info,
            () if labelled or data.attributes is None else data.attribute_names,
        )  # fmt: skip


def _enough(data: PackedSet) -> bool:
    """Whether a tenth of the rows, and some held-out ones, carry labels."""
    if data.labels is None:
        return False
    known = data.labels != UNLABELLED
    return bool(known.mean() >= 0.1 and known[data.split != 0].any())


def _usable(data: PackedSet, labelled: bool) -> NDArray[np.bool_]:
    """Rows [N] that are labelled, where that matters, and whose pixels stand in no earlier split or row.

    `PackedSet.duplicate` is stricter: it also marks glyphs of one shape in another ink. Those are kept here,
    because ink is a thing a generator has to get right.
    """
    rows = np.ones(len(data), dtype=bool)
    if labelled and data.labels is not None:
        rows &= data.labels != UNLABELLED
    seen: set[bytes] = set()
    for row in np.argsort(data.split, kind="stable"):
        if rows[row]:
            key = fingerprints(data.images[row : row + 1])[0]
            rows[row] = key not in seen
            seen.add(key)
    return rows
