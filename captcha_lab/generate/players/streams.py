"""Streams of training images for generators: in memory, or read from a packed file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from captcha_lab.datasets.batches import Batches, BatchOptions
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.generate.conditioning import TextCode, one_hot
from captcha_lab.parallel import Group


class TrainingStream(Protocol):
    """An endless, seeded, resumable stream of training batches."""

    image_shape: tuple[int, ...]
    """(H, W) or (H, W, 3)."""
    names: tuple[str, ...]
    """Class or attribute names; empty = unlabelled."""
    exclusive: bool
    """The names are classes (conditions are one-hot), else attributes (0/1 each)."""
    places: int
    """With more than 0 the names are characters, and conditions are texts (see `conditioning.TextCode`)."""
    lengths: tuple[int, ...]
    """Of texts: the numbers of characters that occur."""

    def __len__(self) -> int:
        """How many images there are."""
        ...

    def next(self, n: int) -> tuple[np.ndarray, np.ndarray | None]:
        """The next n images of this process, uint8 [n, H, W(, 3)], and their conditions, float32 [n, K] or None.

        With several processes the global batch is cut into as many consecutive parts of n.
        """
        ...

    def labelled(self, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A labelled image for each of the draws, [n] uniform in [0, 1): images and conditions as in `next`.

        Raises:
            CaptchaLabError: no image has a label.
        """
        ...

    def reference(self, n: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Up to n images to compare with, always the same; the stream is not touched."""
        ...

    def state(self) -> dict[str, Any]:
        """Where the stream is: numbers, strings, lists and dicts."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Continue the stream from a `state`."""
        ...


class Shuffler:
    """Row numbers without end: every epoch is a fresh permutation, fixed by seed and epoch alone."""

    def __init__(self, rows: int, seed: int) -> None:
        self.rows = rows
        self.seed = seed
        self.epoch = 0
        self.position = 0
        self._order = self._permutation()

    def _permutation(self) -> np.ndarray:
        return np.random.default_rng([self.seed, self.epoch]).permutation(self.rows)

    def next(self, n: int) -> np.ndarray:
        """The next n row numbers, int64 [n]; an epoch's rest is used before the next begins."""
        parts = []
        while n:
            if self.position == self.rows:
                self.epoch, self.position = self.epoch + 1, 0
                self._order = self._permutation()
            part = self._order[self.position : self.position + n]
            self.position += len(part)
            n -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def state(self) -> dict[str, Any]:
        """Epoch and position."""
        return {"epoch": self.epoch, "position": self.position}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a `state`."""
        self.epoch, self.position = int(state["epoch"]), int(state["position"])
        self._order = self._permutation()


class ArrayStream:
    """A `TrainingStream` of arrays in memory.

    Args:
        images: uint8 [N, H, W] or [N, H, W, 3].
        labels: class numbers [N], with `names`, -1 where an image has none; None = unlabelled.
        names: class names in label order, or attribute names.
        attributes: 0/1 [N, K] instead of labels.
        texts: of whole captchas, instead of labels; the names are then the characters they hold.
        seed: fixes the order.
        group: this process among others.

    Raises:
        CaptchaLabError: no images.
        UsageError: labels outside the classes.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | None = None,
        names: tuple[str, ...] = (),
        *,
        attributes: np.ndarray | None = None,
        texts: Sequence[str] = (),
        seed: int = 0,
        group: Group | None = None,
    ) -> None:
        if len(images) == 0:
            raise CaptchaLabError("There are no images to train on: import or scrape some first.")
        if (labels is not None) + (attributes is not None) + bool(texts) > 1:
            raise UsageError("Condition on classes, on attributes or on texts, not on several of them.")
        self.images = np.ascontiguousarray(images)
        self.image_shape = tuple(images.shape[1:])
        self.exclusive = attributes is None and not texts
        self.lengths = tuple(sorted(set(map(len, texts))))
        self.places = max(self.lengths, default=0)
        self.condition: np.ndarray | None = None
        if labels is not None:
            self.condition = one_hot(np.maximum(labels, 0), len(names)) * (labels >= 0)[:, None]
        elif attributes is not None:
            self.condition = np.clip(attributes, 0, 1).astype(np.float32)
        elif texts:
            names = tuple(sorted(set("".join(texts))))
            self.condition = TextCode(names, self.places).encode(texts)
        self.names = names if self.condition is not None else ()
        self._rows = Shuffler(len(images), seed)
        self._group = group or Group()

    def __len__(self) -> int:
        return len(self.images)

    def next(self, n: int) -> tuple[np.ndarray, np.ndarray | None]:
        """See `TrainingStream.next`."""
        world = self._group.world
        rows = self._rows.next(n * world)[self._group.part(n * world)]
        return self.images[rows], None if self.condition is None else self.condition[rows]

    def labelled(self, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `TrainingStream.labelled`."""
        condition = np.empty((0, 0)) if self.condition is None else self.condition
        rows = _drawn(draws, np.flatnonzero(condition.any(1)))
        return self.images[rows], condition[rows]

    def reference(self, n: int) -> tuple[np.ndarray, np.ndarray | None]:
        """See `TrainingStream.reference`."""
        rows = np.random.default_rng([self._rows.seed, 0]).permutation(len(self.images))[:n]
        return self.images[rows], None if self.condition is None else self.condition[rows]

    def state(self) -> dict[str, Any]:
        """See `TrainingStream.state`."""
        return self._rows.state()

    def restore(self, state: dict[str, Any]) -> None:
        """See `TrainingStream.restore`."""
        self._rows.restore(state)


class PackedStream(Batches):
    """A `TrainingStream` of a packed file, in memory where it fits, else read ahead from disk."""

    places = 0
    lengths: tuple[int, ...] = ()

    def __init__(self, path: Path, options: BatchOptions | None = None) -> None:
        super().__init__(path, options)
        self.exclusive = self.options.condition != "attributes"

    def __enter__(self) -> PackedStream:
        return self

    def labelled(self, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `TrainingStream.labelled`."""
        known = np.empty(0) if self._condition is None or self._condition.ndim > 1 else self._condition
        rows = _drawn(draws, np.flatnonzero(known >= 0))
        images = self._reader.read(self._rows[rows]) if self._images is None else self._images[rows]
        return images, self._as_floats(known[rows])

    def reference(self, n: int) -> tuple[np.ndarray, np.ndarray | None]:
        """See `TrainingStream.reference`."""
        chosen = np.sort(np.random.default_rng([self.options.seed, 0]).permutation(len(self))[:n])
        images = self._reader.read(self._rows[chosen]) if self._images is None else self._images[chosen]
        return images, None if self._condition is None else self._as_floats(self._condition[chosen])


def _drawn(draws: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """One of the rows, those that have a label, for each draw."""
    if not len(rows):
        raise CaptchaLabError("No image has a label: run `captcha-lab label --review` first.")
    return np.asarray(rows[(draws * len(rows)).astype(np.int64)])
