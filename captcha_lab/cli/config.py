"""`captcha-lab config`."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

import typer

from captcha_lab.cli.output import JsonFlag, emit, suggest, table
from captcha_lab.errors import UsageError
from captcha_lab.store.workspace import CONFIG_NAME, Workspace, WorkspaceConfig, set_config

EXAMPLES = (
    ("captcha-lab config", "Every key with its value, default and meaning."),
    ("captcha-lab config contact me@example.org", "Set one key."),
    ("captcha-lab config length --reset", "Take the default again."),
)


def run(
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="Show or set this key only.")] = None,
    value: Annotated[
        str | None, typer.Argument(metavar="VALUE", help="New value; of several, with commas between.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Remove the key: its default holds again.")] = False,
    json: JsonFlag = False,
) -> None:
    """Show or set the keys of captcha-lab.toml, the workspace's configuration."""
    workspace = Workspace.find()
    known = {entry.name: entry for entry in fields(WorkspaceConfig)}
    if key is not None and key not in known:
        raise UsageError(f"There is no key {key!r}: choose one of {', '.join(known)}.")
    if key is not None and (value is not None or reset):
        workspace = set_config(
            workspace, key, None if reset else _parsed(key, str(value), known[key].default)
        )
    rows = [
        {
            "key": name,
            "value": getattr(workspace.config, name),
            "default": entry.default,
            "meaning": entry.metadata["meaning"],
        }
        for name, entry in known.items()
        if key in (None, name)
    ]
    texts = [(row["key"], _shown(row["value"]), _shown(row["default"]), row["meaning"]) for row in rows]
    emit(
        {"file": str(workspace.root / CONFIG_NAME), "keys": rows},
        json,
        table(("key", "value", "default", "meaning"), texts),
        f"Kept in {workspace.root / CONFIG_NAME}.",
    )
    suggest("captcha-lab status", "what is in this workspace", json)


def _parsed(key: str, value: str, default: Any) -> str | int | tuple[str, ...]:
    if isinstance(default, tuple):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    if not isinstance(default, int):
        return value
    try:
        return int(value)
    except ValueError:
        raise UsageError(f"{key} is {value!r}: give a whole number.") from None


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
