"""`train-gen --whole` as a user meets it: from labelled captchas to pictures of a text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from captcha_lab.cli import app
from captcha_lab.generate.choose import Choice
from captcha_lab.pipeline.whole import WholeData, has_colour, stacked, two_levels
from captcha_lab.store.packed.texts import TextSet
from captcha_lab.store.workspace import DatasetFolder

SMALL = [
    "--set",
    'options={"generator": [8], "critic": [8], "scene": [8], "embedding": 4}',
    "--batch-size",
    "8",
]


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result


def bars(text: str, seed: int) -> np.ndarray:
    """A captcha of hard bars on blank paper."""
    image = np.full((20, 60), 255, np.uint8)
    shift = np.random.default_rng(seed).integers(0, 3)
    for place, character in enumerate(text):
        image[2 + shift : 6 + 3 * "ABC".index(character), place * 20 + 4 : place * 20 + 14] = 20
    return image


@pytest.fixture
def captchas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with sixty labelled captchas of three characters."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    (tmp_path / "files").mkdir()
    for k in range(60):
        text = "".join(rng.choice(list("ABC"), 3))
        Image.fromarray(bars(text, k)).save(tmp_path / "files" / f"{text}_{k}.png")
    call("import", "files", "--labels", "filename")
    return tmp_path


def test_a_text_becomes_a_picture(captchas: Path) -> None:
    call("train", "--reader", "sequence", "--steps", "1", "--name", "reader")
    report = json.loads(
        call(
            "train-gen", "--whole", "--iterations", "4", "--evaluations", "2", *SMALL, "--name", "w", "--json"
        ).stdout
    )
    assert report["recipe"].startswith("whole+")
    config = json.loads((captchas / "models/w/config.json").read_text())
    assert (config["whole"], config["judge"]) == (True, "reader")
    call("generate", "--model", "w", "--text", "CAB", "--count", "2", "--out", "made")
    with Image.open(captchas / "made/CAB_1.png") as picture:
        assert picture.size == (60, 20)
    call("generate", "--model", "w", "--count", "3", "--out", "several")
    assert all(set(path.stem.split("_")[0]) <= set("ABC") for path in (captchas / "several").iterdir())
    assert (
        "texts of 1 to 3 of the characters ABC"
        in call("generate", "--model", "w", "--text", "CABX", code=2).output
    )


def test_bad_wishes_are_one_line(captchas: Path, tmp_path: Path) -> None:
    assert "leave --no-label away" in call("train-gen", "--whole", "--no-label", code=2).output
    assert "leave --attributes away" in call("train-gen", "--whole", "--attributes", "A", code=2).output
    assert "holds no captchas" in call("train-gen", "--whole", "--dataset", "other", code=1).output
    call("import", "files", "--labels", "none", "--dataset", "bare")
    assert "at least 20 labelled" in call("train-gen", "--whole", "--dataset", "bare", code=1).output


def test_a_dry_run_shows_both_networks(captchas: Path) -> None:
    shown = json.loads(call("train-gen", "--whole", "--dry-run", *SMALL, "--json").stdout)
    assert shown["recipe"]["options"]["places"] == 4  # the recipe's own; the networks take the data's
    assert shown["generator"][-1]["shape"] == [1, 20, 60]


def test_captchas_of_other_sizes_and_a_few_in_colour_become_one_array() -> None:
    grey = [bars("ABC", k) for k in range(30)]
    odd = [np.repeat(bars("AAA", 1)[..., None], 3, 2), np.full((10, 30), 9, np.uint8)]
    coloured = np.zeros((20, 60, 3), np.uint8)
    coloured[..., 0] = 200

    def of(images: list[np.ndarray]) -> TextSet:
        n = len(images)
        return TextSet(images, ("A",) * n, np.zeros(n, np.uint8), np.arange(n), np.zeros(n, np.uint8))

    made = stacked(of([*grey, *odd, coloured]))
    assert made.shape == (33, 20, 60)
    assert (made[31] == 9).all()
    assert stacked(of([coloured] * 3 + grey)).shape == (33, 20, 60, 3)
    assert has_colour(coloured)
    assert not has_colour(odd[0])
    assert two_levels(np.stack(grey)) > 0.99
    rng = np.random.default_rng(0)
    assert two_levels(rng.integers(0, 256, (5, 20, 60), np.uint8)) < 0.9


def test_what_is_chosen_by_looking_looks_at_captchas_of_the_whole_set() -> None:
    """Files come in the order of their texts, so that the first of them may be of another kind than most."""
    rng = np.random.default_rng(0)
    images = [255 - bars("ABC", k) for k in range(250)] + [bars("CBA", k) for k in range(750)]
    n = len(images)
    texts = TextSet(
        images, ("ABC",) * 250 + ("CBA",) * 750, np.zeros(n, np.uint8), np.arange(n), np.zeros(n, np.uint8)
    )
    data = WholeData(DatasetFolder(Path("unread")), texts)
    assert data.recipe(Choice()).options["paper"] == 1.0
    soft = [rng.integers(0, 256, (20, 60), np.uint8) for _ in range(750)]
    mixed = replace(texts, images=images[:250] + soft)
    assert WholeData(DatasetFolder(Path("unread")), mixed).defaults.recipe == "whole-soft"


def test_what_measures_generated_captchas_is_not_left_away_silently(captchas: Path) -> None:
    call("train", "--reader", "sequence", "--steps", "1", "--name", "reader")
    call("train-gen", "--whole", "--iterations", "2", "--evaluations", "1", *SMALL, "--name", "w")
    assert "leave --no-judge away" in call("eval", "--model", "w", "--no-judge", code=2).output
    assert "has no dataset none" in call("eval", "--model", "w", "--dataset", "none", code=1).output
