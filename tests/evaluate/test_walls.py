"""Inside the room, too, imports go one way: `eval` and `audit` share small ground files and the parts of a page."""

import ast
from pathlib import Path

from captcha_lab import evaluate

ROOM = Path(evaluate.__file__).parent
# What each sub-room may import beside itself and the ground files, which import no sub-room.
ALLOWED = {
    "page": set[str](),
    "judging": set[str](),
    "reading": {"page"},
    "generators": set[str](),
    "report": {"generators", "reading", "page"},
    "audit": {"reading", "page"},
}


def sub_room(module: str) -> str:
    """`captcha_lab.evaluate.report.html` is of `report`; a ground file is of none."""
    parts = module.split(".")
    return parts[2] if len(parts) > 3 else ""


def crossings(path: Path) -> set[tuple[str, str]]:
    """(sub-room, sub-room) of a module's imports that cross a wall, inside functions and for types, too."""
    own = path.relative_to(ROOM).parts[0] if path.parent != ROOM else ""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    rooms = {sub_room(module) for module in modules if module.startswith(evaluate.__name__ + ".")}
    return {(own, other) for other in rooms if other not in ("", own)}


def forbidden(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(own, other) for own, other in found if other not in ALLOWED.get(own, set())}


def test_sub_rooms_import_one_way() -> None:
    found = set[tuple[str, str]]().union(*(crossings(path) for path in ROOM.rglob("*.py")))
    assert {("report", "generators"), ("audit", "reading")} <= found  # they are seen
    assert forbidden(found) == set()


def test_every_sub_room_has_its_rule_and_at_most_a_dozen_files() -> None:
    rooms = {path.name for path in ROOM.iterdir() if (path / "__init__.py").is_file()}
    assert rooms == set(ALLOWED)
    for room in [ROOM, *(ROOM / name for name in rooms)]:
        assert len([path for path in room.glob("*.py") if path.name != "__init__.py"]) <= 12, room


def test_the_rule_itself_can_fail() -> None:
    assert forbidden({("audit", "report"), ("", "page"), ("report", "page")}) == {
        ("audit", "report"),
        ("", "page"),
    }
