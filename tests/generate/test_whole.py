"""Whole captchas: texts as conditions, windows, sampling, and a run from the command line's functions on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from captcha_lab.errors import UsageError
from captcha_lab.generate.conditioning import TextCode, uniform_texts
from captcha_lab.generate.networks.base import NetworkSpec
from captcha_lab.generate.networks.parts.curves import Curves, Strokes
from captcha_lab.generate.networks.whole import FAMILY, Layout, WholeOptions
from captcha_lab.generate.players.streams import ArrayStream
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.sampling import sheets
from captcha_lab.generate.sampling.options import SampleOptions
from captcha_lab.generate.sampling.plan import captcha_samples, single_samples
from captcha_lab.generate.sampling.sample import Generator, load_generator
from captcha_lab.generate.sampling.write import write_samples
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.generate.training.monitor import Monitor
from captcha_lab.generate.training.train import train
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.generate.watching.quality import TextQuality
from captcha_lab.parallel import Group
from captcha_lab.recognise.contract import Reading
from tests.generate.generator_tools import shrunk

TEXTS = ("AB", "CAB", "B", "ABCA", "CC", "BACB") * 4


def stream() -> ArrayStream:
    rng = np.random.default_rng(0)
    return ArrayStream(rng.integers(0, 256, (len(TEXTS), 20, 40), np.uint8), texts=TEXTS)


@pytest.fixture(scope="module")
def generator() -> Generator:
    recipe = shrunk(get_recipe("whole"), noise_size=12)
    batches = stream()
    trainer = Trainer(recipe, batches, 1)
    network = trainer.players.generator
    return Generator(
        network,
        trainer.players.spec,
        recipe.noise,
        batches.names,
        False,
        recipe,
        batches.places,
        batches.lengths,
    )


def test_texts_are_conditions_and_back() -> None:
    code = TextCode(("A", "B", "C"), 4)
    conditions = code.encode(["AB", "CABC"])
    assert conditions.shape == (2, 12)
    assert conditions[0].tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert code.decode(conditions) == ["AB", "CABC"]
    drawn = code.draw(50, [1, 3], 0)
    assert set(map(len, drawn)) == {1, 3}
    assert set("".join(drawn)) <= set("ABC")
    for wrong in ("", "ABCAB", "AX"):
        with pytest.raises(UsageError, match="can't be drawn"):
            code.encode([wrong])


def test_random_texts_have_lengths_that_occur_and_any_characters() -> None:
    drawn = TextCode(("A", "B", "C"), 4).decode(
        uniform_texts(600, 3, (2, 4), torch.Generator().manual_seed(0)).numpy()
    )
    assert set(map(len, drawn)) == {2, 4}
    assert all(40 < sum(text.startswith(pair) for text in drawn) < 95 for pair in ("AA", "BC", "CB"))


def test_a_generator_is_trained_and_judged_on_texts_that_no_captcha_shows() -> None:
    """Else it learns to draw the texts of the training captchas, and no others, unseen."""
    batches = ArrayStream(np.zeros((40, 20, 40), np.uint8), texts=["AB"] * 20 + ["BA"] * 20)
    trainer = Trainer(shrunk(get_recipe("whole"), noise_size=12), batches, 1)
    code = TextCode(batches.names, batches.places)
    real = torch.from_numpy(code.encode(["AB"] * trainer.recipe.batch_size))
    asked = trainer.draws.condition(real)
    assert asked is not None
    assert {"AA", "BB"} & set(code.decode(asked.numpy()))
    labels = Monitor(trainer, 40, 0).labels
    assert labels is not None
    assert set(code.decode(labels)) == {"AA", "AB", "BA", "BB"}


def test_a_stream_of_texts_knows_their_characters_and_lengths() -> None:
    batches = stream()
    assert (batches.names, batches.places, batches.lengths) == (("A", "B", "C"), 4, (1, 2, 3, 4))
    _, conditions = batches.next(4)
    assert conditions is not None
    assert conditions.shape == (4, 12)
    with pytest.raises(UsageError, match="not on several"):
        ArrayStream(batches.images, np.zeros(len(TEXTS), int), ("a",), texts=TEXTS)


def test_windows_lie_at_the_characters_and_beside_the_picture_is_paper() -> None:
    spec = NetworkSpec("whole", (1, 20, 40), 12, 12, "projection", options={"places": 4})
    layout = Layout(spec, WholeOptions(places=4))
    columns = layout.columns(torch.tensor([4, 2])) - layout.margin
    centres = (columns[..., 0] + columns[..., -1] + 1) / 2
    assert centres[0].tolist() == [5, 15, 25, 35]  # a fourth of 40 pixels each
    assert centres[1, :2].tolist() == [10, 30]


def test_windows_lie_where_characters_were_measured_to_stand() -> None:
    spec = NetworkSpec("whole", (1, 20, 40), 12, 12, "projection", options={"places": 4})
    layout = Layout(spec, WholeOptions(places=4, centres=((), (0.25, 0.4), (), (0.2, 0.3, 0.4, 0.5))))
    columns = layout.columns(torch.tensor([4, 2, 3])) - layout.margin
    centres = (columns[..., 0] + columns[..., -1] + 1) / 2
    assert centres[0].tolist() == [8, 12, 16, 20]
    assert centres[1, :2].tolist() == [10, 16]
    assert centres[2, :3].tolist() == pytest.approx(
        [20 / 3, 20, 100 / 3], abs=0.5
    )  # not measured: evenly spread
    assert layout.window == 8  # twice the distance between characters


@pytest.mark.parametrize(
    "centres", [((0.1, 0.2),), ((), (), (), (), (0.1, 0.2, 0.3, 0.4, 0.5)), ((float("nan"),),), ((1.5,),)]
)
def test_places_that_do_not_fit_the_texts_are_refused(centres: tuple[tuple[float, ...], ...]) -> None:
    spec = NetworkSpec("whole", (1, 20, 40), 12, 12, "projection", options={"places": 4})
    with pytest.raises(UsageError, match="option centres"):
        Layout(spec, WholeOptions(places=4, centres=centres))


@pytest.mark.parametrize("overlap", [0.0, -1.0, float("nan"), float("inf")])
def test_windows_without_a_width_are_refused(overlap: float) -> None:
    spec = NetworkSpec("whole", (1, 20, 40), 12, 12, "projection", options={"places": 4})
    with pytest.raises(UsageError, match="option overlap"):
        Layout(spec, WholeOptions(places=4, overlap=overlap))


def test_windows_side_by_side_show_the_whole_picture() -> None:
    spec = NetworkSpec("whole", (1, 20, 70), 12, 12, "projection", options={"places": 4})
    layout = Layout(spec, WholeOptions(places=4, overlap=1.0))
    columns = layout.tiled(3, torch.device("cpu")) - layout.margin
    assert columns.shape == (3, 4, 18)
    assert set(range(70)) <= set(columns[0].flatten().tolist())


def test_what_lies_beside_the_text_is_criticised_where_asked_for() -> None:
    spec = NetworkSpec("whole", (1, 20, 80), 12, 12, "projection", options={"places": 4})
    places = ((), (), (), (0.1, 0.2, 0.3, 0.4))
    condition = torch.eye(3)[[0, 1, 2, 0]].reshape(1, -1)
    picture = torch.ones(1, 1, 20, 80)
    speck = picture.clone()
    speck[..., 9:11, 70:72] = 0
    for around in (False, True):
        options = WholeOptions(places=4, centres=places, around=around)
        torch.manual_seed(0)
        critic = FAMILY.critic(spec, options)
        same = torch.equal(critic(picture, condition).score, critic(speck, condition).score)
        assert same is not around


def test_a_curve_is_a_line_without_gaps_between_its_ends() -> None:
    curves = Curves(3, 1, 20, 60)
    for layer in (curves.form, curves.look):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    drawn = curves(torch.zeros(2, 3))
    assert drawn.shape == (2, 20, 60)
    assert bool(
        (drawn[0].amax(0)[15:45] > 0.5).all()
    )  # half way up, from a fifth of the width to four fifths
    assert drawn[0, 9:11, 15:45].min() > 0.5 > drawn[0, 0].max()
    assert drawn[0, :, :6].max() < 0.1
    with torch.no_grad():
        curves.form.bias[1] = 1.0  # one half wave: down to the right
    middle = (curves(torch.zeros(1, 3))[0] * torch.arange(20.0)[:, None]).sum(0) / curves(torch.zeros(1, 3))[
        0
    ].sum(0)
    assert middle[15] > middle[30] + 1 > middle[45] + 2


def test_strokes_go_across_and_down() -> None:
    strokes = Strokes(3, 2, 20, 60)
    drawn = strokes(torch.randn(4, 3, generator=torch.Generator().manual_seed(0))).detach()
    assert drawn.shape == (4, 20, 60)
    assert 0 <= float(drawn.min()) <= float(drawn.max()) <= 1
    assert torch.allclose(Strokes(3, 2, 30, 30).down.waves, Curves(3, 1, 30, 30).waves)


def test_each_character_draws_in_its_own_window_alone(generator: Generator) -> None:
    one, other = generator.sample(["ABCA", "CBCA"], seed=3)[[0, 1]]
    same = generator.sample(["ABCA", "ABCA"], seed=3)
    assert np.array_equal(one, same[0])
    assert not np.array_equal(same[1], other)
    changed = np.flatnonzero((same[1] != other).any(0))
    # The first character's window, which overlaps the second's: never the last's half.
    assert changed.max() < 15


def test_a_text_of_any_length_is_sampled(generator: Generator) -> None:
    assert generator.sample(["A", "ABCA", "CC"], seed=1).shape == (3, 20, 40)
    assert "3 characters" in repr(generator)
    assert generator._repr_html_().count("<img") == 36
    assert generator.plot(count=2)._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="can't be drawn"):
        generator.sample(["ABCAB"])
    with pytest.raises(UsageError, match="texts or conditions"):
        generator.sample([0, 1])


def test_plans_sheets_and_walks_draw_whole_captchas(generator: Generator, tmp_path: Path) -> None:
    plan = captcha_samples(generator, "CAB", 3, seed=0)
    assert plan.images().shape == (3, 20, 40)
    assert plan.text(2) == "CAB"
    several = single_samples(generator, 5, seed=0)
    assert len(several.images()) == 5
    assert sheets.sheet(generator, 0).shape == (8 * 20, 8 * 40)
    assert sheets.walks(generator, 0, 3).shape == (8 * 20, 3 * 40)
    assert sheets.walks(generator, 0, 3, "AB").shape == (8 * 20, 3 * 40)
    with pytest.raises(UsageError, match="whole captchas"):
        single_samples(generator, 2, seed=0, per_class=True)
    report = write_samples(SampleOptions("CAB", 2, out=str(tmp_path / "out")), generator, "run", Group())
    assert report is not None
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "CAB_0.png",
        "CAB_1.png",
    ]
    with pytest.raises(UsageError, match="name a folder"):
        write_samples(SampleOptions("CAB", 2, out=str(tmp_path / "a.h5")), generator, "run", Group())


class Parrot:
    """Reads the text that its list says, whatever the picture."""

    kind = "parrot"
    classes = ("A", "B", "C")

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def read(self, images: Iterable[Any]) -> list[Reading]:
        return [Reading(text, 1.0) for text in self.texts]

    def features(self, images: Iterable[Any]) -> np.ndarray:
        return np.stack([image.ravel()[:4] for image in images]).astype(np.float32)


def test_quality_is_the_share_of_captchas_read_as_asked() -> None:
    code = TextCode(("A", "B", "C"), 3)
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (24, 20, 40), np.uint8)
    quality = TextQuality(Parrot(["AB"] * 18 + ["AC"] * 6), real, code)
    figures = quality(real, code.encode(["AB"] * 24))
    assert figures["gan_test"] == 0.75
    assert figures["characters"] == 1 - 6 / 48
    assert 0 < figures["score"] < 1


def test_a_run_learns_saves_and_loads(tmp_path: Path) -> None:
    recipe = shrunk(get_recipe("whole-soft"), noise_size=12, iterations=3)
    places = ((), (), (0.2, 0.4, 0.6), (0.2, 0.3, 0.4, 0.5))
    recipe = replace(recipe, options={**recipe.options, "centres": places})
    report = train(recipe, stream(), tmp_path, GeneratorConfig(samples=16, threads=1))
    loaded = load_generator(report.run)
    assert (loaded.classes, loaded.places, loaded.lengths) == (("A", "B", "C"), 4, (1, 2, 3, 4))
    assert loaded.sample(["CAB"], seed=2).shape == (1, 20, 40)


def test_the_networks_refuse_data_without_texts() -> None:
    batches = stream()
    classes = ArrayStream(batches.images, np.arange(len(TEXTS)) % 3, ("A", "B", "C"))
    with pytest.raises(UsageError, match="places"):
        Trainer(shrunk(get_recipe("whole")), classes, 1)


@pytest.mark.parametrize("apart", [False, True])
def test_apart_a_character_is_drawn_and_judged_alike_at_every_place(apart: bool) -> None:
    spec = NetworkSpec("whole", (1, 20, 80), 12, 12, "projection", options={"places": 4})
    options = WholeOptions(places=4, overlap=1.0, apart=apart, grain=0.0, codes=4)
    torch.manual_seed(0)
    generator, critic = FAMILY.generator(spec, options), FAMILY.critic(spec, options)
    condition = torch.eye(3)[[1, 1, 1, 1]].reshape(1, -1)
    made = generator(torch.full((1, 12), 0.7), condition)
    cells = list(made.split(20, dim=3))
    assert all(torch.equal(cell, cells[0]) for cell in cells[1:]) is apart
    # A blank captcha with one cell inked, here or there; no window shows another one's cell.
    scores = []
    for place in (0, 2):
        picture = torch.ones(1, 1, 20, 80)
        picture[..., 5:15, 20 * place + 5 : 20 * place + 15] = 0
        scores.append(float(critic(picture, condition).score.detach()))
    assert (abs(scores[0] - scores[1]) < 1e-5) is apart


def test_other_networks_take_texts_too() -> None:
    recipe = replace(shrunk(get_recipe("wgan-fc")).with_label(), noise_size=12)
    trainer = Trainer(recipe, stream(), 1)
    assert trainer.players.spec.classes == 12
    trainer.iterate()


def test_ink_outside_every_window_is_paper() -> None:
    """Where the text is short and its windows narrow, the rest of the picture stays blank."""
    spec = NetworkSpec(
        "whole", (1, 20, 80), 12, 24, "projection", options={"places": 8, "overlap": 1.0, "grain": 0.0}
    )
    network = FAMILY.generator(spec, WholeOptions(places=8, overlap=1.0, grain=0.0))
    condition = torch.zeros(1, 24)
    condition[0, 0] = 1  # one character, in the middle
    made = network(torch.zeros(1, 12), condition)[0, 0]
    assert bool((made[:, :30] == 1).all())
    assert bool((made[:, 50:] == 1).all())


def test_coarse_networks_draw_and_see_pictures_of_the_full_size() -> None:
    options = {"places": 2, "coarse": 2, "crisp": False, "backdrop": True, "generator": (8,), "critic": (8,)}
    spec = NetworkSpec("whole", (3, 41, 99), 12, 6, "projection", options=options)
    settings = WholeOptions(**options)  # type: ignore[arg-type]
    generator, critic = FAMILY.generator(spec, settings), FAMILY.critic(spec, settings)
    condition = torch.tensor([[1.0, 0, 0, 0, 1, 0], [0, 0, 1, 0, 0, 0]])
    made = generator(torch.randn(2, 12), condition)
    assert made.shape == (2, 3, 41, 99)
    assert critic(made, condition).score.shape == (2,)
    seen = {name: p.shape for name, p in critic.named_parameters()}["body.0.weight"][1]
    assert seen < 3 * 41 * 99 / 2
