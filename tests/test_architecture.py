"""Imports go one way (the contracts are in pyproject.toml), and the command line starts without heavy libraries."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import captcha_lab
from captcha_lab.cli import COMMANDS, module_of

PACKAGE = Path(captcha_lab.__file__).parent
HEAVY = ("torch", "cv2", "numpy", "h5py", "requests")


def check_contracts(root: Path) -> subprocess.CompletedProcess[str]:
    """Import-linter on the package in a folder, with this project's contracts."""
    command = [
        str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo",
        str(PACKAGE.parent / "pyproject.toml"),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_rooms_import_one_way() -> None:
    done = check_contracts(PACKAGE.parent)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("store/runs.py", "import captcha_lab.cli", "Rooms import down the list"),
        ("label/auto.py", "import captcha_lab.generate.recipe", "Rooms import down the list"),
        ("store/files.py", "import captcha_lab.store.runs", "No two modules or sub-rooms"),
    ],
)
def test_the_rules_can_fail(module: str, line: str, broken: str, tmp_path: Path) -> None:
    copy = shutil.copytree(PACKAGE, tmp_path / "captcha_lab", ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / module
    path.write_text(
        path.read_text(encoding="utf-8") + f"\n\ndef spoil() -> None:\n    {line}\n", encoding="utf-8"
    )
    done = check_contracts(tmp_path)
    assert done.returncode == 1, done.stderr
    assert broken in done.stdout.split("Broken contracts")[-1]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["train-gen", "--help"], ["prepare", "--help"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        f"sys.argv = ['captcha-lab', *{arguments!r}]\n"
        "from captcha_lab.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: captcha-lab" in done.stdout
    assert done.stdout.rstrip().endswith("HEAVY []")


def test_the_list_of_commands_imports_no_command() -> None:
    """What keeps `--help` about as fast as `import typer`."""
    code = (
        "import sys\n"
        "sys.argv = ['captcha-lab', '--help']\n"
        "from captcha_lab.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('ROOMS', *(name for name in sys.modules if name.startswith('captcha_lab.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rstrip().splitlines()[-1].removeprefix("ROOMS ").split())
    assert loaded
    assert not loaded & {module_of(command) for command in COMMANDS}
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"cli"}
    assert not {name for name in loaded if name.split(".")[1] in rooms}


def test_the_version_is_stated_once() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "captcha_lab.version.__version__"}
    assert captcha_lab.__version__.count(".") >= 2
