"""Imports go one way, and the command line starts without the heavy libraries."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import captcha_lab

PACKAGE = Path(captcha_lab.__file__).parent
STAGES = {"collect", "label", "generate", "evaluate"}
LAYERS: list[set[str]] = [
    {"cli"},
    {"pipeline", "demo"},
    STAGES,
    {"recognise"},
    {"segment", "metrics", "datasets"},
    {"store"},
    {"errors", "alphabet", "parallel"},
]
RANK = {room: rank for rank, layer in enumerate(LAYERS) for room in layer}
HEAVY = ("torch", "cv2", "numpy", "h5py", "requests")


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "captcha_lab" and len(parts) > 1 else None


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def wrong_way(importer: str, imported: str) -> bool:
    """Whether one room may not import another: up the list, or sideways between stages."""
    if importer == imported:
        return False
    if importer in STAGES and imported in STAGES:
        return True
    return RANK[imported] < RANK[importer]


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in RANK)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert room in RANK, f"{room} is a room the design does not know"
    rooms = {room_of(module) for module in imports_of(path)} & set(RANK)
    assert not [other for other in rooms if wrong_way(room, other)], f"{path} imports {rooms}"


def test_the_rule_itself_can_fail() -> None:
    assert wrong_way("store", "cli")
    assert wrong_way("label", "generate")
    assert not wrong_way("cli", "store")


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
        "print('ROOMS', sorted(name for name in sys.modules if name.startswith('captcha_lab.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("ROOMS ['captcha_lab.cli', 'captcha_lab.errors']")
