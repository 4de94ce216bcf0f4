"""`eval` on pictures with attributes: the attribute network is features and judge, and memory stays bounded."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from captcha_lab.cli import app
from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.attributes import measure_attributes
from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.generators.core import Evaluator
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.report.html import report_html
from captcha_lab.evaluate.report.report import Report
from captcha_lab.recognise.attributes.config import AttributeConfig
from captcha_lab.recognise.attributes.reader import AttributeReader
from captcha_lab.recognise.attributes.train import train_attributes
from captcha_lab.store.packed.packed import PackedSet, write_packed
from tests.helpers import present

NAMES = ("Bright", "Red")
SIDE = 48
CONFIG = EvalConfig(
    samples=120, neighbours=3, distance_samples=200, batch_size=50, sheet=3, modes_per_class=1
)


def pictures(wanted: np.ndarray, seed: int) -> np.ndarray:
    """Smooth pictures whose upper half is brighter with the first attribute, and redder with the second."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 140, (len(wanted), 6, 6, 3)).astype(np.uint8)
    images = np.stack([cv2.resize(c, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for c in coarse]).astype(
        int
    )
    images[:, : SIDE // 2] += 60 * wanted[:, 0, None, None, None]
    images[..., 0] += 50 * wanted[:, 1, None, None]
    return images.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wanted = np.random.default_rng(0).integers(0, 2, (420, 2)).astype(np.int8)
    split = np.repeat([0, 1, 2], [300, 40, 80]).astype(np.uint8)
    path = tmp_path_factory.mktemp("faces") / "datasets" / "celeba" / "packed.h5"
    path.parent.mkdir(parents=True)
    write_packed(path, PackedSet(pictures(wanted, 1), split, attributes=wanted, attribute_names=NAMES))
    return path


@pytest.fixture(scope="module")
def judge(packed: Path) -> AttributeReader:
    models = packed.parents[2] / "models"
    report = train_attributes(packed, models, AttributeConfig(epochs=5, batch_size=32))
    assert report.accuracy > 0.9
    return AttributeReader.load(report.run.weights)


def painter(order: tuple[str, ...], obeys: bool = True) -> Candidate:
    """A generator that shows what it is told, or the opposite."""

    def sampler(conditions: np.ndarray | None, count: int, seed: int) -> np.ndarray:
        assert conditions is not None
        assert conditions.shape == (count, len(order))
        told = conditions if obeys else 1 - conditions
        return pictures(told[:, [order.index(name) for name in NAMES]], seed + 1000)

    return Candidate("painter", sampler, labelled=True, attributes=order)


def test_a_sample_of_rows_is_taken_in_bounded_memory(packed: Path) -> None:
    whole = RealData.from_file(packed)
    assert (len(whole.train), len(whole.held), whole.attribute_names) == (300, 80, NAMES)
    part = RealData.from_file(packed, seed=1, most_bytes=200 * SIDE * SIDE * 3)
    assert part.train.nbytes + part.held.nbytes <= 200 * SIDE * SIDE * 3
    known = {
        image.tobytes(): row
        for image, row in zip(whole.train, present(whole.train_conditions).tolist(), strict=True)
    }
    rows = [known[image.tobytes()] for image in part.train]  # training pictures, none held out, each …
    assert rows == present(part.train_conditions).tolist()  # … with its own attributes
    again, other = (RealData.from_file(packed, s, 200 * SIDE * SIDE * 3) for s in (1, 2))
    assert np.array_equal(again.train, part.train)
    assert not np.array_equal(other.train, part.train)


def test_attributes_are_told_by_name_and_read_back(packed: Path, judge: AttributeReader) -> None:
    real = RealData.from_file(packed)
    told = measure_attributes(painter(("Red", "Bright")), real, judge, CONFIG, 0)
    assert [a.name for a in told.agreements] == ["Red", "Bright"]
    assert told.figures["attributes"].value > 0.9
    assert told.baseline["attributes"].value > 0.9
    assert all(0.4 < a.chance < 0.6 for a in told.agreements)
    wrong = measure_attributes(painter(("Red", "Bright"), obeys=False), real, judge, CONFIG, 0)
    assert wrong.figures["attributes"].value < 0.1
    with pytest.raises(CaptchaLabError, match="does not read Hat"):
        measure_attributes(painter(("Hat",)), real, judge, CONFIG, 0)
    with pytest.raises(CaptchaLabError, match="no attribute Hat"):
        real.attributes(real.held_conditions, ("Hat",))


def test_figures_are_never_called_fid_and_pictures_are_in_colour(
    packed: Path, judge: AttributeReader
) -> None:
    real = RealData.from_file(packed)
    noise = Candidate(
        "noise", lambda c, n, s: np.random.default_rng(s).integers(0, 256, (n, SIDE, SIDE, 3), np.uint8)
    )
    told = painter(NAMES)
    strip = pictures(np.eye(2, dtype=int), 5)
    good = Candidate("painter", told.sampler, labelled=True, attributes=NAMES, strips=lambda: [strip])
    evaluation = Evaluator(real, {}, CONFIG, attributes=judge).run([noise, good])
    best, worst = evaluation.results
    assert (best.name, worst.name) == ("painter", "noise")
    assert evaluation.extractors == ("attribute network",)
    assert {"attribute_frechet", "sliced", "similarity", "attributes", "recall"} <= set(best.figures)
    assert not {"frechet", "fid", "gan_test"} & set(best.figures)
    assert best.figures["attribute_frechet"].value < worst.figures["attribute_frechet"].value / 3
    assert best.figures["sliced"].value < worst.figures["sliced"].value
    assert "attributes" not in worst.figures
    page = report_html(Report("fine", evaluation, None, "celeba", "captcha-lab eval"))
    assert "Attribute-Fréchet" in page
    assert "FID (Inception)" not in page
    assert "not Bright" in page
    assert "Interpolation" in page
    assert page.count("nearest training image") >= 12


def test_the_command_from_training_to_report(
    packed: Path, judge: AttributeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = packed.parents[2]
    monkeypatch.chdir(root)

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, "--dataset", "celeba"])
        assert result.exit_code == 0, (result.output, result.stderr, result.exception)
        return result.stdout

    small = [
        "--set",
        'options={"channels": 4}',
        "--iterations",
        "2",
        "--batch-size",
        "4",
        "--evaluations",
        "1",
    ]
    call("train-gen", "--recipe", "face-dcgan", *small, "--name", "plain")
    call(
        "train-gen",
        "--recipe",
        "face-dcgan",
        *small,
        "--label",
        "--attributes",
        "Red, Bright",
        "--name",
        "told",
    )
    count = len(list((root / "models").iterdir()))
    report = json.loads(call("eval", "--run", "told", "--compare", "plain", "--samples", "60", "--json"))
    assert len(list((root / "models").iterdir())) == count  # the attribute network was there already
    by_name = {entry["name"]: entry for entry in report["leaderboard"]}
    assert [a["name"] for a in by_name["told"]["attributes"]] == ["Red", "Bright"]
    assert by_name["plain"]["attributes"] == []
    assert all("attribute_frechet" in entry["figures"] for entry in by_name.values())
    assert "gan_test" not in by_name["told"]["figures"]
    assert any("attribute network" in note for note in report["notes"])
    table = call("eval", "--run", "told", "--samples", "60")
    assert "asked" in table
    assert "real (" in table
