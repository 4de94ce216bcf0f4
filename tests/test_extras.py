"""Libraries that only some commands need: without them the rest works, and the others say how to get them."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from captcha_lab.cli import app
from captcha_lab.extras import EXTRAS, available, how_to_get

ROOT = Path(__file__).parents[1]


def hide(monkeypatch: pytest.MonkeyPatch, *libraries: str) -> None:
    """Make libraries look as if they were not installed."""
    for name in [*libraries, *(m for m in sys.modules if m.split(".")[0] in libraries)]:
        monkeypatch.setitem(sys.modules, name, None)


def test_each_extra_brings_its_libraries() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = {re.split("[<>=]", line)[0] for line in project["dependencies"]}
    for library, extra in EXTRAS.items():
        lines = project["optional-dependencies"][extra]
        assert library in {re.split("[<>=]", line)[0] for line in lines}
        assert library not in core
        assert extra in " ".join(project["optional-dependencies"]["all"])


def test_what_is_missing_is_said_with_its_cure(tmp_path: Path) -> None:
    # In a process of its own: here the library may be in use already.
    code = "import sys; sys.modules['uvicorn'] = None; from captcha_lab.cli import main; main()"

    def serve(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, "serve", "--port", "0", *more]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    done = serve()
    assert done.returncode == 1
    assert (
        "Error: This needs uvicorn, which is not installed: run pip install 'captcha-lab[serve]'."
        in " ".join(done.stderr.split())
    )
    assert "captcha-lab[serve]" in serve("--json").stdout


def test_a_missing_library_that_is_not_optional_stays_a_traceback() -> None:
    assert how_to_get("torch") is None
    assert how_to_get("matplotlib.figure") is not None


def test_training_a_generator_needs_no_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import numpy as np

    from captcha_lab.store.packed.packed import PackedSet, write_packed

    images = np.random.default_rng(0).integers(0, 256, (40, 20, 20), dtype=np.uint8)
    write_packed(tmp_path / "datasets/glyphs/packed.h5", PackedSet(images, np.zeros(40, np.uint8)))
    monkeypatch.chdir(tmp_path)
    hide(monkeypatch, *EXTRAS)
    assert not available("matplotlib")
    command = [
        "train-gen",
        "--dataset",
        "glyphs",
        "--recipe",
        "fast",
        "--iterations",
        "2",
        "--batch-size",
        "8",
    ]
    done = CliRunner().invoke(app, [*command, "--set", "noise_size=8", "--name", "bare"])
    assert done.exit_code == 0, done.output
    run = tmp_path / "models" / "bare"
    assert (run / "weights.safetensors").is_file()
    assert not (run / "curves.png").exists()
    assert not (run / "tensorboard").exists()
