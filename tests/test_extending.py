"""Adding one of a kind is one file: the examples of CONTRIBUTING.md, put beside the package, are found and work."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from captcha_lab.cli import app
from captcha_lab.generate.losses import losses
from captcha_lab.generate.networks import families
from captcha_lab.generate.recipes import recipes
from captcha_lab.metrics.samples.measure import compute, measures
from captcha_lab.metrics.samples.subjects import PixelSets, RealPixels
from captcha_lab.store.images import write_image
from captcha_lab.store.packed.packed import read_packed

ROOT = Path(__file__).parents[1]
CACHES: tuple[Any, ...] = (losses, families, recipes, measures)


def examples() -> dict[str, str]:
    """The examples of CONTRIBUTING.md by the path that each names."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return dict(re.findall(r"```python\n# (captcha_lab/\S+\.py)\n(.*?)```", text, flags=re.DOTALL))


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The examples in a folder of their own that the package looks into as well."""
    for path, code in examples().items():
        target = tmp_path / "added" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(code, encoding="utf-8")
        package = import_module(".".join(Path(path).parent.parts))
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(target.parent)])
    before = set(sys.modules)
    for cached in CACHES:
        cached.cache_clear()
    yield
    for name in set(sys.modules) - before:
        if f"{name.replace('.', '/')}.py" in examples():
            parent, _, child = name.rpartition(".")
            del sys.modules[name]
            delattr(sys.modules[parent], child)
    for cached in CACHES:
        cached.cache_clear()


@pytest.fixture
def call(added: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in an empty workspace, with the examples added."""
    (tmp_path / "workspace").mkdir()
    monkeypatch.chdir(tmp_path / "workspace")

    def run(*arguments: str) -> Result:
        done = CliRunner().invoke(app, list(arguments))
        assert done.exit_code == 0, done.output
        return done

    return run


def test_there_is_an_example_of_each_kind() -> None:
    rooms = {str(Path(path).parent.relative_to("captcha_lab")) for path in examples()}
    assert rooms == {
        "datasets",
        "generate/losses",
        "generate/networks",
        "generate/recipes",
        "metrics/samples",
        "recognise/readers",
        "segment/methods",
    }
    for path in examples():
        assert not (ROOT / path).exists()


def test_a_dataset_a_loss_a_network_family_and_a_recipe(call: Callable[..., Result]) -> None:
    assert "stripes" in " ".join(call("prepare", "--help").stdout.split())
    report = json.loads(call("prepare", "stripes", "--size", "12", "--json").stdout)
    assert report["pictures"] == 100
    data = read_packed(Path(report["path"]))
    assert data.classes == ("across", "down")
    assert data.images.shape == (100, 12, 12)
    assert "mine" in call("train-gen", "--list").stdout
    command = ("train-gen", "--dataset", "stripes", "--recipe", "mine", "--iterations", "3", "--name", "run")
    trained = json.loads(call(*command, "--json").stdout)
    assert trained["recipe"] == "mine"
    drawn = call("generate", "--model", "run", "--count", "4", "--out", "drawn.h5")
    assert "drawn.h5" in drawn.stdout
    assert read_packed(Path("drawn.h5")).images.shape == (4, 12, 12)


def test_a_loss_alone_takes_the_house_networks(call: Callable[..., Result]) -> None:
    shown = call("train-gen", "--loss", "absolute", "--no-label", "--dry-run").stdout
    assert re.search(r"loss +absolute", shown)


def test_a_metric(added: None) -> None:
    real = RealPixels(
        reference=np.full((4, 8, 8), 100, np.uint8),
        labels=np.zeros(4, np.int64),
        classes=1,
        shrink=lambda images: images,
        train=np.full((4, 8, 8), 100, np.uint8),
        held=np.full((4, 8, 8), 101, np.uint8),
        seed=0,
    )
    noise = np.random.default_rng(0).integers(0, 100, (4, 8, 8), dtype=np.uint8)
    sets = PixelSets(samples=noise, labels=np.zeros(4, np.int64), real=real)
    assert measures()["brightness"].direction == "best at the baseline's value"
    assert compute(sets)["brightness"] == pytest.approx(noise.mean() / 100)


def draw_pictures() -> None:
    """Three pictures of two strokes each, named by their texts."""
    picture = np.full((20, 60), 255, np.uint8)
    picture[5:15, 10:14] = picture[5:15, 40:44] = 0
    for text in ("AB", "CD", "EF"):
        picture[0, ord(text[0]) % 60] = 0  # no two are the same picture
        write_image(Path("pictures") / f"{text}.png", picture)


def test_a_reader(call: Callable[..., Result]) -> None:
    draw_pictures()
    call("import", "pictures", "--labels", "filename")
    trained = call("train", "--reader", "constant", "--name", "same")
    assert "same (constant reader)" in trained.stdout
    readings = json.loads(call("read", "pictures", "--model", "same", "--json").stdout)["readings"]
    assert len({reading["text"] for reading in readings}) == 1
    assert {reading["text"] for reading in readings} <= {"AB", "CD", "EF"}


def test_a_segmenter(call: Callable[..., Result]) -> None:
    from captcha_lab.segment.method import method_names

    assert "halves" in method_names()
    draw_pictures()
    call("import", "pictures", "--labels", "filename")
    report = json.loads(call("segment", "--method", "halves", "--json").stdout)
    assert report["cells"] == 6
