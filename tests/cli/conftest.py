"""Workspaces made once by the real commands, copied for each test."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from captcha_lab.cli import app

Cli = Callable[..., Result]


@pytest.fixture(scope="session")
def captcha_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 60 captchas of the built-in endpoint, named by their texts, of 6 characters only."""
    from captcha_lab.collect.endpoint.classic import render
    from captcha_lab.store.images import write_image

    folder = tmp_path_factory.mktemp("captchas")
    rng = np.random.default_rng(0)
    for number in range(60):
        text = "".join(rng.choice(list("ACEH37"), 4))
        write_image(folder / f"{text}_{number:03d}.png", render(text, rng))
    return folder


@pytest.fixture(scope="session")
def labelled(captcha_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with imported labels and a recogniser trained for a moment."""
    root = tmp_path_factory.mktemp("labelled")
    for arguments in (
        ["import", str(captcha_files)],
        ["segment"],
        ["train", "--reader", "glyph", "--epochs", "2", "--name", "first"],
    ):
        done = invoke(root, *arguments)
        assert done.exit_code == 0, done.output
    return root


@pytest.fixture
def workspace(labelled: Path, tmp_path: Path) -> Path:
    """A copy of the labelled workspace that a test may spoil."""
    return Path(shutil.copytree(labelled, tmp_path / "workspace"))


def invoke(folder: Path, *arguments: str, stdin: str = "") -> Result:
    """Run a command in a folder, as a user would, but in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner().invoke(app, list(arguments), input=stdin)


@pytest.fixture(scope="session")
def cli() -> Cli:
    return invoke
