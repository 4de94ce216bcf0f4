"""Inside the room, too, imports go one way: no module needs itself by a detour, inside functions or out."""

import ast
from pathlib import Path

from captcha_lab import evaluate

ROOM = Path(evaluate.__file__).parent
MODULES = {
    ".".join((evaluate.__name__, *path.relative_to(ROOM).with_suffix("").parts)): path
    for path in ROOM.rglob("*.py")
}


def needs(path: Path) -> set[str]:
    """Modules of the room that a module imports anywhere but for type checks alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module
        and node.module.startswith(evaluate.__name__ + ".")
    }
    return found & set(MODULES)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """What is left when modules that need nothing left are taken away again and again."""
    left = dict(graph)
    while free := [name for name, needed in left.items() if not needed & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


def test_no_circle_in_the_room() -> None:
    graph = {name: needs(path) for name, path in MODULES.items()}
    assert sum(map(len, graph.values())) > 50  # they are found
    assert circle(graph) == []


def test_the_rule_itself_can_fail() -> None:
    assert circle({"a": {"b"}, "b": {"a"}, "c": {"a"}, "d": set()}) == ["a", "b", "c"]
