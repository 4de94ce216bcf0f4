"""Random batches from a packed set for training, from memory or straight from disk.

The order is a pure function of (seed, position): epoch e visits all rows in the order of the e-th seeded
permutation. So the state of a source is one number, reading ahead can't disturb it, and several processes
agree on the order without talking.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType

import numpy as np

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.packed.packed import SPLITS, UNLABELLED, PackedSet
from captcha_lab.store.packed.rows import RowReader


@dataclass(frozen=True)
class BatchOptions:
    """Which rows a source gives, in what order, and how it reads them."""

    split: str = "train"
    # "none"; "classes": one-hot labels; "partial": the same, with all zeros for images that have no label;
    # "attributes": 0/1 vectors of the attributes named below.
    condition: str = "none"
    attributes: tuple[str, ...] = ()  # empty: all there are
    seed: int = 0
    rank: int = 0  # this process among `world`: each global batch is cut into `world` consecutive slices
    world: int = 1
    memory_bytes: int = 1 << 30  # a split no larger than this is held in memory, a larger one read as needed
    ahead: int = 2  # batches read ahead from disk
    readers: int = 2  # threads that read them


class Batches:
    """An endless source of random batches; a context manager.

    Attributes:
        names: what the columns of the condition mean (class or attribute names); empty without condition.
        image_shape: (H, W) or (H, W, 3).
        in_memory: whether the images are held in memory.

    Raises:
        UsageError: the condition asks for classes or attributes the set doesn't have.
        CaptchaLabError: the file can't be read, or has no row that fits.
    """

    def __init__(self, path: Path, options: BatchOptions | None = None) -> None:
        self.options = options or BatchOptions()
        self.path = path
        self._reader = RowReader(path)
        self.position = 0  # rows given so far, all processes together
        self._epoch = (-1, np.empty(0, np.int64))
        self._ahead: deque[tuple[int, int, Future[np.ndarray]]] = deque()
        try:
            self.image_shape = self._reader.row_shape
            self.names, rows, condition = _choose(self._reader.facts, self.options, path)
            self._rows = rows  # int64 [M]: the rows of the file that are given
            self._condition = condition  # of those rows: int16 [M] classes, int8 [M, K] attributes, or None
            self.in_memory = len(rows) * self._reader.row_bytes <= self.options.memory_bytes
            self._images = self._reader.read(rows) if self.in_memory else None
        except BaseException:
            self._reader.close()
            raise
        self._pool = None if self.in_memory else ThreadPoolExecutor(self.options.readers, "read-ahead")

    def __len__(self) -> int:
        return len(self._rows)

    def __enter__(self) -> Batches:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading ahead and close the file."""
        self._drop_ahead()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._reader.close()

    def next(self, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        """The next `count` images of this process, and their conditions.

        Returns:
            images uint8 [count, H, W(, 3)], condition float32 [count, K] or None.

        Raises:
            CaptchaLabError: the file was damaged meanwhile.
        """
        chosen = self._chosen(self.position, count)
        images = self._take(chosen, count)
        self.position += count * self.options.world
        return images, None if self._condition is None else self._as_floats(self._condition[chosen])

    def state(self) -> dict[str, int]:
        """What `restore` needs to go on exactly here; counts only what was given, not what was read ahead."""
        return {"position": self.position, "seed": self.options.seed, "rows": len(self)}

    def restore(self, state: dict[str, int]) -> None:
        """Go on where another source over the same set and seed stood.

        Raises:
            CaptchaLabError: the state is of another seed or another set.
        """
        if state["rows"] != len(self):
            raise CaptchaLabError(
                f"{self.path} has {len(self)} images for this run, but the checkpoint was made with "
                f"{state['rows']}: resume on the set it was trained on."
            )
        if state["seed"] != self.options.seed:
            raise CaptchaLabError(
                f"The checkpoint drew its batches with seed {state['seed']}, not {self.options.seed}: "
                "resume with the same --seed."
            )
        self.position = int(state["position"])
        self._drop_ahead()

    def _chosen(self, position: int, count: int) -> np.ndarray:
        """Int64 [count]: this process's slice of the global batch at `position`, as indices into `_rows`."""
        start = position + self.options.rank * count
        parts: list[np.ndarray] = []
        while count > 0:
            epoch, offset = divmod(start, len(self._rows))
            part = self._permutation(epoch)[offset : offset + count]
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def _as_floats(self, condition: np.ndarray) -> np.ndarray:
        """Float32 [n, K]: one-hot for classes [n], zeros for none, as they are for attributes [n, K]."""
        if condition.ndim == 2:
            return condition.astype(np.float32)
        hot = np.zeros((len(condition), len(self.names)), np.float32)
        known = np.flatnonzero(condition != UNLABELLED)
        hot[known, condition[known]] = 1
        return hot

    def _permutation(self, epoch: int) -> np.ndarray:
        known, order = self._epoch
        if known != epoch:
            order = np.random.default_rng((self.options.seed, epoch)).permutation(len(self._rows))
            self._epoch = (epoch, order)
        return order

    def _take(self, chosen: np.ndarray, count: int) -> np.ndarray:
        if self._images is not None:
            return np.asarray(self._images[chosen])
        if self._ahead and self._ahead[0][:2] != (self.position, count):
            self._drop_ahead()  # another batch size, or restored elsewhere
        self._read_ahead(count)
        return self._ahead.popleft()[2].result()

    def _read_ahead(self, count: int) -> None:
        """Have the batch at the current position, and `ahead` more of the same size, under way."""
        if self._pool is None:
            raise RuntimeError("images in memory are not read ahead")
        step = count * self.options.world
        while len(self._ahead) <= self.options.ahead:
            position = self.position + step * len(self._ahead)
            rows = self._rows[self._chosen(position, count)]
            self._ahead.append((position, count, self._pool.submit(self._reader.read, rows)))

    def _drop_ahead(self) -> None:
        while self._ahead:
            self._ahead.popleft()[2].cancel()


def _choose(
    facts: PackedSet, options: BatchOptions, path: Path
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray | None]:
    """Names of the condition's columns, int64 [M] rows of the split that have it, what they have."""
    if options.split not in SPLITS:
        raise UsageError(f"There is no split {options.split!r}: choose one of {', '.join(SPLITS)}.")
    wanted = facts.split == SPLITS.index(options.split)
    names: tuple[str, ...] = ()
    table: np.ndarray | None = None
    if options.condition in ("classes", "partial"):
        if facts.labels is None or not facts.classes:
            raise UsageError(f"{path} has no classes: train with --no-label, or choose --attributes.")
        names, table = facts.classes, facts.labels
        if options.condition == "classes":
            wanted &= facts.labels != UNLABELLED
    elif options.condition == "attributes":
        names, table = _attributes(facts, options.attributes, path)
        wanted &= (table >= 0).all(axis=1)
    elif options.condition != "none":
        raise UsageError(f"Condition {options.condition!r}: choose none, classes, partial or attributes.")
    rows = np.flatnonzero(wanted)
    if not len(rows):
        raise CaptchaLabError(
            f"{path} has no {'labelled ' if table is not None else ''}{options.split} images."
        )
    return names, rows, None if table is None else table[rows]


def _attributes(facts: PackedSet, wanted: tuple[str, ...], path: Path) -> tuple[tuple[str, ...], np.ndarray]:
    if facts.attributes is None:
        raise UsageError(f"{path} has no attributes: train with --no-label.")
    columns = attribute_columns(wanted or facts.attribute_names, facts.attribute_names)
    return tuple(facts.attribute_names[k] for k in columns), facts.attributes[:, columns]


def attribute_columns(names: Iterable[str], known: tuple[str, ...]) -> list[int]:
    """The columns of the named attributes, whatever their case, each once.

    Raises:
        UsageError: there is none of a name; the message tells the nearest.
    """
    return list(dict.fromkeys(_attribute_column(name, known) for name in names))


def _attribute_column(name: str, known: tuple[str, ...]) -> int:
    folded = [n.casefold() for n in known]
    if name.casefold() in folded:
        return folded.index(name.casefold())
    near = get_close_matches(name.casefold(), folded, 3, 0.5)
    hint = ", ".join(known[folded.index(n)] for n in near) if near else ", ".join(known)
    raise UsageError(f"There is no attribute {name!r}: {'did you mean' if near else 'there are'} {hint}?")
