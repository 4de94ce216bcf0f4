"""Drawing from a generator: samples, captchas, grids, walks, files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.generate.noise import draw_noise
from captcha_lab.generate.players.streams import ArrayStream
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.sampling import sheets
from captcha_lab.generate.sampling.mixture import mixture
from captcha_lab.generate.sampling.options import SampleOptions
from captcha_lab.generate.sampling.plan import attributed_samples, captcha_samples, single_samples
from captcha_lab.generate.sampling.sample import BLOCK, Generator, load_generator, save_generator
from captcha_lab.generate.sampling.write import write_samples
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.parallel import Group
from captcha_lab.store.packed.packed import read_packed, write_packed
from captcha_lab.store.runs import save_weights
from tests.generate.generator_tools import data, shrunk


def generator(name: str = "wdcgan-label", attributes: bool = False) -> Generator:
    recipe = shrunk(get_recipe(name))
    batches = data(recipe)
    if attributes:
        recipe = recipe.with_label()
        batches = ArrayStream(batches.images, names=("hat", "hair"), attributes=np.zeros((24, 2)))
    t = Trainer(recipe, batches, 1)
    names = tuple("ABCDE")[: len(t.names)] if not attributes else t.names
    return Generator(t.players.generator, t.players.spec, recipe.noise, names, batches.exclusive, recipe)


@pytest.fixture(scope="module")
def letters() -> Generator:
    return generator()


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """To a grey level: batches of another size may round otherwise."""
    return one.shape == other.shape and int(np.abs(one.astype(int) - other).max()) <= 1


def test_same_seed_same_images_whichever_blocks_are_drawn(letters: Generator) -> None:
    labels = np.arange(2 * BLOCK + 5) % 5
    first = letters.sample(labels, seed=3)
    assert first.shape == (len(labels), 20, 20)
    plan = single_samples(letters, len(labels), seed=3)
    assert np.array_equal(first, plan.images())
    for numbers in ({0}, {1}, {2}, {0, 2}, set[int]()):
        drawn = dict(plan.drawn(numbers))
        assert set(drawn) == numbers
        for number, images in drawn.items():
            assert np.array_equal(first[number * BLOCK : (number + 1) * BLOCK], images)
    assert not np.array_equal(first, letters.sample(labels, seed=4))
    assert not np.array_equal(first[2], first[3])


@pytest.mark.parametrize("kind", ["normal", "uniform"])
@pytest.mark.parametrize("size", [1, 6, 100])
def test_noise_by_the_block_is_the_noise_drawn_at_once(letters: Generator, kind: str, size: int) -> None:
    drawing = replace(letters, noise=kind, spec=replace(letters.spec, noise_size=size))
    for count in (1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3, 5 * BLOCK):
        at_once = draw_noise(kind, count, size, torch.Generator().manual_seed(4))
        blocks = list(drawing.noise_blocks(count, 4))
        assert torch.equal(torch.cat(blocks), at_once)
        assert {len(block) for block in blocks[:-1]} <= {BLOCK}


def test_sampling_leaves_the_training_mode_alone(letters: Generator) -> None:
    letters.network.train()
    running = {k: v.clone() for k, v in letters.network.state_dict().items()}
    letters.sample(np.array([0]))
    assert letters.network.training
    assert all(torch.equal(v, letters.network.state_dict()[k]) for k, v in running.items())


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda g: g.sample(None, 3), "say which classes"),
        (lambda g: g.sample(np.array([5])), "Class 5 asked for, but there are 5"),
        (lambda g: g.sample(np.array([], int)), "at least 1"),
        (lambda g: g.walk(0, 1, 1, (0, 1)), "at least 2 steps"),
        (
            lambda g: captcha_samples(g, "AX", 1, 0),
            "'AX' can't be written: the generator knows the characters ABCDE",
        ),
        (lambda g: sheets.walks(g, 0, 4, "AXE"), "A walk between classes needs two of ABCDE"),
        (lambda g: attributed_samples(g, ("hat",), 1, 0), "has no attributes"),
    ],
)
def test_labelled_generators_refuse(
    letters: Generator, ask: Callable[[Generator], object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        ask(letters)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda g: g.sample(np.array([0])), "trained without labels"),
        (lambda g: g.sample(), "Say how many samples"),
        (lambda g: single_samples(g, 2, 0, per_class=True), "use --count instead of --per-class"),
        (lambda g: captcha_samples(g, "A", 1, 0), "Only a generator trained with --label can write"),
    ],
)
def test_unlabelled_generators_refuse(ask: Callable[[Generator], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ask(generator("dcgan"))


def test_walk_between_noises_ends_where_the_noises_are(letters: Generator) -> None:
    walk = letters.walk(7, 9, 5, classes=(2, 2))
    assert walk.shape == (5, 20, 20)
    ends = [letters.walk(seed, seed, 2, classes=(2, 2))[0] for seed in (7, 9)]
    assert alike(walk[0], ends[0])
    assert alike(walk[-1], ends[1])
    assert not np.array_equal(walk[1], walk[0])


def test_walk_between_classes_keeps_the_noise(letters: Generator) -> None:
    walk = letters.walk(7, 7, 3, classes=(0, 4))
    for at, k in (0, 0), (2, 4):
        assert alike(walk[at], letters.walk(7, 7, 2, classes=(k, k))[0])


def test_normal_noise_keeps_its_length_on_the_way() -> None:
    from captcha_lab.generate.sampling.sample import _great_circle

    first, last = torch.randn(2, 1, 64, generator=torch.Generator().manual_seed(0)).unbind(0)
    middle = _great_circle(first, last, torch.tensor([[0.5]]))
    assert float(middle.norm()) == pytest.approx(float((first.norm() + last.norm()) / 2), rel=0.05)
    assert float(((first + last) / 2).norm()) < 0.8 * float(first.norm())
    assert torch.allclose(_great_circle(first, first, torch.tensor([[0.5]])), first, atol=1e-5)


def test_captchas_are_the_texts_glyphs_side_by_side(letters: Generator) -> None:
    count = BLOCK + 2
    plan = captcha_samples(letters, "CAB", count, seed=1)
    made = plan.images()
    assert made.shape == (count, 20, 60)
    glyphs = letters.sample(np.tile([2, 0, 1], count), seed=1)
    for captcha in (1, count - 1):
        assert np.array_equal(made[captcha], np.concatenate(glyphs[3 * captcha :][:3], axis=1))
    assert np.array_equal(dict(plan.drawn({1}))[1], made[BLOCK:])


def test_samples_per_class(letters: Generator) -> None:
    made = single_samples(letters, 3, 0, per_class=True)
    labels = np.repeat(np.arange(5), 3)
    assert np.array_equal(made.images(), letters.sample(labels, seed=0))
    assert np.array_equal(np.asarray(made.columns().labels), labels)
    assert "".join(map(made.text, range(15))) == "AAABBBCCCDDDEEE"


def test_attributes() -> None:
    faces = generator("wgan-fc", attributes=True)
    made = attributed_samples(faces, ("Hair",), 2, seed=0)
    assert (made.text(0), made.text(1)) == ("hair", "hair")
    assert np.array_equal(made.images(), faces.sample(np.array([[0, 1.0], [0, 1.0]]), seed=0))
    assert sheets.sheet(faces, 0).shape == (2 * 20, 8 * 20)
    with pytest.raises(UsageError, match="There is no attribute 'hiar': did you mean hair"):
        attributed_samples(faces, ("hiar",), 1, 0)
    with pytest.raises(UsageError, match="knows attributes, not characters: use --attributes instead"):
        captcha_samples(faces, "ha", 1, 0)


def test_attributes_alone_in_turn_where_none_is_named() -> None:
    faces = generator("wgan-fc", attributes=True)
    made = single_samples(faces, 3, seed=1)
    told = made.columns()
    assert (told.labels, told.attribute_names) == (None, ("hat", "hair"))
    assert np.array_equal(np.asarray(told.attributes), [[1, 0], [0, 1], [1, 0]])
    assert np.array_equal(made.images(), faces.sample(told.attributes, seed=1))
    assert [single_samples(faces, 2, 1, per_class=True).text(k) for k in (1, 2)] == ["hat", "hair"]


def test_walks_between_attributes_keep_the_noise() -> None:
    faces = generator("wgan-fc", attributes=True)

    def ends(seed: int, *conditions: list[float]) -> np.ndarray:
        return np.concatenate([faces.sample(np.array([c]), seed=seed) for c in conditions])

    def first_row(sheet: np.ndarray) -> np.ndarray:
        return np.stack([sheet[:20, :20], sheet[:20, -20:]])

    to_each = sheets.walks(faces, 5, 4)
    assert to_each.shape == (2 * 20, 4 * 20)
    assert alike(first_row(to_each), ends(5, [0, 0], [1, 0]))
    assert alike(first_row(to_each[20:]), ends(5, [0, 0], [0, 1]))
    between = sheets.walks(faces, 5, 4, attributes=("hair", "HAT"))
    assert between.shape == (8 * 20, 4 * 20)
    assert alike(first_row(between), ends(5, [0, 1], [1, 0]))
    assert alike(first_row(between[20:]), ends(6, [0, 1], [1, 0]))
    assert alike(first_row(sheets.walks(faces, 5, 4, attributes=("hair",))), ends(5, [0, 0], [0, 1]))
    with pytest.raises(UsageError, match="name two, not 3"):
        sheets.walks(replace(faces, classes=("hat", "hair", "tie")), 5, 4, attributes=("hair", "hat", "tie"))
    with pytest.raises(UsageError, match="use --attributes A,B instead of --text"):
        sheets.walks(faces, 5, 4, "ha")


def test_sheet_has_the_thesis_layout(letters: Generator) -> None:
    sheet = sheets.sheet(letters, seed=2)
    assert sheet.shape == (3 * 20, 16 * 20)  # five classes, eight of each, two classes a row
    cells = letters.sample(np.repeat(np.arange(5), 8), seed=2)
    assert np.array_equal(sheet[20:40, 160:180], cells[24])


def write(options: SampleOptions, made: Generator) -> Path:
    report = write_samples(options, made, "run", Group())
    assert report is not None
    return report.path


def test_folder_of_captchas(letters: Generator, tmp_path: Path) -> None:
    out = write(SampleOptions(text="ABE", count=11, seed=5, out=str(tmp_path / "some")), letters)
    names = sorted(p.name for p in out.iterdir())
    assert (names[0], names[-1], len(names)) == ("ABE_00.png", "ABE_10.png", 11)
    with Image.open(out / "ABE_03.png") as picture:
        assert np.array_equal(np.asarray(picture), captcha_samples(letters, "ABE", 11, 5).images()[3])


def test_packed_file_trains_a_recogniser(letters: Generator, tmp_path: Path) -> None:
    out = write(SampleOptions(per_class=4, out=str(tmp_path / "made.h5")), letters)
    packed = read_packed(out)
    assert packed.classes == tuple("ABCDE")
    assert packed.labels is not None
    assert np.bincount(packed.labels).tolist() == [4] * 5
    assert {len(packed.part(split)) for split in ("validation", "test")} == {2}
    assert np.array_equal(packed.images, single_samples(letters, 4, 0, per_class=True).images())


class InTurn(Group):
    """A process among several whose share is drawn here one after the other: nobody is waited for."""

    def wait(self) -> None:
        pass


@pytest.mark.parametrize("what", [{"attributes": ("hair",)}, {}], ids=["attributes", "any"])
def test_processes_share_the_samples(what: dict[str, Any], tmp_path: Path) -> None:
    faces, count = generator("wgan-fc", attributes=True), 2 * BLOCK + 9
    alone = write(SampleOptions(**what, count=count, out=str(tmp_path / "alone")), faces)
    written = []
    for rank in range(2):
        out = tmp_path / f"rank{rank}"
        write_samples(SampleOptions(**what, count=count, out=str(out)), faces, "run", InTurn(rank, 2))
        written.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert not set(written[0]) & set(written[1])
    assert {**written[0], **written[1]} == {path.name: path.read_bytes() for path in alone.iterdir()}


def test_an_interrupted_packed_file_goes_on(letters: Generator, tmp_path: Path) -> None:
    out, drawn = tmp_path / "made.h5", []
    options = SampleOptions(count=3 * BLOCK, out=str(out))

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_samples(options, letters, "run", Group(), interrupted)
    assert not out.exists()
    write_samples(options, letters, "run", Group(), lambda done, total: drawn.append((done, total)))
    assert drawn == [(2 * BLOCK, 3 * BLOCK), (3 * BLOCK, 3 * BLOCK)]
    assert np.array_equal(read_packed(out).images, letters.sample(np.arange(3 * BLOCK) % 5))


def test_pictures(letters: Generator, tmp_path: Path) -> None:
    out = write(SampleOptions(grid=True, scale=2, out=str(tmp_path / "grid.png")), letters)
    with Image.open(out) as picture:
        assert picture.size == (640, 120)
    out = write(SampleOptions(interpolate=True, text="AB", steps=6, out=str(tmp_path)), letters)
    with Image.open(out) as picture:
        assert (out.name, picture.size) == ("walks.png", (120, 160))
    out = write(SampleOptions(interpolate=True, steps=3, out=str(tmp_path)), letters)
    with Image.open(out) as picture:
        assert picture.size == (60, 100)


def test_two_orders_at_once_are_refused() -> None:
    with pytest.raises(UsageError, match="Choose one of --text"):
        SampleOptions(text="A", grid=True)


@pytest.mark.parametrize(
    ("out", "what", "message"),
    [
        ("file", {}, "is a file: name a folder"),
        ("five.png", {}, "five.png is named like a file: name a folder .* or a path that ends in .h5"),
        ("five.csv", {"text": "A"}, "five.csv is named like a file"),
        ("g.h5", {"grid": True}, "name a picture, for example g.png"),
        ("g.xyz", {"interpolate": True}, "name a picture, for example g.png"),
    ],
)
def test_targets_that_cannot_be_are_refused(
    out: str, what: dict[str, Any], message: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=message):
        SampleOptions(**what, out=str(tmp_path / out))


def test_a_real_dataset_is_not_written_over(letters: Generator, tmp_path: Path) -> None:
    out = tmp_path / "packed.h5"
    write(SampleOptions(count=20, out=str(out)), letters)
    write(SampleOptions(count=10, out=str(out)), letters)
    for info in ({"kind": "captcha"}, {}):  # prepared faces and digits name no kind
        write_packed(out, replace(read_packed(out), info=info))
        with pytest.raises(UsageError, match="holds no generated pictures"):
            SampleOptions(count=20, out=str(out))


def test_a_folder_with_a_dot_in_its_name(letters: Generator, tmp_path: Path) -> None:
    folder = tmp_path / "v1.5"
    folder.mkdir()
    write(SampleOptions(count=2, out=str(folder)), letters)
    write(SampleOptions(grid=True, out=str(folder)), letters)
    assert sorted(path.name for path in folder.iterdir()) == ["A_0.png", "B_1.png", "grid.png"]


def test_damaged_generators_are_refused(letters: Generator, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(CaptchaLabError, match="There is no model"):
        load_generator(path)
    path.write_bytes(b"not a model")
    with pytest.raises(CaptchaLabError, match="can't be read"):
        load_generator(path)
    save_weights(path, {"a": torch.ones(1)}, {"architecture": "lenet"})
    with pytest.raises(CaptchaLabError, match="holds a lenet, not a generator"):
        load_generator(path)
    save_generator(path, letters, {})
    tensors = dict(letters.network.state_dict())
    tensors.popitem()
    metadata = {
        "architecture": "generator",
        "network": letters.spec.as_json(),
        "noise": "normal",
        "classes": [],
        "exclusive": True,
    }
    save_weights(path, tensors, metadata)
    with pytest.raises(CaptchaLabError, match="does not fit its own description"):
        load_generator(path)


def test_several_generators_are_drawn_from_as_one(letters: Generator) -> None:
    recipe = shrunk(get_recipe("wdcgan-label"))
    other = replace(letters, network=Trainer(recipe, data(recipe), 1, seed=7).players.generator)
    both = mixture([letters, other])
    labels = np.arange(2 * BLOCK + 40) % 5
    images, one, two = (generator.sample(labels, seed=3) for generator in (both, letters, other))
    from_one = (images == one).all((1, 2))
    from_two = (images == two).all((1, 2))
    assert (from_one ^ from_two).all()
    for label in range(5):  # whatever the class
        assert 0.3 < from_one[labels == label].mean() < 0.7
    plan = single_samples(both, len(labels), seed=3)
    assert np.array_equal(dict(plan.drawn({1}))[1], images[BLOCK : 2 * BLOCK])
    assert mixture([letters]) is letters
    with pytest.raises(UsageError, match="only if they agree in image size, noise and classes"):
        mixture([letters, generator("dcgan")])
