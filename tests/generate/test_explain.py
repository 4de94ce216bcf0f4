"""`captcha-lab explain`: experiments that show what the paragraph says, by figures that a test can follow."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from captcha_lab.cli import app
from captcha_lab.generate.explain import get_topic, topics
from captcha_lab.generate.explain.convolution import by_hand as convolved


@pytest.mark.parametrize("name", ["distances", "saturation", "clipping", "convolution", "transposed"])
def test_a_topic_explains_and_draws(name: str, tmp_path: Path) -> None:
    topic = get_topic(name)
    found = topic.explain(0)
    assert topic.source
    assert found.paragraph.endswith(".")
    json.dumps(found.figures)
    found.save(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.width > 400


def test_distances() -> None:
    figures = get_topic("distances").explain(0).figures
    assert figures["lines"]["js"] == pytest.approx(math.log(2))
    assert figures["lines"]["wasserstein"] == 0.5
    places, plan = figures["places"], np.array(figures["places"]["plan"])
    assert places["kl_q_p"] is None
    assert np.allclose(plan.sum(1), places["p"])
    assert np.allclose(plan.sum(0), places["q"])
    # On a line the distance is the area between the distribution functions.
    gap = np.abs(np.cumsum(np.array(places["p"]) - places["q"])).sum()
    assert places["wasserstein"] == pytest.approx(gap)


def test_saturation_orders_the_losses() -> None:
    sizes = get_topic("saturation").explain(0).figures["gradient_at_generated"]
    assert sizes["minimax"] < 1e-2 * sizes["gan"]
    assert sizes["gan-printed"] < 1e-2 * sizes["gan"]
    assert sizes["wgan"] > 10 * sizes["minimax"]


def test_gradients_vanish_under_a_small_clip_and_explode_under_a_large_one() -> None:
    norms = get_topic("clipping").explain(0).figures["gradient_norms"]
    assert norms["0.01"][0] < 1e-6 * norms["0.01"][-1]
    assert norms["0.3"][0] > 1e3 * norms["0.3"][-1]


def test_a_convolution_by_hand() -> None:
    image, kernel = np.arange(16.0).reshape(4, 4), np.array([[0.0, 1.0], [2.0, 0.0]])
    assert convolved(image, kernel, 2, 0).tolist() == [[1 + 2 * 4, 3 + 2 * 6], [9 + 2 * 12, 11 + 2 * 14]]
    assert get_topic("convolution").explain(0).figures["gap_to_torch"] < 1e-12


def test_a_transposed_convolution_is_the_transpose() -> None:
    figures = get_topic("transposed").explain(3).figures
    assert figures["sides"] == [4, 9, 17, 32]
    left, right = figures["inner_products"]
    assert left == pytest.approx(right, rel=1e-12)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listed = CliRunner().invoke(app, ["explain", "--json"])
    assert {topic["name"] for topic in json.loads(listed.stdout)["topics"]} == set(topics())
    done = CliRunner().invoke(app, ["explain", "transposed", "--json"])
    assert json.loads(done.stdout)["picture"] == "explain-transposed.png"
    assert (tmp_path / "explain-transposed.png").is_file()
    wrong = CliRunner().invoke(app, ["explain", "love"])
    assert wrong.exit_code == 2
    assert "There is no topic 'love': choose one of clipping, collapse" in wrong.stderr


@pytest.mark.slow
def test_collapse_and_its_remedy() -> None:
    modes = get_topic("collapse").explain(0).figures["modes_covered"]
    assert modes["plain"][-1] <= 2
    assert modes["R1 penalty"][-1] >= 5
