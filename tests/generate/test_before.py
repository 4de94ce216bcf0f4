"""Runs made before load and resume: one that was stopped after its third iteration, and its end."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from captcha_lab.errors import UsageError
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.sampling.sample import load_generator
from captcha_lab.generate.training.train import resume
from captcha_lab.store.runs import Run, load_weights
from tests.generate.generator_tools import data

# Python 3.11.2, Debian's, has no filters yet; later ones warn where none is given.
FILTER: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


@pytest.fixture
def before(tmp_path: Path) -> Path:
    with tarfile.open(Path(__file__).with_name("run_before.tar.xz")) as packed:
        packed.extractall(tmp_path, **FILTER)
    return tmp_path


def test_a_run_made_before_resumes_to_the_weights_it_had_then(before: Path) -> None:
    run = Run.open(before / "cut")
    recipe = Recipe.from_json(run.config()["recipe"])
    report = resume(run, data(recipe))
    assert (report.iterations, report.planned) == (6, 6)
    ours, then = load_weights(run.root)[0], load_weights(before / "whole")[0]
    assert ours.keys() == then.keys()
    assert all(torch.allclose(ours[key], then[key], atol=1e-6) for key in then)


def test_a_generator_made_before_draws(before: Path) -> None:
    generator = load_generator(before / "whole")
    assert generator.sample(np.array([0, 2]), seed=1).shape == (2, 4, 4)
    assert generator.recipe is not None
    assert generator.recipe.replay == 0.5


def test_fields_that_recipes_no_longer_have(before: Path) -> None:
    """They are accepted where they said nothing, and refused where they changed the system."""
    stored = json.loads((before / "cut" / "config.json").read_text())["recipe"]
    assert {"critic_learning_rate", "label_smoothing", "replay_size"} <= set(stored)
    assert Recipe.from_json(stored).name.startswith("wgan-fc")
    with pytest.raises(UsageError, match="A recipe has no field label_smoothing"):
        Recipe.from_json({**stored, "label_smoothing": 0.1})
