"""Random batches: the same from memory and disk, restorable, cut among processes, conditions."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from captcha_lab.datasets.batches import Batches, BatchOptions
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.packed.packed import PackedSet, write_attributes, write_packed
from tests.helpers import present

N = 60


def make_set(rgb: bool = True) -> PackedSet:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N, 6, 5, 3) if rgb else (N, 6, 5), np.uint8)
    labels = rng.integers(0, 4, N).astype(np.int16)
    labels[:3] = -1
    attributes = rng.integers(0, 2, (N, 3)).astype(np.int8)
    attributes[5, 1] = -1
    split = np.zeros(N, np.uint8)
    split[50:55], split[55:] = 1, 2
    names = ("Smiling", "Male", "Young")
    return PackedSet(images, split, labels, attributes, classes=tuple("abcd"), attribute_names=names)


def write_bare(path: Path, data: PackedSet) -> None:
    """The layout of large sets: contiguous, no filters."""
    with h5py.File(path, "w") as file:
        for name in ("images", "split", "labels", "attributes"):
            file.create_dataset(name, data=getattr(data, name))
        write_attributes(file, data)


@pytest.fixture(params=["library", "bare"])
def packed(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "packed.h5"
    {"library": write_packed, "bare": write_bare}[request.param](path, make_set())
    return path


def draw(batches: Batches, sizes: list[int]) -> np.ndarray:
    return np.concatenate([batches.next(n)[0] for n in sizes])


def test_disk_gives_the_same_batches_as_memory(packed: Path) -> None:
    sizes = [7, 7, 7, 20, 7, 120, 1]
    with Batches(packed) as memory, Batches(packed, BatchOptions(memory_bytes=0)) as disk:
        assert memory.in_memory
        assert not disk.in_memory
        assert np.array_equal(draw(memory, sizes), draw(disk, sizes))


def test_every_image_once_an_epoch_in_another_order(packed: Path) -> None:
    images = make_set().images[:50]
    with Batches(packed, BatchOptions(memory_bytes=0)) as batches:
        epochs = [draw(batches, [10] * 5) for _ in range(2)]
    for epoch in epochs:
        assert {e.tobytes() for e in epoch} == {i.tobytes() for i in images}
    assert not np.array_equal(epochs[0], epochs[1])


@pytest.mark.parametrize("memory", [0, 1 << 30])
def test_state_restores_exactly_whatever_was_read_ahead(packed: Path, memory: int) -> None:
    options = BatchOptions(memory_bytes=memory, seed=3)
    with Batches(packed, options) as batches:
        draw(batches, [16] * 5)
        state = batches.state()
        expected = draw(batches, [16] * 4)
        draw(batches, [3])
        batches.restore(state)
        assert np.array_equal(draw(batches, [16] * 4), expected)
    with Batches(packed, options) as fresh:
        fresh.restore(state)
        assert np.array_equal(draw(fresh, [16] * 4), expected)
    with Batches(packed, BatchOptions(seed=4)) as other, pytest.raises(CaptchaLabError, match="--seed"):
        other.restore(state)
    smaller = BatchOptions(seed=3, split="test")
    with Batches(packed, smaller) as other, pytest.raises(CaptchaLabError, match="5 images"):
        other.restore(state)


def test_processes_share_the_global_batch(packed: Path) -> None:
    with Batches(packed, BatchOptions(condition="classes")) as whole:
        images, condition = zip(*[whole.next(12) for _ in range(9)], strict=True)
    for rank in range(3):
        options = BatchOptions(condition="classes", rank=rank, world=3, memory_bytes=0)
        with Batches(packed, options) as part:
            for step in range(9):
                own, own_condition = part.next(4)
                rows = slice(4 * rank, 4 * rank + 4)
                assert np.array_equal(own, images[step][rows])
                assert np.array_equal(present(own_condition), condition[step][rows])


def test_class_conditions_leave_out_unlabelled_rows(packed: Path) -> None:
    data = make_set()
    with Batches(packed, BatchOptions(condition="classes")) as batches:
        assert len(batches) == 47
        assert batches.names == tuple("abcd")
        images, condition = batches.next(47)
    assert condition is not None
    assert condition.dtype == np.float32
    assert (condition.sum(axis=1) == 1).all()
    labels = {i.tobytes(): k for i, k in zip(data.images, present(data.labels), strict=True)}
    assert [labels[i.tobytes()] for i in images] == condition.argmax(axis=1).tolist()


def test_attribute_conditions(packed: Path) -> None:
    data = make_set()
    options = BatchOptions(condition="attributes", attributes=("young", "Male"), memory_bytes=0)
    with Batches(packed, options) as batches:
        assert batches.names == ("Young", "Male")
        assert len(batches) == 49  # one row's Male is unknown
        images, condition = batches.next(49)
    values = {i.tobytes(): a[[2, 1]] for i, a in zip(data.images, present(data.attributes), strict=True)}
    assert condition is not None
    assert np.array_equal(condition, np.stack([values[i.tobytes()] for i in images]))


def test_requests_that_cannot_be_met(tmp_path: Path) -> None:
    path = tmp_path / "plain.h5"
    data = make_set(rgb=False)
    write_packed(path, PackedSet(data.images, np.zeros(N, np.uint8)))
    for options, message in (
        (BatchOptions(condition="classes"), "no classes"),
        (BatchOptions(condition="attributes"), "no attributes"),
        (BatchOptions(split="dev"), "train, validation, test"),
    ):
        with pytest.raises(UsageError, match=message):
            Batches(path, options)
    with pytest.raises(CaptchaLabError, match="no test images"):
        Batches(path, BatchOptions(split="test"))


def test_unknown_attribute_names_the_nearest(packed: Path) -> None:
    with pytest.raises(UsageError, match=r"'Smilling'.*Smiling"):
        Batches(packed, BatchOptions(condition="attributes", attributes=("Smilling",)))


def test_a_file_cut_short_is_said(tmp_path: Path) -> None:
    path = tmp_path / "packed.h5"
    write_bare(path, make_set())
    with h5py.File(path) as file:
        start = file["images"].id.get_offset()
    with Batches(path, BatchOptions(memory_bytes=0)) as batches:
        with path.open("rb+") as file:
            file.truncate(start + 100)
        with pytest.raises(CaptchaLabError, match="cut short"):
            draw(batches, [10] * 5)
